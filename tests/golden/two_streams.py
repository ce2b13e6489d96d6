"""Building and looking into the two-stream networks of STPN and background modelling from released weights."""

from __future__ import annotations

import numpy as np
import torch

from methods.weak_localization.parts.two_stream import AttentionScores, TwoStreamAttention, TwoStreamLocalizer, bias_of
from suite.evaluate.segments import Segments
from suite.method import Scores
from suite.tasks.localization.samples import Videos
from tests.golden import close
from tests.golden.test_asl_inference import bare_videos, sorted_rows

STREAMS = ("rgb", "flow")
Parameters = dict[str, torch.Tensor]


def case_data(gold: dict[str, np.ndarray], case: str) -> dict[str, torch.Tensor]:
    found = {key.split("__", 1)[1]: value for key, value in gold.items() if key.startswith(f"{case}__")}
    return {key: torch.from_numpy(np.asarray(value)) for key, value in found.items()}


def tensors(data: dict[str, np.ndarray | torch.Tensor], prefix: str) -> Parameters:
    return {k.removeprefix(prefix): torch.as_tensor(v) for k, v in data.items() if k.startswith(prefix)}


def our_state(streams: list[Parameters], modules: dict[str, str]) -> Parameters:
    """Released names of both modalities to ours; ``modules`` maps theirs to ours with a place for the modality."""
    return {
        f"{modules[name.rpartition('.')[0]].format(stream)}.{name.rpartition('.')[2]}": value
        for stream, parameters in enumerate(streams)
        for name, value in parameters.items()
    }


def build(streams: list[Parameters], modules: dict[str, str], classes: int) -> TwoStreamAttention:
    state = our_state(streams, modules)
    hidden, half = state["attention.0.0.weight"].shape
    network = TwoStreamAttention(2 * half, hidden, classes).double()
    network.load_state_dict(state)
    return network


def twice(features: torch.Tensor) -> torch.Tensor:
    """One modality as both: losses are then summed over two equal modalities, gradients of each are its own."""
    return torch.cat([features, features], dim=-1)


def seen_of(network: TwoStreamAttention, gold: dict[str, np.ndarray], video: str) -> AttentionScores:
    both = np.concatenate([gold[f"{video}__features_{stream}"] for stream in STREAMS], axis=1)
    with torch.no_grad():
        return AttentionScores(*network(torch.from_numpy(both).double()))


def split_of(
    method: TwoStreamLocalizer, network: TwoStreamAttention, gold: dict[str, np.ndarray], video: str
) -> tuple[Scores, Videos]:
    """A video's scores in double precision, as the method hands them to its own decoding, and the video."""
    seen, snippets = seen_of(network, gold, video), int(gold[f"{video}__num_snippets"])
    classes = gold[f"{video}__class_probability_rgb"].shape[0]
    rows = torch.from_numpy(method.places(snippets))
    pooled = method.pooled(AttentionScores(*(part[rows][None] for part in seen)))
    probability = method.probability(pooled + bias_of(network).detach())[..., :classes]
    scores = {
        "activation": seen.activation[..., :classes].numpy(),
        "attention": seen.attention.numpy(),
        "probability": probability.numpy(),
    }
    return scores, bare_videos(np.array([snippets]), classes)


def rows_of(found: Segments, fps: float) -> np.ndarray:
    """[class, score, start, end] in seconds of videos at ``fps``, as sorted rows."""
    seconds = 25.0 / fps
    rows = np.stack([found.label, found.score, found.start * seconds, found.end * seconds], axis=1)
    return sorted_rows(rows)


def compare_video(
    method: TwoStreamLocalizer,
    network: TwoStreamAttention,
    gold: dict[str, np.ndarray],
    video: str,
    fps: float,
    tolerance: float,
) -> None:
    """Attention, classes, probabilities and proposals after fusion of one video."""
    scores, samples = split_of(method, network, gold, video)
    places = method.places(int(samples.lengths[0]))
    chosen = method.classes_of(scores["probability"][0])
    for stream, name in enumerate(STREAMS):
        close(scores["attention"][places, stream], gold[f"{video}__attention_{name}"], tolerance)
        close(scores["probability"][0, stream], gold[f"{video}__class_probability_{name}"], tolerance)
        predicted = gold[f"{video}__predicted_classes_{name}"]
        only_first = len(predicted) == 1 and predicted[0] == 0
        assert np.array_equal(chosen[stream], predicted[:0] if only_first else predicted)
    expected = gold[f"{video}__proposals_after_fusion"].reshape(-1, 4)
    rows = rows_of(method.decode(scores, samples), fps)
    assert len(rows) == len(expected)
    close(rows, sorted_rows(expected), tolerance)
