"""The base of every specification: validated, immutable, with canonical JSON and a content hash."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from suite.errors import UsageError

SpecT = TypeVar("SpecT", bound="Spec")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(*values: Any) -> str:
    """16 hexadecimal digits of the SHA-256 of the values' canonical JSON."""
    return hashlib.sha256(canonical_json(values).encode()).hexdigest()[:16]


class Spec(BaseModel):
    """A specification: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def canonical_json(self) -> str:
        """This specification as canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))

    def content_hash(self) -> str:
        """The content hash of this specification."""
        return content_hash(self.model_dump(mode="json"))


def validate(model: type[SpecT], values: Mapping[str, Any], where: str) -> SpecT:
    """``values`` as a ``model``; raises :class:`UsageError` naming ``where`` and the first wrong key."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        more = f" ({error.error_count()} problems in all)" if error.error_count() > 1 else ""
        raise UsageError(f"{where}: {key}: {first['msg'].lower()}{more}; correct it there.") from None


def load_toml(path: Path, model: type[SpecT]) -> SpecT:
    """Read a specification from a TOML file; raises :class:`UsageError` when it is missing or malformed."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; give a path to a TOML file.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}; correct that line.") from None
    return validate(model, values, str(path))
