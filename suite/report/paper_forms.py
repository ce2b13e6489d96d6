"""Drawing a paper's table: HTML and Markdown with verdicts, LaTeX (booktabs) in its layout, CSV for scripts."""

from __future__ import annotations

import re
from html import escape

import polars as pl

from suite.report.comparison import Comparison
from suite.report.paper import PaperRow, PaperTable
from suite.report.tables import NOTHING, points, to_markdown, typeset

SPECIAL = {"\\": r"\textbackslash{}", **{sign: "\\" + sign for sign in "&%$#_{}"}, "~": r"\textasciitilde{}"}
SPECIAL |= {"^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}


def ours(one: Comparison) -> str:
    """``31.0 ± 0.4``, or a dash."""
    if one.ours is None:
        return NOTHING
    return f"{one.ours:.1f}" if one.deviation is None else f"{one.ours:.1f} ± {one.deviation:.1f}"


def printed(one: Comparison) -> str:
    """The number as in print, or a dash where none can be read."""
    return one.printed.digits or NOTHING


def difference(one: Comparison) -> str:
    """Ours minus theirs in points; empty where they may not be compared."""
    return "" if one.difference is None else points(one.difference / 100)


def mark(one: Comparison) -> str:
    """The verdict as it fits a cell: what tells protocols apart stands below the table."""
    return one.verdict.partition(":")[0]


def html(table: PaperTable) -> str:
    """The table as HTML: in each cell ours, what is printed with the difference, and the verdict."""
    head = "".join(f'<th scope="col" class="number">{escape(column)}</th>' for column in table.columns)
    lines = [f'<table class="plain paper"><tr><th scope="col">Method</th>{head}<th scope="col">runs</th></tr>']
    group = ""
    for row in table.rows:
        if row.group != group:
            group = row.group
            span = f'scope="rowgroup" colspan="{len(table.columns) + 2}"'
            lines.append(f'<tr class="group"><th {span}>{escape(group)}</th></tr>')
        cells = "".join(_html_cell(row.cells.get(column)) for column in table.columns)
        state = f'<td class="words">{escape(row.state)}</td>'
        lines.append(f'<tr><th scope="row">{escape(row.label)}</th>{cells}{state}</tr>')
    return "\n".join([*lines, "</table>"])


def _html_cell(one: Comparison | None) -> str:
    if one is None:
        return '<td class="number">–</td>'
    beside = f"printed {printed(one)}" + (f", {difference(one)}" if difference(one) else "")
    hint = escape(f"{one.verdict}. {one.printed.differs} {one.printed.note}".strip())
    shown = "" if one.ours is None else f"<b>{escape(ours(one))}</b><br>"
    return f'<td class="number" title="{hint}">{shown}{escape(beside)}<br><small>{escape(mark(one))}</small></td>'


def markdown(table: PaperTable) -> str:
    """The table as Markdown, in the paper's layout."""
    rows = [
        {"": f"{row.group}: {row.label}" if row.group else row.label}
        | {column: _markdown_cell(row.cells.get(column)) for column in table.columns}
        | {"runs": row.state}
        for row in table.rows
    ]
    return to_markdown(pl.DataFrame(rows))


def _markdown_cell(one: Comparison | None) -> str:
    if one is None:
        return "–"
    beside = f"{printed(one)} printed" + (f", {difference(one)}" if difference(one) else "")
    return f"{ours(one)} ({beside}; {mark(one)})" if one.ours is not None else f"{NOTHING} ({beside}; {mark(one)})"


def latex(table: PaperTable) -> str:
    """The table as LaTeX (booktabs, graphicx) in the paper's layout: ours, and what is printed in brackets.

    Arrows say what lies above or below the interval of our seeds; a number under another protocol is in italics. A
    table of many columns spans both columns of a page, and what is wider than its place shrinks to it.
    """
    spec, kind = "l" + "c" * len(table.columns), "table*" if len(table.columns) > NARROW else "table"
    lines = ["% needs booktabs and graphicx", rf"\begin{{{kind}}}", r"\centering"]
    states = " ".join(row.state for row in table.rows)
    unlike = [word for word in ("generated features", "shortened") if word in states]
    warning = f" No results: {', '.join(unlike)}." if unlike else ""
    lines += [
        rf"\caption{{{tex(table.spec.title)}.{warning} Ours (in print). {LEGEND}}}",
        rf"\label{{tab:{table.name}}}",
    ]
    lines += [SHRINK, rf"\begin{{tabular}}{{{spec}}}", r"\toprule"]
    lines += [" & ".join(["", *map(tex, table.columns)]) + r" \\", r"\midrule"]
    group = None
    for row in table.rows:
        if row.group != group and (row.group or group):
            lines += [r"\midrule"] if group is not None else []
            lines += (
                [rf"\multicolumn{{{len(table.columns) + 1}}}{{l}}{{\emph{{{tex(row.group)}}}}} \\"] if row.group else []
            )
        group = row.group
        cells = [_latex_cell(row.cells.get(column)) for column in table.columns]
        lines.append(" & ".join([tex(row.label), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", rf"\end{{{kind}}}", ""])


NARROW = 3  # columns of numbers that one column of a page holds
SHRINK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
LEGEND = (
    r"$\uparrow$, $\downarrow$: the printed number lies below, above the interval of our seeds; "
    r"\emph{italics}: another protocol than in print"
)


def _latex_cell(one: Comparison | None) -> str:
    if one is None:
        return "--"
    there = one.printed.digits or "--"
    if one.ours is None:
        return f"-- ({there})"
    text = f"{one.ours:.1f}" + ("" if one.deviation is None else rf" $\pm$ {one.deviation:.1f}")
    arrow = {"above": r"$^{\uparrow}$", "below": r"$^{\downarrow}$"}.get(one.verdict.partition(" ")[0], "")
    text = rf"\emph{{{text}}}" if one.verdict.startswith("different") else text + arrow
    return f"{text} ({there})"


def tex(text: str) -> str:
    """Plain text with LaTeX's own signs escaped, and with commands for those that its fonts of text lack."""
    return typeset(re.sub(r"[\\&%$#_{}~^<>|]", lambda found: SPECIAL[found[0]], text))


def frame(table: PaperTable) -> pl.DataFrame:
    """Every cell as a row for scripts: percent and points, the whole verdict, and the commands of its row."""
    rows = [_line(table, row, column, one) for row in table.rows for column, one in row.cells.items()]
    return pl.DataFrame(rows, infer_schema_length=None)


def _line(table: PaperTable, row: PaperRow, column: str, one: Comparison) -> dict[str, str | float | None]:
    return {
        "table": table.spec.short,
        "group": row.group,
        "row": row.label,
        "column": column,
        "ours": one.ours,
        "deviation": one.deviation,
        "printed": one.printed.value,
        "difference": one.difference,
        "verdict": one.verdict,
        "why": row.why,
        "commands": "; ".join(row.commands),
        "note": one.printed.note,
    }
