"""The dataset card: everything the suite knows about a dataset before it reads a byte of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from suite.errors import UsageError, did_you_mean
from suite.hyper import Value
from suite.spec.base import Spec, load_toml
from suite.spec.dials import Annotators, Dial, annotator_dials, noise_dials

ANY = "any"  # value of a parameter that makes a file needed whatever it is
FEATURES, GENERATED = "features", "generated"  # the dial of rehearsal packs, and what it then is
READER = re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?|[\w-][\w./ -]*\.py:[A-Za-z_]\w*")
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class FileSpec(Spec):
    """One file (or, with ``*`` in ``path`` and a ``count``, a group of files) below the dataset's folder.

    ``path`` is relative with forward slashes; ``size`` in bytes; ``unpack`` says that the file is an archive whose
    members belong into the dataset's folder; ``instead_of`` names a file that this one can replace. ``needed`` are
    settings, of dials and of methods' parameters, with all of which an ``optional`` file is needed: ``{ boxes =
    "detected" }``, several values in a list, ``any`` for a parameter that the method has at all.
    """

    path: str
    url: str = ""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    size: Count | None = None
    count: Count | None = None
    unpack: Literal["", "zip", "tar"] = ""
    optional: bool = False
    needed: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    instead_of: str = ""
    note: str = ""

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        return _relative(path, "the dataset's folder")

    @field_validator("needed", mode="before")
    @classmethod
    def _listed(cls, needed: Any) -> Any:
        if not isinstance(needed, Mapping):
            return needed
        return {name: (values,) if isinstance(values, str) else values for name, values in needed.items()}

    def needed_with(self, settings: Mapping[str, Value]) -> bool:
        """Whether a run with these dials and parameters cannot do without an optional file."""
        wanted = self.needed.items()
        met = (name in settings and ({ANY, _text(settings[name])} & set(values)) for name, values in wanted)
        return bool(self.needed) and all(met)

    @property
    def condition(self) -> str:
        """With what an optional file is needed: ``boxes=detected``; empty where it never is."""
        said = (name if values == (ANY,) else f"{name}={' or '.join(values)}" for name, values in self.needed.items())
        return " and ".join(said)

    @property
    def is_pattern(self) -> bool:
        """Whether ``path`` stands for several files."""
        return "*" in self.path


def _relative(path: str, folder: str) -> str:
    """``path``, which must stay inside ``folder``: what a card names is written and deleted there."""
    parts = PurePosixPath(path.replace("\\", "/"))
    if not path or parts.is_absolute() or ".." in parts.parts or ":" in (parts.parts or ("",))[0]:
        raise ValueError(f"must be a relative path inside {folder}")
    return path


class Layout(Spec):
    """How features lie in the store: ``channels`` wide, modalities in order, in ``dtype``.

    ``fps`` frames per second, ``stride`` and ``window`` frames between snippets and frames that a snippet sees, where
    all videos share them.
    """

    channels: Count | None = None
    modalities: tuple[str, ...] = ()
    dtype: Literal["float32", "float16"] = "float32"
    fps: Positive | None = None
    stride: Positive | None = None
    window: Positive | None = None
    about: str = ""


class Splits(Spec):
    """What the splits are disjoint by (``unit``), how they are drawn, and how many samples each holds."""

    unit: str = ""
    about: str = ""
    train: Count | None = None
    validation: Count | None = None
    test: Count | None = None


class Size(Spec):
    """The published size, for estimates of cost where the data are not here.

    ``train``, ``unlabelled`` and ``test`` samples (videos, clips); ``length`` snippets a video and ``segments`` in it,
    or ``boxes`` people a clip, in the mean; ``height`` and ``width`` of frames of pixels.
    """

    train: Count
    test: Count
    classes: Count
    unlabelled: Count = 0
    length: Count = 0
    segments: Count = 0
    boxes: Count = 0
    height: Count = 0
    width: Count = 0


class DatasetCard(Spec):
    """One dataset: where it comes from, what may be done with it, what it must contain and how it is read.

    ``reader`` is ``mulan`` for ``suite.data.readers.mulan:read``, ``planted.verbs`` for
    ``suite.data.planted.verbs:read``, ``package.module:function``, or ``file.py:function`` beside the card. ``folder``
    is the sub-folder of the data folder. ``options`` are constants for the reader (dials are what users turn).
    ``weights`` are files that networks may start from, by the name that the parameter ``weights`` may take. ``small``
    are values of dials that make a small world of a planted one: the world on which ``suite check`` tries methods.
    ``noise`` (``labels`` or ``segments``) gives the card the dials that spoil training labels
    (:data:`suite.spec.dials.NOISE`), ``annotators`` those that choose among several.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    tasks: tuple[str, ...] = Field(min_length=1)
    reader: str
    kind: Literal["real", "planted"] = "real"
    version: Annotated[int, Field(ge=1)] = 1
    folder: str = ""
    source: str = ""
    licence: str = ""
    citation: str = ""
    about: str = ""
    obtain: str = ""
    files: tuple[FileSpec, ...] = ()
    counts: dict[str, int | float] = Field(default_factory=dict)
    splits: Splits = Splits()
    layout: Layout = Layout()
    dials: dict[str, Dial] = Field(default_factory=dict)
    noise: Literal["", "labels", "segments"] = ""
    annotators: Annotators | None = None
    small: dict[str, Value] = Field(default_factory=dict)
    protocols: dict[str, dict[str, Any]] = Field(default={"default": {}})
    options: dict[str, Any] = Field(default_factory=dict)
    weights: dict[str, FileSpec] = Field(default_factory=dict)
    size: Size | None = None
    path: Path | None = Field(default=None, exclude=True)

    @field_validator("protocols")
    @classmethod
    def _thresholds(cls, protocols: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, protocol in protocols.items():
            levels = protocol.get("tiou", [])
            numbers = isinstance(levels, list | tuple) and all(isinstance(t, int | float) for t in levels)
            if not numbers or any(not 0 < threshold <= 1 for threshold in levels):
                raise ValueError(f"protocol '{name}': tiou must list tIoU thresholds, each in (0, 1]")
        return protocols

    @model_validator(mode="before")
    @classmethod
    def _given_dials(cls, values: Any) -> Any:
        """Dials that a card need not write down: it may, where another range or default suits it."""
        if not isinstance(values, Mapping) or not isinstance(own := values.get("dials", {}), Mapping):
            return values
        given = {**annotator_dials(values.get("annotators")), **noise_dials(values.get("noise"))}
        return {**values, "dials": {**own, **{name: dial for name, dial in given.items() if name not in own}}}

    @field_validator("folder")
    @classmethod
    def _below_data(cls, folder: str) -> str:
        return _relative(folder, "the data folder") if folder else folder

    @field_validator("reader")
    @classmethod
    def _named(cls, reader: str) -> str:
        if not READER.fullmatch(reader) or ".." in reader:
            raise ValueError("must be module, package.module:name or file.py:name beside the card")
        return reader

    @model_validator(mode="after")
    def _replaceable(self) -> DatasetCard:
        paths = {file.path for file in self.files}
        for file in self.files:
            if file.instead_of and (file.instead_of not in paths or file.instead_of == file.path):
                raise ValueError(f"{file.path}: instead_of must name another file of the card")
        return self

    @model_validator(mode="after")
    def _provenance(self) -> DatasetCard:
        missing = [key for key in ("source", "licence", "citation", "folder") if not getattr(self, key)]
        if self.kind == "real" and missing:
            raise ValueError(f"a card of real data must state its {' and '.join(missing)}")
        if self.kind == "real" and FEATURES in self.dials:
            raise ValueError(f"dial '{FEATURES}': on real data this name marks rehearsal packs; choose another one")
        for name, dial in self.dials.items():
            dial.check(dial.default, name, self.name)
        self.resolve_dials(self.small)
        return self

    def resolve_dials(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Every dial with its value; raises :class:`UsageError` for an unknown dial or a value it cannot take.

        On real data there may be one more, ``features=generated``: the pack is a rehearsal, not what was published.
        """
        given = dict(given)
        marked = {FEATURES: given.pop(FEATURES)} if self.kind == "real" and FEATURES in given else {}
        if marked and marked[FEATURES] != GENERATED:
            raise UsageError(f"{self.name}: '{FEATURES}' can only be '{GENERATED}'; leave it out for published data.")
        for name in given:
            if name not in self.dials:
                raise UsageError(f"{self.name} has no dial '{name}'{did_you_mean(name, self.dials)}")
        own = {name: dial.check(given.get(name, dial.default), name, self.name) for name, dial in self.dials.items()}
        return own | marked

    def kind_of(self, dials: Mapping[str, Any]) -> str:
        """``real``, ``planted``, or ``generated`` where ``dials`` mark the features of a rehearsal pack."""
        return GENERATED if self.kind == "real" and dials.get(FEATURES) == GENERATED else self.kind

    def protocol(self, name: str) -> dict[str, Any]:
        """The settings of the protocol called ``name``; raises :class:`UsageError` when the card has none such."""
        if name not in self.protocols:
            raise UsageError(f"{self.name} has no protocol '{name}'{did_you_mean(name, self.protocols)}")
        return dict(self.protocols[name])

    def task(self, asked: str = "") -> str:
        """``asked``, or the card's first task; raises :class:`UsageError` when the dataset does not serve it."""
        if asked and asked not in self.tasks:
            raise UsageError(f"{self.name} does not serve the task '{asked}'{did_you_mean(asked, self.tasks)}")
        return asked or self.tasks[0]

    def label(self, dials: Mapping[str, Any]) -> str:
        """The name with the dials that are not at their defaults, in the card's order: ``hapt[labelled=0.1]``."""
        values = self.resolve_dials(dials)
        turned = [
            f"{name}={_text(value)}"
            for name, value in values.items()
            if name not in self.dials or value != self.dials[name].default
        ]
        return f"{self.name}[{','.join(turned)}]" if turned else self.name

    def say(self, dial: str, value: Value) -> str:
        """A dial's value in words: those of the card, else ``dial=value``."""
        text = _text(value)
        return self.dials[dial].words.get(text, f"{dial}={text}") if dial in self.dials else f"{dial}={text}"

    def identity(self) -> dict[str, Any]:
        """What the arrays depend on: prose, licence, URLs, counts and protocols are left out."""
        kept = {"name", "version", "reader", "options"} | ({"annotators"} if self.annotators else set())
        return self.model_dump(mode="json", include=kept) | {"dtype": self.layout.dtype}


def _text(value: Value) -> str:
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_dataset_name(text: str) -> tuple[str, dict[str, str]]:
    """Split ``planted-verbs[ambiguity=2.5,snr=3]`` into the name and its dials, as text (the card gives them types)."""
    match = re.fullmatch(r"([^\[\]]+?)(?:\[([^\[\]]*)\])?", text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a dataset name; write it as name or name[dial=value,dial=value].")
    dials: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in (match.group(2) or "").split(","))):
        name, equals, value = (side.strip() for side in part.partition("="))
        if not (name and equals and value) or name in dials:
            raise UsageError(f"'{part}' in '{text}' is not one dial; write dial=value once for each dial.")
        dials[name] = value
    return match.group(1), dials


def load_card(path: Path) -> DatasetCard:
    """Read and validate one card; its name must be the file's, so that a name finds its file without opening others."""
    card = load_toml(path, DatasetCard)
    if card.name != path.stem:
        raise UsageError(f"{path} is the card of '{card.name}'; rename the file to {card.name}.toml.")
    return card.model_copy(update={"path": path})
