"""A page per dataset, from its card."""

from __future__ import annotations

from typing import Any

from docs.generate.markdown import code, plain, table
from suite.data.storage.cards import all_cards, shipped
from suite.presets import value_text
from suite.spec.card import DatasetCard, FileSpec, load_card
from suite.spec.dials import Dial
from suite.tasks import tasks


def cards() -> dict[str, DatasetCard]:
    """The shipped cards by name: not those that somebody's ``SUITE_DATASETS`` adds."""
    own = {path.stem for path in shipped("datasets").glob("*.toml")}
    return {card.name: load_card(shipped("datasets") / f"{card.name}.toml") for card in all_cards() if card.name in own}


def pages() -> dict[str, str]:
    """The text of every dataset's page, by name."""
    return {name: page(card) for name, card in cards().items()}


def page(card: DatasetCard) -> str:
    """One page."""
    parts = [
        f"# {plain(card.title)}",
        _facts(card),
        plain(card.about),
        f"**To obtain it:** {plain(card.obtain)}." if card.obtain else "",
        _commands(card),
        _section("Files", _files(card.files), f"Below the folder `{card.folder}` of `--data`."),
        _section(
            "Weights", _files(tuple(card.weights.values())), "Networks may start from these: `--set weights=NAME`."
        ),
        _section("What must be counted", table(("", "card"), [(plain(k), f"{v:,}") for k, v in card.counts.items()])),
        _splits(card),
        _layout(card),
        _section(
            "Dials",
            _dials(card.dials),
            f"Written in brackets: `{card.name}[dial=value]`. A dial is part of a run's name.",
        ),
        _protocols(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, body: str, note: str = "") -> str:
    return "\n\n".join(part for part in (f"## {title}", note, body) if part) if body else ""


def _facts(card: DatasetCard) -> str:
    served = ", ".join(f"[{tasks()[name].title}](../tasks/{name}.md)" for name in card.tasks)
    rows = [
        ("Name", code(card.name)),
        ("Kind", "generated, with known truth" if card.kind == "planted" else "real data, which are not shipped"),
        ("Tasks", served),
        ("Source", f"<{card.source}>" if card.source.startswith("http") else plain(card.source)),
        ("Licence", plain(card.licence)),
        ("Citation", plain(card.citation)),
        ("Annotators", ", ".join(card.annotators.names) if card.annotators else ""),
    ]
    return table(("", ""), [row for row in rows if row[1]])


def _commands(card: DatasetCard) -> str:
    lines = [f"$ suite data show {card.name}"]
    if card.kind == "real":
        lines += [f"$ suite data get {card.name}"] if any(file.url for file in card.files) else []
        lines += [f"$ suite data verify {card.name}", f"$ suite data rehearse {card.name} --to rehearsal"]
    else:
        lines += [f"$ suite check {card.name}"]
    return "```console\n" + "\n".join(lines) + "\n```"


def _files(files: tuple[FileSpec, ...]) -> str:
    return table(("path", "size", "SHA-256", "note"), [_file(file) for file in files])


def _file(file: FileSpec) -> tuple[str, str, str, str]:
    notes = [
        plain(file.note),
        f"instead of {code(file.instead_of)}" if file.instead_of else "",
        f"needed with {code(file.condition)}" if file.condition else "optional" if file.optional else "",
        f"{file.count:,} files" if file.count is not None else "",
        f"unpacked ({file.unpack})" if file.unpack else "",
        f"<{file.url}>" if file.url else "",
    ]
    said = "; ".join(note.rstrip(".") for note in notes if note)
    return code(file.path), f"{file.size:,}" if file.size is not None else "", code(file.sha256[:12]), said


def _splits(card: DatasetCard) -> str:
    split = card.splits
    sizes = [
        (name, f"{count:,}") for name in ("train", "validation", "test") if (count := getattr(split, name)) is not None
    ]
    said = [f"No two splits share a {split.unit}." if split.unit else "", _sentence(split.about)]
    body = "\n\n".join(part for part in (table(("split", "samples"), sizes), " ".join(filter(None, said))) if part)
    return _section("Splits", body)


def _sentence(text: str) -> str:
    """Prose of a card as a sentence: some cards write it as a note."""
    return plain(text[:1].upper() + text[1:].strip().rstrip(".") + ".") if text.strip() else ""


def _layout(card: DatasetCard) -> str:
    layout = card.layout
    facts = [
        ("channels", layout.channels),
        ("modalities", ", ".join(layout.modalities)),
        ("frames per second", layout.fps),
        ("frames between snippets", layout.stride),
        ("frames that a snippet sees", layout.window),
    ]
    rows = [(name, f"{value:,}" if isinstance(value, int | float) else value) for name, value in facts if value]
    return _section("Features", "\n\n".join(filter(None, (table(("", ""), rows), _sentence(layout.about)))))


def _dials(dials: dict[str, Dial]) -> str:
    rows = [
        (code(name), code(value_text(dial.default)), _span(dial), plain(dial.unit), _meaning(dial))
        for name, dial in dials.items()
    ]
    return table(("dial", "default", "range", "unit", "meaning"), rows)


def _span(dial: Dial) -> str:
    if dial.choices:
        return ", ".join(code(value_text(one)) for one in dial.choices)
    if isinstance(dial.default, bool):
        return "`true`, `false`"
    ends = [f"{end:g}" if end is not None else "∞" for end in (dial.low, dial.high)]
    return f"\\[{ends[0]}, {ends[1]}\\]" if (dial.low, dial.high) != (None, None) else ""


def _meaning(dial: Dial) -> str:
    words = "; ".join(f"{code(value)}: {plain(text)}" for value, text in dial.words.items())
    return ". ".join(part for part in (plain(dial.help).rstrip("."), words) if part)


def _protocols(card: DatasetCard) -> str:
    rows = [(code(name), _settings(settings)) for name, settings in card.protocols.items()]
    note = "Chosen with `--protocol`. Numbers of different protocols never share a column."
    return _section("Protocols", table(("protocol", "settings"), rows), note)


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{plain(name)} = {plain(str(value))}" for name, value in settings.items()) or "the task's own"
