"""DETAD's profiles of one run as rows: what false positives are, what they cost, and which instances are missed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from suite.analyse.subject import Subject
from suite.evaluate.diagnosis import (
    ACTIVITYNET_BINS,
    ERROR_TYPES,
    THUMOS_BINS,
    Bins,
    characteristics,
    error_types,
    false_negative_profile,
    false_positive_profile,
    gains,
    missed,
)
from suite.evaluate.ranking import RankedMatches
from suite.evaluate.temporal import match_segments


def matches_of(one: Subject, tiou: float) -> RankedMatches:
    """The run's detections matched at one tIoU under its own protocol."""
    return match_segments(one.samples.segments, one.predictions, one.protocol.at(tiou), one.videos)


def false_positives(
    one: Subject, tiou: float = 0.5, multiples: tuple[int, ...] = (1, 2, 5, 10)
) -> list[dict[str, Any]]:
    """Percent of each type among the best n · G detections of a class, and the mAP gained were that type gone."""
    matches = matches_of(one, tiou)
    kinds = error_types(one.samples.segments, one.predictions, matches)
    profile = false_positive_profile(matches, kinds, multiples)[0]
    shares = 100 * profile / np.maximum(1, profile.sum(axis=1, keepdims=True))
    gained = 100 * gains(matches, kinds)[0]
    return [
        {
            "type": name,
            **{f"{n}G": float(row[kind]) for n, row in zip(multiples, shares)},
            "gain": float(gained[kind]),
        }
        for kind, name in enumerate(ERROR_TYPES)
    ]


def false_negatives(one: Subject, tiou: float = 0.5) -> list[dict[str, Any]]:
    """Percent of annotated instances that are missed, by coverage, length and number of instances in the video."""
    matches, truth = matches_of(one, tiou), one.samples.segments
    lost, counted = missed(matches), truth.take(matches.truth_row)
    values = characteristics(counted, one.samples.duration[counted.video])
    rows: list[dict[str, Any]] = []
    for name, bins in bins_of(one).items():
        rate, total = false_negative_profile(lost, bins.of(values[name]), len(bins.names))
        rows += [
            {"characteristic": name, "bin": label, "instances": int(count), "missed": 100 * float(share)}
            for label, share, count in zip(bins.names, rate[0], total)
        ]
    return rows


def bins_of(one: Subject) -> Mapping[str, Bins]:
    """ActivityNet's bins for its datasets, THUMOS-14's for all others."""
    return ACTIVITYNET_BINS if one.data.name.startswith("activitynet") else THUMOS_BINS
