"""What native code prints while something is written."""

from __future__ import annotations

import os

import pytest

from suite.results.native import held_back


def test_what_is_printed_is_shown_unless_an_error_is_raised(capfd: pytest.CaptureFixture[str]) -> None:
    with held_back():
        os.write(2, b"a warning\n")
        with held_back():
            os.write(2, b"inside\n")
    assert capfd.readouterr().err == "a warning\ninside\n"
    with pytest.raises(OSError, match="full"), held_back():
        os.write(2, b"thread panicked\n")
        raise OSError("full")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"
