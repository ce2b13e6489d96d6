"""The dials of what rehearsal packs generate, by the reader whose layout they are written in."""

from __future__ import annotations

from collections.abc import Mapping

from suite.spec.card import Dial


def _dial(default: float, high: float, unit: str, about: str, low: float = 0.0) -> Dial:
    return Dial(default=default, low=low, high=high, unit=unit, help=about)


SNR, SHARE, GREY = "noise deviations", "share", "share of the range of grey"

_SCENES = {
    "background": _dial(
        0.3,
        0.9,
        "share of variance",
        "noise that a source video shares in RGB; in flow a third: scenes stay, motion goes",
    )
}
SNIPPETS = {
    "class_snr": _dial(3.0, 100.0, SNR, "class evidence inside instances and scenes"),
    "actionness_snr": _dial(2.0, 100.0, SNR, "the direction that all actions share, inside instances only"),
    "context": _dial(0.5, 1.0, "probability", "chance of a scene without action beside an instance and in a gap"),
    "hard_instances": _dial(0.25, 1.0, SHARE, "instances whose class evidence is weak"),
    "boundary_width": _dial(2.0, 50.0, "snippets", "over how many snippets evidence ramps up and down"),
    "noise_correlation": _dial(0.5, 0.99, "AR(1) coefficient", "noise that a snippet shares with the one before"),
    **_SCENES,
}
CLIPS = {
    "snr": _dial(6.0, 100.0, SNR, "distance between two senses"),
    "backbone_fit": _dial(0.1, 1.0, SHARE, "how far training features are pulled toward their label's mean"),
    "norm_ratio": _dial(2.0, 100.0, "ratio", "norm of RGB features over that of flow features", low=0.1),
    **_SCENES,
}
VERBS = {**CLIPS, "ambiguity": _dial(2.0, 4.0, "verbs", "verbs that describe a clip, on average", low=1.0)}
PEOPLE = {
    "contrast": _dial(0.25, 1.0, GREY, "how strongly a label shows in a person's box"),
    "noise": _dial(0.05, 1.0, GREY, "deviation of a picture's noise"),
    "detector_jitter": _dial(0.05, 1.0, "share of a box", "deviation of detected boxes"),
    "detector_misses": _dial(0.1, 1.0, SHARE, "people that the detector misses"),
    "detector_false": _dial(0.1, 1.0, SHARE, "false boxes per person"),
}
DIALS: Mapping[str, Mapping[str, Dial]] = {
    "i3d": SNIPPETS,
    "activitynet": SNIPPETS,
    "hmdb": CLIPS,
    "epic": VERBS,
    "ava": {
        **PEOPLE,
        "pictures": _dial(
            30.0, 30.0, "per second", "pictures that differ; the frames between are links to them", low=1.0
        ),
    },
    "ucf101": PEOPLE,
}
"""A reader that is not here has no rehearsal."""
