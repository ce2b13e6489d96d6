"""Drawing a view: HTML and LaTeX through great_tables, Markdown and CSV through polars."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from suite.evaluate.significance import SeedSummary
from suite.report.facts import ORIGIN
from suite.report.numbers import ORACLE
from suite.report.views import Cell, Row, View
from suite.results.marks import MEANINGS
from suite.spec.board import MetricKey

if TYPE_CHECKING:
    from great_tables import GT

NOTHING = "—"
MINUS = "−"
DOUBLE = "‡"  # columns of metrics that look at the labels they are scored on
DAGGER = "†"  # rows whose recipe's authors choose the epoch on test data
METHOD, LEAK, SEEDS, COST, MEMORY, KIND = "Method", "leak", "seeds", "s/run", "GiB", "kind"
SIGNS = {  # what occurs in labels and notes
    "≈": r"$\approx$", "—": "---", MINUS: "$-$", "±": r"$\pm$", DAGGER: r"$\dagger$",
    DOUBLE: r"$\ddagger$", "×": r"$\times$",
    "β": r"$\beta$", "γ": r"$\gamma$", "τ": r"$\tau$", "λ": r"$\lambda$", "θ": r"$\theta$", "α": r"$\alpha$",
    "₁": r"$_1$", "–": "--", "§": r"\S",
}  # fmt: skip
OTHERS = "Files that do not compete"
METHODS, CEILINGS, PEOPLE = "Methods", "Ceilings: these look at hidden truth", "People: the annotators of these data"

Draw = Callable[[Cell], str]


def number(value: float) -> str:
    """A share as percent with one decimal: 0.6128 is 61.3."""
    return f"{100 * value:.1f}"


def points(value: float | None) -> str:
    """A difference of shares in percentage points, with its sign."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{'+' if value >= 0 else MINUS}{abs(100 * value):.1f}"


def leak(summary: SeedSummary | None) -> str:
    """The leak in points, and its 95 % interval over seeds where there are several: ``+0.5 [+0.1, +0.9]``."""
    if summary is None:
        return NOTHING
    known = math.isfinite(summary.low)
    return points(summary.mean) + (f" [{points(summary.low)}, {points(summary.high)}]" if known else "")


def plain(cell: Cell) -> str:
    """``61.3 ± 0.4``; the best is ``**bold**``, what cannot be distinguished from it begins with ``≈``."""
    if not cell.values:
        return f"{NOTHING} ({cell.why})"
    text = f"**{number(cell.summary.mean)}**" if cell.best else number(cell.summary.mean)
    return ("≈ " if cell.near else "") + text + _spread(cell, " ± {}")


def html(cell: Cell) -> str:
    """The cell as HTML; an empty one says why in small print."""
    if not cell.values:
        return f'<span class="why">{NOTHING} {escape(_short(cell.why))}</span>'
    kind = "best" if cell.best else "near" if cell.near else "value"
    hint = f"{len(cell.values)} seeds: {', '.join(number(value) for value in cell.values)}"
    interval = cell.summary
    if math.isfinite(interval.low):
        hint += f"; 95 % interval {number(interval.low)} to {number(interval.high)}"
    spread = _spread(cell, ' <span class="sd">± {}</span>')
    return f'<span class="{kind}" title="{escape(hint)}">{number(interval.mean)}</span>{spread}'


def latex(cell: Cell) -> str:
    """The cell as LaTeX; the best in bold, what cannot be distinguished from it after an ≈."""
    if not cell.values:
        return "--"
    text = number(cell.summary.mean)
    text = rf"\textbf{{{text}}}" if cell.best else rf"$\approx$ {text}" if cell.near else text
    return text + _spread(cell, r" $\pm$ {}")


def _spread(cell: Cell, form: str) -> str:
    deviation = cell.summary.deviation
    return form.format(number(deviation)) if math.isfinite(deviation) else ""


def _short(why: str, limit: int = 60) -> str:
    return why if len(why) <= limit else why[: limit - 1].rstrip() + "…"


def frame(view: View, draw: Draw, badges: bool = True) -> pl.DataFrame:
    """The view as a frame of drawn cells: kind, method, a column per metric, the leak, the seeds, a column per mark.

    Whose rows they are stands in brackets behind their labels, where they are not ours, unless ``badges`` is False.
    """
    return pl.DataFrame([_line(view, row, draw, badges) for row in view.rows])


def heading(view: View, key: MetricKey) -> str:
    """The name of a column."""
    return f"{key} {DOUBLE}" if key.metric in view.oracles else str(key)


