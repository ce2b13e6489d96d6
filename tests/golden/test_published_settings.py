"""The preset ``published`` of each rival against the settings that its released code states.

A setting may be prose ("16, the last one smaller"): its first number counts. Text that names a choice is compared by a
word of it.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from suite.hyper import Value
from suite.registry import method
from tests.golden import golden

# Setting of the released code to the parameter that holds it.
NUMBERS: dict[str, dict[str, str]] = {
    "asl": {
        "lr": "lr", "batch": "batch", "epochs": "epochs", "q": "q", "positions": "positions", "hidden": "hidden",
        "class_threshold": "class_threshold", "scale": "scale", "gamma": "outer",
    },
    "wtalc": {
        "lr/I3D": "lr", "batch": "batch", "iterations": "steps", "pairs": "pairs", "share": "share", "margin": "margin",
        "crop_length/I3D": "positions", "hidden": "hidden", "dropout": "dropout", "minimum_run": "shortest",
        "proposal_score": "peak_weight",
    },
    "stpn": {
        "lr": "lr", "batch": "batch", "beta": "sparsity", "positions": "positions", "hidden": "hidden",
        "class_threshold": "class_threshold", "scale": "scale", "threshold": "threshold", "alpha": "other_share",
        "nms": "nms_threshold",
    },
    "three_c_net": {
        "lr": "lr", "batch": "batch", "iterations": "steps", "centre_weight": "centre_weight",
        "centre_single_label_videos_only_before_iteration": "single_steps", "count_weight/thumos": "count_weight",
        "count_weight_of_absent_classes": "absent_weight", "crop_length/thumos/others": "positions",
        "crop_length/thumos/even iterations > 0": "long_positions", "hidden": "hidden", "dropout": "dropout",
    },
    "em_mil": {
        "lr/epochs 1-20": "lr", "batch": "batch", "epochs": "epochs", "hidden": "hidden", "gamma": "margin",
        "lambda": "key_weight", "untrimmed_net": "video_epochs",
    },
    "background_modelling": {
        "lr": "lr", "batch": "batch", "epochs": "epochs", "positions": "positions", "hidden": "hidden",
        "weights/thumos/background": "background_weight", "weights/thumos/guide": "guide_weight", "sigma": "sigma",
        "class_threshold": "class_threshold", "scale": "scale", "thresholds/thumos/rgb": "threshold_rgb",
        "thresholds/thumos/flow": "threshold_flow",
    },
}  # fmt: skip
WORDS: dict[str, dict[str, tuple[str, dict[Value, str]]]] = {
    "asl": {"nms": ("nms", {"decay": "soft", "hard": "hard", "none": "none"})},
    "wtalc": {
        "init": ("initialization", {"xavier": "Xavier"}),
        "nms": ("nms", {"none": "none"}),
        "pair_sampling": ("draw", {"replacement": "WITH replacement"}),
    },
    "stpn": {"init": ("initialization", {"xavier": "Glorot"}), "nms": ("nms", {"hard": "hard"})},
    "three_c_net": {"init": ("initialization", {"xavier": "Xavier"})},
    "em_mil": {"nms": ("nms", {"none": "none"})},
    "background_modelling": {"init": ("initialization", {"default": "defaults"})},
}
OURS = {
    "asl": "action-selection", "wtalc": "w-talc", "stpn": "stpn", "three_c_net": "3c-net", "em_mil": "em-mil",
    "background_modelling": "background-modelling",
}  # fmt: skip
DECAY = re.compile(r"weight decay (\d[\d.e-]*)")


def released(file: str, path: str) -> Any:
    """The value at ``path`` of the settings of a released code."""
    name, *inner = path.split("/")
    value = golden(f"{file}__defaults.json")["settings"][name]["value"]
    for key in inner:
        value = value[key]
    return value


def number(value: Any) -> float:
    """A number as it is; of prose the first one."""
    if isinstance(value, int | float):
        return float(value)
    found = re.search(r"(?<![\w.])(\d+\.?\d*(?:e-?\d+)?|\.\d+)", str(value))
    assert found, f"no number in {value!r}"
    return float(found[1])


@pytest.mark.parametrize(
    ("file", "path", "ours"), [(f, p, o) for f, pairs in NUMBERS.items() for p, o in pairs.items()]
)
def test_numbers(file: str, path: str, ours: str) -> None:
    value = method(OURS[file]).resolve({"preset": "published"})[ours]
    expected = number(released(file, path))
    if path == "proposal_score":  # peak + 0.7 * video score
        expected = float(re.search(r"([\d.]+) \*", released(file, path))[1])  # type: ignore[index]
    assert value == pytest.approx(expected), released(file, path)


@pytest.mark.parametrize(("file", "path"), [(file, path) for file, pairs in WORDS.items() for path in pairs])
def test_choices(file: str, path: str) -> None:
    ours, words = WORDS[file][path]
    value = method(OURS[file]).resolve({"preset": "published"})[ours]
    assert words[value].lower() in str(released(file, path)).lower()


@pytest.mark.parametrize("file", OURS)
def test_weight_decay(file: str) -> None:
    stated = DECAY.search(released(file, "optimizer"))
    ours = method(OURS[file]).resolve({"preset": "published"})["weight_decay"]
    assert ours == pytest.approx(float(stated[1]) if stated else 0.0)


def test_sstap() -> None:
    options = golden("rival_sstap__defaults.json")["opts.py"]
    ours = method("sstap").resolve({"preset": "published"})
    assert (ours["lr"], ours["weight_decay"]) == pytest.approx((options["lr"], options["weight_decay"]))
    assert (ours["batch"], ours["length"], ours["samples"]) == (
        options["batch_size"], options["temporal_scale"], options["num_sample"],
    )  # fmt: skip
    assert ours["per_sample"] == options["num_sample_perbin"] and ours["nms_sigma"] == options["soft_nms"][0]
    assert ours["fall_after"] * options["train_epochs"] == pytest.approx(options["step_size"])
    assert (
        ours["fall"] == options["step_gamma"]
        and ours["consistency"] == golden("rival_sstap__defaults.json")["main.py"]["consistency"]
    )
