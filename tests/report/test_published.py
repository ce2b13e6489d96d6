"""The files of published numbers: how they are read, and that everything in them resolves."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from suite.data import find_card
from suite.declarations import shipped
from suite.errors import DataError, UsageError
from suite.registry import method, published_only
from suite.report.matching import wanted
from suite.report.published import COLUMNS, Published, load_published
from suite.spec.board import MetricKey
from suite.spec.card import parse_dataset_name
from tests.report.printed import ANALYSES, known_metrics

PAPERS = sorted(path.stem for path in (shipped("reports") / "published").glob("*.csv"))
CELLS = load_published(PAPERS)


def line(**changes: str) -> str:
    base = dict.fromkeys(COLUMNS, "") | {
        "paper": "mm22",
        "table": "2",
        "row": "AN",
        "metric": "top-set",
        "value": "39.1",
    }
    return ",".join((base | changes)[name] for name in COLUMNS)


def test_files_of_published_numbers(tmp_path):
    head = ",".join(COLUMNS)
    rows = [line(), line(table="3", metric="IoU", threshold="0.5", value="20"), line(table="3", value="")]
    (tmp_path / "mm22.csv").write_text("\n".join([head, *rows]))
    both, one = load_published(["mm22"], tmp_path), load_published(["mm22/3"], tmp_path)
    assert [cell.value for cell in both] == [39.1, 20.0, None] and one[0].key == MetricKey("IoU", 0.5)
    assert [cell.column for cell in one] == ["IoU@0.5", "top-set"], "the metric heads a column that print does not name"
    with pytest.raises(UsageError, match="did you mean 'mm22'"):
        load_published(["mm21"], tmp_path)
    with pytest.raises(UsageError, match="holds no table '4'"):
        load_published(["mm22/4"], tmp_path)
    (tmp_path / "bad.csv").write_text(f"{head}\n{line(value='many')}\n")
    with pytest.raises(DataError, match="line 2: 'many'"):
        load_published(["bad"], tmp_path)
    (tmp_path / "short.csv").write_text("paper,value\n")
    with pytest.raises(DataError, match="has no column"):
        load_published(["short"], tmp_path)


def test_a_dial_with_several_values_is_a_mean_over_datasets():
    cell = Published("p", "t", "r", "ce", "a[split=1+2+3,validation=test]", "default", MetricKey("mAP"), 1.0)
    assert cell.datasets == tuple(f"a[split={split},validation=test]" for split in (1, 2, 3))
    with pytest.raises(UsageError, match="'fast' is not name=value"):
        _ = Published("p", "t", "r", "ce", "a", "default", MetricKey("mAP"), 1.0, params="fast").settings


def test_every_printed_cell_names_something_that_exists():
    """A method with valid parameters on a dataset with valid dials and protocol, or a reason why only print has it."""
    for cell in CELLS:
        if cell.why_not:
            assert cell.method in published_only() or method(cell.method), cell.place
            continue
        runs = wanted(cell)  # raises for a method, parameter, value, dataset, dial or protocol that does not exist
        assert runs and all(one.method == cell.method for one in runs), f"{cell.place}: write the name, not an alias"
        task = method(cell.method).task
        assert task in find_card(parse_dataset_name(cell.dataset)[0]).tasks, cell.place


def test_every_printed_metric_is_one_that_something_here_measures():
    for cell in CELLS:
        if cell.print_only:
            continue
        task = find_card(parse_dataset_name(cell.dataset)[0]).task()
        assert cell.key.metric in known_metrics(task) | ANALYSES, cell.place


def test_no_cell_is_printed_twice_in_one_place():
    places = defaultdict(list)
    for cell in CELLS:
        places[cell.place].append(cell.value)
    assert not [place for place, values in places.items() if len(values) > 1]


# Averages, derived again from the columns beside them: printed averages that these contradict by more than rounding.
CONTRADICTED = {
    ("action_selection", "Table 1", "TSCN"),
    ("action_selection", "Table 1", "ASL-a"),
}
ALL = {"thumos-14": np.arange(1, 10) / 10, "activitynet-12": np.arange(10, 20) / 20}


def averages():
    """Per row with an average and columns at thresholds: the average printed, the one derived, and how closely."""
    rows = defaultdict(dict)
    for cell in CELLS:
        if cell.key.metric == "mAP" and cell.value is not None:
            name = parse_dataset_name(cell.dataset)[0] if "[" in cell.dataset else cell.dataset
            rows[(cell.paper, cell.table, cell.group, cell.row, name)][cell.key.threshold] = cell
    for place, cells in rows.items():
        printed, columns = cells.pop(None, None), sorted(cells)
        if printed is not None and len(columns) > 3:
            yield place, printed, columns, np.array([cells[at].value for at in columns])


def test_printed_averages_follow_from_their_columns_or_are_marked():
    contradicted, seen = set(), 0
    for place, printed, at, values in averages():
        every = ALL.get(place[-1], at) if not printed.print_only else at
        whole = len(every) == len(at) and all(np.isclose(every, at))
        # Where columns are left out in print, the curve through the others is read between them, and past the last one.
        derived = values.mean() if whole else np.interp(every, at, values).mean()
        seen += 1
        if abs(derived - printed.value) > (0.1 if whole else 2.0):
            contradicted.add(place[:2] + place[3:4])
            assert "inconsistent" in printed.note, f"{place}: {derived:.2f} by its columns, printed {printed.value}"
    assert contradicted == CONTRADICTED and seen > 40


def test_equal_settings_have_equal_numbers_or_are_marked():
    """A configuration that a paper prints twice with different numbers is marked in both places."""
    groups = defaultdict(list)
    for cell in CELLS:
        if not cell.why_not and cell.value is not None and not cell.differs:
            settings = tuple(sorted(cell.settings.items()))
            groups[(cell.paper, cell.method, settings, cell.dataset, cell.protocol, cell.key)].append(cell)
    for cells in groups.values():
        apart = max(cell.value for cell in cells) - min(cell.value for cell in cells)
        if apart > 0.06:  # one paper rounds 26.43 to 26.4 elsewhere
            assert all("inconsistent" in cell.note or "README" in cell.row for cell in cells), [c.place for c in cells]


def test_thresholds_of_a_row_fall_or_are_marked():
    """mAP cannot rise with the overlap that it asks for: a typing error would."""
    for place, printed, _, values in averages():
        assert all(before >= after for before, after in pairwise(values)), place
        assert printed.value <= values[0], place


@pytest.mark.parametrize("paper", PAPERS)
def test_files_are_utf8_without_machine_paths(paper):
    text = Path(shipped("reports") / "published" / f"{paper}.csv").read_text(encoding="utf-8")
    assert "/home/" not in text and "/work/" not in text


# How many numbers each table prints, and their sum: a number that is lost or mistyped later is noticed.
PRINTED = {
    "action_selection/Table 1": (69, 2028.2),
    "action_selection/Table 2": (37, 900.3),
    "noisy_pseudo_labels/Table 1": (240, 8329.7),
    "noisy_pseudo_labels/Table 2": (32, 1074.9),
    "noisy_pseudo_labels/Table 3": (8, 371.1),
    "noisy_pseudo_labels/Table 4": (18, 902.4),
    "noisy_pseudo_labels/Table 5": (12, 602.5),
    "noisy_pseudo_labels/Table 6": (10, 484.3),
    "multi_label_detection/Table 1": (15, 656.1),
    "multi_label_detection/Table 2": (25, 566.1),
    "multi_label_detection/Table 3": (10, 258.5),
    "multi_label_detection/Table 4": (7, 539.0),
    "multi_label_detection/Table 5": (8, 180.27),
    "multi_label_detection/Table 6": (6, 137.21),
    "multi_label_detection/Table 7": (3, 77.92),
    "multi_label_detection/Table 8": (2, 52.8),
    "multi_label_detection/Table 9": (2, 52.45),
}


@pytest.mark.parametrize("table", PRINTED)
def test_every_number_of_a_table_is_there(table):
    values = [cell.value for cell in CELLS if f"{cell.paper}/{cell.table}" == table and cell.value is not None]
    assert (len(values), round(sum(values), 2)) == PRINTED[table]