def _line(view: View, row: Row, draw: Draw, badges: bool) -> dict[str, str]:
    cells = {heading(view, key): draw(cell) for key, cell in zip(view.columns, row.cells, strict=True)}
    counted = {mark: row.marked(mark) or NOTHING for mark in view.marks}
    cost = NOTHING if row.seconds is None else f"{row.seconds:.0f}" if row.seconds >= 10 else f"{row.seconds:.1f}"
    ends = {LEAK: leak(row.leak), SEEDS: row.state, **counted, COST: cost}
    if view.weighed:
        ends[MEMORY] = NOTHING if row.memory is None else f"{row.memory:.2f}"
    label = f"{row.label} {DAGGER}" if row.reported == ORACLE else row.label
    label += f" ({', '.join(row.badges)})" if badges and row.badges else ""
    return {KIND: group(row), METHOD: label, **cells, **ends}


def group(row: Row) -> str:
    """Which kind of row it is: a method, or something beside methods."""
    return PEOPLE if row.people else CEILINGS if row.ceiling else OTHERS if row.unlike else METHODS


def to_html(view: View) -> str:
    """The table as a fragment of HTML."""
    from great_tables import GT

    drawn = frame(view, html, badges=False)  # great_tables escapes the labels of rows itself
    table = _grouped(GT(drawn, id=f"table-{view.name}"), view)
    shown = [column for column in drawn.columns if column not in (KIND, METHOD)]
    table = table.fmt_passthrough(columns=shown, escape=False).cols_align("right", columns=shown)
    return _described(str(table.tab_stubhead("Method").as_raw_html()), view)


def _described(text: str, view: View) -> str:
    """The table with a caption for those who hear it, and with badges behind the labels of rows, in their order."""
    badges = iter(
        ["".join(f' <span class="badge other">{escape(one)}</span>' for one in row.badges) for row in view.rows]
    )
    text = re.sub(r"(<th [^>]*gt_stub[^>]*>.*?)</th>", lambda found: f"{found[1]}{next(badges)}</th>", text)
    caption = f'<caption class="heard">{escape(view.spec.title)}: {escape(view.dataset)}, percent</caption>'
    return re.sub(r"(<table [^>]*>)", lambda found: found[1] + caption, text, count=1)


def _grouped(table: GT, view: View) -> GT:
    """Methods as row names; ceilings and people apart from them, where there are any."""
    return table.tab_stub(METHOD, KIND) if view.grouped else table.tab_stub(METHOD).cols_hide(KIND)


def to_latex(view: View) -> str:
    """The table as LaTeX (booktabs), with its notes below."""
    from great_tables import GT

    drawn = frame(view, latex)
    table = _grouped(GT(drawn), view).tab_header(title=f"{view.spec.title}: {view.dataset}")
    table = table.fmt_passthrough(columns=[heading(view, key) for key in view.columns], escape=False)
    for note in notes(view):
        table = table.tab_source_note(note)
    return _captioned(typeset(str(table.as_latex())), f"tab:{view.name}")


def _captioned(text: str, label: str) -> str:
    """The table with a numbered caption and a label, so that a paper can refer to it."""
    return re.sub(r"\\caption\*\{\s*\{\\large (.*)\}\s*\}", rf"\\caption{{\1}}\n\\label{{{label}}}", text, count=1)


def typeset(text: str) -> str:
    """Signs that a LaTeX font of text lacks, as commands."""
    for sign, command in SIGNS.items():
        text = text.replace(sign, command)
    return text


def numbers(view: View) -> pl.DataFrame:
    """The view for scripts: shares, a row per method and metric with mean, deviation, n and the 95 % interval."""
    rows = [
        {
            "kind": group(row),
            "method": row.label,
            "metric": key.metric,
            "threshold": key.threshold,
            "mean": cell.summary.mean if cell.values else None,
            "sd": cell.summary.deviation if cell.values else None,
            "n": len(cell.values),
            "low": cell.summary.low if cell.values else None,
            "high": cell.summary.high if cell.values else None,
            **_leaks(row if key == view.headline else None),
            "seconds": row.seconds,
            "memory_gib": row.memory,
            "seeds": " ".join(repr(value) for value in cell.values),
            "oracle": key.metric in view.oracles,
            "whose": "; ".join(row.badges),
            "marks": "; ".join(f"{count} {mark}" for mark, count in row.marks if count),
            "why_empty": "" if cell.values else cell.why,
        }
        for row in view.rows
        for key, cell in zip(view.columns, row.cells, strict=True)
    ]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col(pl.Float64).fill_nan(None))


