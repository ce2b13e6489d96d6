"""Evaluation points: what is scored, and how often."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from suite.tasks.recognition.task import RecognitionTask
from tests.train.world import Tiny, train, weights, world


def test_samples_that_are_validation_and_test_are_scored_once(monkeypatch):
    """The points, curves and weights are those of scoring them twice."""
    asked: list[str] = []
    score, decode, judged = Tiny.score, Tiny.decode, RecognitionTask.evaluate
    monkeypatch.setattr(Tiny, "score", lambda *given: asked.append("score") or score(*given))
    monkeypatch.setattr(Tiny, "decode", lambda *given: asked.append("decode") or decode(*given))
    monkeypatch.setattr(
        RecognitionTask, "evaluate", staticmethod(lambda *given: asked.append("evaluate") or judged(*given))
    )
    twice = replace(world(), validation=world().test)
    once = replace(twice, facts={**twice.facts, "validation_is_test": True})
    known = train(data=twice)
    assert asked.count("score") == asked.count("decode") == asked.count("evaluate") == 14
    asked.clear()
    found = train(data=once)
    assert asked.count("score") == asked.count("decode") == asked.count("evaluate") == 7
    assert weights(found) == weights(known) and found.curves == known.curves
    for name, point in known.points.items():
        assert found.points[name].metrics == point.metrics
        for split in ("validation", "test"):
            assert np.array_equal(found.points[name].predictions[split].logits, point.predictions[split].logits)


def test_a_split_of_other_samples_is_scored_whatever_is_declared():
    told = replace(world(), facts={**world().facts, "validation_is_test": True})
    assert not told.validates_on_test
    assert train(data=told).points["last"].metrics == train(data=world()).points["last"].metrics
