"""Parts of methods: their hyper-parameters are the method's."""

from __future__ import annotations

import copy

import pytest

from methods.semi_localization.parts.part import Part, adopt
from suite.errors import UsageError
from suite.method import Method, hyper


class Wheel(Part):
    spokes: int = hyper(8, low=1, high=64)
    width: float = hyper(0.5, low=0.1, high=2.0, post=True)

    def weight(self) -> float:
        return self.spokes * self.width


class Vehicle(Method):
    def __init_subclass__(cls) -> None:
        adopt(cls)
        super().__init_subclass__()


class Bicycle(Vehicle):
    name = "bicycle"
    wheel = Wheel()
    width: float = hyper(0.7, low=0.1, high=2.0)


class Racer(Vehicle):
    name = "racer"
    wheel = Wheel()


def test_parameters_of_a_part_are_parameters_of_the_method() -> None:
    assert set(Racer.hypers) == {"spokes", "width"}
    assert Racer(spokes=4).wheel.weight() == 4 * 0.5
    with pytest.raises(UsageError, match="out of range"):
        Racer(spokes=0)


def test_the_method_overrides_its_part() -> None:
    assert Bicycle().wheel.width == 0.7
    assert not Bicycle.hypers["width"].post


def test_a_part_follows_the_values_of_its_method() -> None:
    racer = Racer()
    other = copy.copy(racer)  # as a search over post-processing does
    other.width = 1.0
    assert (racer.wheel.width, other.wheel.width) == (0.5, 1.0)


def test_parts_are_collected_over_their_bases() -> None:
    class Spiked(Wheel):
        spikes: int = hyper(100, low=0, high=1000)

    assert set(Spiked.hypers) == {"spokes", "width", "spikes"}
    assert isinstance(Bicycle.wheel, Wheel)
