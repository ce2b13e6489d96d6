"""The card of a kept model: README.md with the front matter that Hugging Face's hub reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from suite.data.storage.cards import find_card
from suite.errors import SuiteError
from suite.presets import changes, preset_of, value_text
from suite.registry import methods
from suite.spec.card import DatasetCard
from suite.tasks import task

Row = Mapping[str, Any]

SHOWN = 60  # classes
PERCENT = 100.0


def card(config: Row, metrics: Sequence[Row], seeds: Sequence[Sequence[Row]] = ()) -> str:
    """The whole README: ``metrics`` are the run's rows, ``seeds`` those of all runs that differ in the seed alone."""
    request = config["request"]
    data = _dataset(request["dataset"])
    numbers = _overall(metrics)
    parts = [
        _front_matter(config, data, numbers),
        f"# {config['title']} on {config['dataset_label']}",
        _about(config, data),
        "## Numbers",
        _numbers(config, numbers, [_overall(one) for one in seeds]),
        "## Use",
        _use(config),
        "## Parameters",
        _parameters(request["method"], request["params"]),
        "## Classes",
        _classes(config["form"]["classes"]),
        "## Where it comes from",
        _origin(config, data),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _dataset(name: str) -> DatasetCard | None:
    try:
        return find_card(name)
    except SuiteError:  # a user's own card, on another machine
        return None


def _overall(metrics: Iterable[Row]) -> dict[tuple[str, str, float | None], dict[str, float]]:
    """Metric, split and threshold to selection to value, without those of single classes."""
    found: dict[tuple[str, str, float | None], dict[str, float]] = {}
    for row in metrics:
        if not row["label"] and row["value"] is not None:
            found.setdefault((row["metric"], row["split"], row["threshold"]), {})[row["selection"]] = row["value"]
    return found


def _front_matter(config: Row, data: DatasetCard | None, numbers: Mapping[Any, Mapping[str, float]]) -> str:
    """Metadata as YAML, whose scalars are written as JSON."""
    request, first = config["request"], next(iter(config["selections"]))
    licence = data.licence if data and data.licence else "not stated"
    planted = data is not None and data.kind == "planted"
    results = {
        name: values[first]
        for (name, split, threshold), values in numbers.items()
        if split == "test" and threshold is None and first in values
    }
    lines = ["library_name: weak-action-suite", "tags:", *(f"- {json.dumps(t)}" for t in _tags(config))]
    lines += ["license: apache-2.0"] if planted else ["license: other", f"license_name: {json.dumps(licence)}"]
    lines += ["model-index:", f"- name: {json.dumps(request['method'])}", "  results:", "  - task:"]
    lines += [f"      type: {json.dumps(config['task'])}", "    dataset:"]
    lines += [f"      name: {json.dumps(data.title if data else request['dataset'])}"]
    lines += [f"      type: {json.dumps(config['dataset_label'])}", '      split: "test"', "    metrics:"]
    lines += [f"    - type: {json.dumps(name)}\n      value: {json.dumps(value)}" for name, value in results.items()]
    return "\n".join(["---", *lines, "---"])


def _tags(config: Row) -> list[str]:
    return ["video", "action-recognition", config["task"], config["request"]["method"]]


def _about(config: Row, data: DatasetCard | None) -> str:
    request, known = config["request"], methods().get(config["request"]["method"])
    served = task(config["task"])
    lines = [f"Task: {served.title}. It learns from {served.learns_from} and predicts {served.predicts}."]
    if known is not None:
        lines += [(known.__doc__ or "").strip().partition("\n")[0], f"Paper: {known.paper}." if known.paper else ""]
    if data is not None and data.kind == "planted":
        lines.append("The data are generated; this model knows nothing of real video.")
    lines.append(
        f"Dataset `{config['dataset_label']}`, protocol `{request['protocol']}`, seed {request['seed']}, "
        f"{config['weights']:,} weights."
    )
    return "\n".join(line for line in lines if line)


def _numbers(config: Row, own: Mapping[Any, Mapping[str, float]], seeds: Sequence[Mapping[Any, Any]]) -> str:
    """Percent on test data by selection; of several seeds mean ± standard deviation for the epochs validation chose."""
    selections = [name for name in ("validation", "last", "oracle") if any(name in values for values in own.values())]
    headline = task(config["task"]).headline
    keys = sorted((k for k in own if k[1] == "test"), key=lambda k: (k[0] != headline, k[0], k[2] or 0))
    heads = ["metric", *selections, *([f"{len(seeds)} seeds, validation"] if len(seeds) > 1 else [])]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for key in keys:
        name = key[0] + (f" @ {key[2]:g}" if key[2] is not None else "")
        cells = [name, *(_percent(own[key].get(s)) for s in selections)]
        cells += [_spread([one[key]["validation"] for one in seeds if key in one])] if len(seeds) > 1 else []
        lines.append(f"| {' | '.join(cells)} |")
    chosen = "Percent on test data, by how the epoch was chosen; oracle is chosen on test data and no honest number."
    return f"{chosen}\n\n" + "\n".join(lines)


def _percent(value: float | None) -> str:
    return "" if value is None or value != value else f"{PERCENT * value:.2f}"


def _spread(values: Sequence[float]) -> str:
    return f"{PERCENT * fmean(values):.2f} ± {PERCENT * stdev(values):.2f}" if len(values) > 1 else ""


def _use(config: Row) -> str:
    kept = ", ".join(f"`{name}` (epoch {at['epoch']})" for name, at in config["selections"].items())
    return (
        '```python\nimport suite\n\nmodel = suite.load("this folder")\nfound = model.predict(features)\n```\n\n'
        "```console\n$ suite predict FOLDER features.npy --to predictions.json\n```\n\n"
        f"Weights kept: {kept}. Whatever made the training's features has to make those of new videos."
    )


def _parameters(name: str, params: Row) -> str:
    known = methods().get(name)
    changed = changes(known, params) if known else params
    lines = [f"Preset `{preset_of(known, params)}`." if known and known.presets else ""]
    lines += ["", "| parameter | value | | source |", "|---|---|---|---|"]
    for key, value in params.items():
        declared = known.hypers.get(key) if known else None
        about = (declared.source or declared.help) if declared else ""
        mark = "changed" if key in changed else ""
        lines.append(f"| {key} | {value_text(value)} | {mark} | {about.replace('|', '/')} |")
    return "\n".join(lines).strip()


def _classes(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - SHOWN} more, in config.json" if len(classes) > SHOWN else ""
    return f"{len(classes)}: {', '.join(classes[:SHOWN])}{more}."


def _origin(config: Row, data: DatasetCard | None) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in config["versions"].items())
    lines = [
        f"- run `{config['run']}`, data print `{config['fingerprint']}`, code print `{config['code']}`, "
        f"commit `{config['commit'] or 'unknown'}`",
        f"- started from {_start(config['started_from'])}" if config.get("started_from") else "",
        f"- made with {versions}" if versions else "",
    ]
    if data is not None:
        lines += [
            f"- data: {data.title}" + (f", {data.source}" if data.source else ""),
            f"- licence of the data: {data.licence or 'not stated'}; the weights were learned from them",
            f"- citation: {data.citation}" if data.citation else "",
        ]
    return "\n".join(line for line in lines if line)


def _start(origin: Mapping[str, str]) -> str:
    """The weights with which the training began."""
    known = {"run", "method", "dataset"} <= set(origin)
    of = f"run `{origin['run']}`, {origin['method']} on `{origin['dataset']}`: " if known else "the weights of "
    return of + origin["file"]
