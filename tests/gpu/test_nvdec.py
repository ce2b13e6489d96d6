"""Hardware decoding all the way through FFmpeg's own code, with a simulated device at its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gpu import nvdec

pytestmark = pytest.mark.skipif(
    not nvdec.possible(), reason="the device is compiled by cc, for PyAV's own FFmpeg on Linux"
)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return nvdec.seen()


def test_a_device_is_found_and_stores_planes_in_its_own_order(found: dict[str, Any]) -> None:
    assert found["kinds"] == ["cuda"]
    assert found["stored as"] == ["nv12"]


def test_the_device_decodes_the_pixels_that_software_does(found: dict[str, Any]) -> None:
    """Key frames every 24, pictures predicted from both sides, sizes that are cropped."""
    for name, (every, few) in found["pictures"].items():
        assert every == nvdec.FRAMES, name
        assert 0 < few <= nvdec.FRAMES, name
    assert found["clips in threads"]


def test_a_network_trained_on_its_clips_is_the_same(found: dict[str, Any]) -> None:
    by_device, by_software = found["trained"]
    assert by_device == by_software
    assert found["for the training"] > 0


def test_software_goes_on_where_the_device_is_lost_or_does_not_know_the_codec(found: dict[str, Any]) -> None:
    assert found["until it is lost"] == 10
    assert found["another codec"] == 0


def test_the_context_of_the_device_is_made_once(found: dict[str, Any]) -> None:
    assert found["contexts"] == 1