def _leaks(row: Row | None) -> dict[str, float | None]:
    known = row.leak if row is not None else None
    names = {"leak": "mean", "leak_low": "low", "leak_high": "high"}
    return {column: None if known is None else getattr(known, name) for column, name in names.items()}


def to_markdown(drawn: pl.DataFrame) -> str:
    """Any frame of text as a Markdown table."""
    with pl.Config(
        tbl_formatting="MARKDOWN",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=60_000,
        fmt_str_lengths=100_000,
    ):
        return str(drawn.with_columns(pl.all().str.replace_all("|", r"\|", literal=True)))


def markdown(view: View) -> str:
    """The view as a Markdown table."""
    drawn = frame(view, plain)
    return to_markdown(drawn if view.grouped else drawn.drop(KIND))


def notes(view: View) -> list[str]:
    """What a reader must know of a table: where its numbers come from and which differences they can show."""
    seeds = len(view.spec.seeds)
    said = [
        f"Test split of {view.dataset}, {ORIGIN[view.kind]}, protocol {view.spec.protocol}. Percent, mean ± "
        f"standard deviation (n−1) over {seeds} seed{'s' if seeds > 1 else ''}; epochs chosen on validation data.",
        f"leak: points that choosing the epoch on test data would add to {view.headline}, with its 95 % interval "
        "(t over seeds, each with itself).",
    ]
    said.append(f"{COST}: median seconds per run, on the machines and beside the work that the ledger names.")
    if view.weighed:
        said.append(
            f"{MEMORY}: median over runs of the most memory held, by the whole process (libraries included) on a CPU, "
            "by tensors on an accelerator. Not known of runs that were packed or trained on several workers."
        )
    if any(row.reported == ORACLE for row in view.rows):
        said.append(
            f"{DAGGER}: a published recipe whose authors report the epoch best on test data (oracle): compare theirs "
            "with the number here plus the leak."
        )
    if view.people:
        said.append(
            "Annotators: what each of them said is scored as predictions are, against the annotator whose labels test "
            "or, where the majority's do, against the majority of the others; mean ± standard deviation over "
            "annotators. Labels of clips on which the others are evenly split are unknown and cost nobody. People rank "
            "nothing, which costs them where a metric goes by rank (mAP)."
        )
    if any(row.files for row in view.rows):
        said.append(
            "(file): predictions made elsewhere and scored here. How their epoch was chosen is not known; what tells "
            "them from other rows is judged by the spread of these over seeds."
        )
    if seeds < 2:
        said.append("One seed says nothing about noise: no row can be distinguished from another here.")
    elif math.isfinite(view.detectable):
        said.append(
            "≈: cannot be distinguished from the best (Tukey's test of all pairs, 5 %; the deviation is the column's, "
            "without what a seed does to all methods alike). "
            f"Smallest difference in {view.headline} that {seeds} seeds detect with power 0.8: "
            f"{number(view.detectable)} points (two of these methods, 5 % shared over the column)."
        )
    said += _settling(view)
    said += _explained(view)
    said += [
        f"{mark}: runs that logged it, of those that can; {MEANINGS[mark]}. Such runs are in the means."
        for mark in view.marks
    ]
    said += [
        f"The same numbers to the last digit: {'; '.join(labels)}. What tells them apart did nothing here."
        for labels in view.twins
    ]
    empty = sorted({cell.why for row in view.rows for cell in row.cells if not cell.values})
    return said + [f"{NOTHING}: {why.rstrip('.')}." for why in empty]


def _settling(view: View) -> list[str]:
    """How many seeds would settle what is open, in a sentence, if there is anything."""
    if not view.open:
        return []
    pairs = [
        f"{label} ({points(-gap)} points) {f'{seeds:,}' if seeds else 'more than 1,000'}"
        for label, gap, seeds in view.open
    ]
    return [
        f"Seeds that would settle what is open, with power 0.8, were the differences from the best what they are now: "
        f"{', '.join(pairs)}."
    ]


def _explained(view: View) -> list[str]:
    """What the columns are whose names do not say it; metrics with one meaning share a sentence."""
    groups: dict[str, list[str]] = {}
    for key in view.columns:
        if said := view.explained.get(key.metric):
            groups.setdefault(said, []).append(heading(view, key))
    return [f"{', '.join(dict.fromkeys(names))}: {said}." for said, names in groups.items()]
