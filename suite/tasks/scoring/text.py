"""Text and JSON of others, read with care: what is odd in the bytes is counted, what cannot be read is one sentence."""

from __future__ import annotations

import gc
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from suite.errors import DataError
from suite.tasks.scoring.report import Oddity

_NESTED = {dict, list}
_MARK = "\ufeff"
_SURROGATE = re.compile(r"\\u[dD][89abcdefABCDEF]")


def read_text(path: Path) -> tuple[str, list[Oddity]]:
    """The text of ``path`` without a byte order mark, which is counted; :class:`DataError` for what is not UTF-8."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): give a file that can be read") from None
    if not text.startswith(_MARK):
        return text, []
    return text.lstrip(_MARK), [Oddity("byte order mark", 1, "skipped", path.name)]


def read_json(path: Path) -> tuple[Any, list[Oddity]]:
    """The content of a JSON file; keys that an object has twice are counted.

    Raises :class:`DataError` for what is not JSON, is nested too deeply, or holds half a character.
    """
    if (plain := _plain_json(path)) is not None:
        return plain[0], []
    text, oddities = read_text(path)
    repeated: list[str] = []
    try:
        with uncollected():
            content = json.loads(text)
            if _entries(content) < text.count(":"):  # each entry has one; others stand in strings, or keys are repeated
                repeated = _repeated_keys(text)
        # A lone surrogate can be written as an escape, but it is no character: it could not even be printed.
        if _SURROGATE.search(text):
            json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(f"{path} holds a lone surrogate, which is half a character: write it again") from None
    except RecursionError:
        raise DataError(f"{path} is nested too deeply for a file of this kind: write it again") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({str(error).splitlines()[0]}): write it again") from None
    if repeated:
        oddities.append(Oddity("repeated JSON key", len(repeated), "the last one counts", repeated[0]))
    return content, oddities


def _plain_json(path: Path) -> tuple[Any] | None:
    """The content where nothing about the JSON is odd, in half the time; None where it must be read with care.

    Of whole numbers beyond 64 bits it keeps what a float can hold.
    """
    try:
        text = path.read_bytes()
        with uncollected():
            content = orjson.loads(text)  # refuses NaN, halves of characters, numbers without end and deep nesting
            return (content,) if _entries(content) == text.count(b":") else None
    except (OSError, ValueError):
        return None


def _entries(content: Any) -> int:
    """How many entries all objects of parsed JSON have together."""
    count, level = 0, [content]
    while level:
        objects = [one for one in level if type(one) is dict]
        lists = [one for one in level if type(one) is list]
        count += sum(map(len, objects))
        inside = chain(chain.from_iterable(one.values() for one in objects), chain.from_iterable(lists))
        level = [one for one in inside if type(one) in _NESTED]  # of millions; JSON has no other kinds
    return count


def _repeated_keys(text: str) -> list[str]:
    """Keys that an object of the JSON has more than once. It takes as long again as parsing, so it is asked rarely."""
    repeated: list[str] = []

    def once(pairs: Sequence[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            repeated.extend(key for key, count in Counter(keys).items() if count > 1)

    json.loads(text, object_pairs_hook=once)
    return repeated


@contextmanager
def uncollected() -> Iterator[None]:
    """Inside, nobody looks for cycles, which text has none of: with millions of new objects that takes the longest."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def as_numbers(values: Sequence[Any]) -> np.ndarray:
    """(N,) :func:`as_number` of each."""
    if set(map(type, values)) <= {float, int, type(None)}:
        with suppress(OverflowError):
            return np.array(values, dtype=np.float64)
    return np.array([as_number(value) for value in values], dtype=np.float64)


def as_number(value: Any) -> float:
    """``value`` as a float: NaN for None, infinite where a float cannot hold it; an error for what is no number."""
    if isinstance(value, bool):
        raise TypeError("a truth value is not a number")
    try:
        return float("nan") if value is None else float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
