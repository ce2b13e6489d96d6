"""One video as a picture: annotated instances, detections as dark as they are sure, class by class (ASL, Fig. 6)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.analyse.snippet_errors import best_detections
from suite.analyse.subject import Subject
from suite.errors import UsageError, did_you_mean
from suite.evaluate.segments import Segments
from suite.report.figures import blank, fragment
from suite.report.page import write_page

TRUTH, FOUND = "#2a8c4a", "#1f5fb4"
ANNOTATED = "annotated"
LANE = 22  # pixels


def sources(subjects: Sequence[Subject]) -> list[str]:
    """What each run is called: its method, and its own id where several have that method."""
    titles = [str(one.run["title"] or one.run["method"]) for one in subjects]
    return [
        title if titles.count(title) == 1 else f"{title} {one.run['run'][:6]}"
        for title, one in zip(titles, subjects, strict=True)
    ]


def rows_of(one: Subject, source: str, video: int, multiple: float) -> dict[str, Segments]:
    """What is drawn: the annotation and the kept detections of one video."""
    kept = best_detections(one.predictions, one.samples.segments, multiple)
    return {
        ANNOTATED: one.samples.segments.take(one.samples.segments.video == video),
        source: kept.take(kept.video == video),
    }


def figure(subjects: Sequence[Subject], name: str, multiple: float = 1.0) -> Any:
    """A plotly figure of the video called ``name``, a lane per class and source; all runs must have seen it.

    Raises :class:`UsageError` for a video that the split does not hold.
    """
    ids = subjects[0].samples.ids.tolist()
    if name not in ids:
        raise UsageError(f"no test video is called '{name}'{did_you_mean(name, ids)}.")
    video = ids.index(name)
    lanes = dict[tuple[int, int], str]()
    bars = []
    for place, (one, called) in enumerate(zip(subjects, sources(subjects), strict=True)):
        for source, segments in rows_of(one, called, video, multiple).items():
            bars.append(_bars(source, segments, one.data.classes))
            order = 0 if source == ANNOTATED else place + 1
            lanes |= {
                (int(label), order): _lane(one.data.classes[label], source) for label in np.unique(segments.label)
            }
    drawn = blank(160 + LANE * len(lanes), showlegend=False)
    drawn.add_traces(bars)
    drawn.update_layout(barmode="overlay", bargap=0.3)
    named = list(dict.fromkeys(lanes[key] for key in sorted(lanes)))
    drawn.update_yaxes(categoryorder="array", categoryarray=named[::-1], dtick=1)
    drawn.update_xaxes(title="seconds", range=[0, float(subjects[0].samples.duration[video])])
    return drawn


def draw(subjects: Sequence[Subject], name: str, file: Path, multiple: float = 1.0) -> Path:
    """Write the page of the video called ``name`` to ``file``; raises as :func:`figure` does."""
    from markupsafe import Markup

    drawn = Markup(fragment(figure(subjects, name, multiple), "timeline"))
    about = f"Test video of {subjects[0].data.name}: its annotation and what each run found, darker where surer."
    return write_page(file, "figure.html.j2", {"title": name, "about": about, "figure": drawn})


def _lane(label: str, source: str) -> str:
    return f"{label} · {source}"


def _bars(source: str, segments: Segments, classes: Sequence[str]) -> Any:
    import plotly.graph_objects as go

    scored = segments.score is not None
    strength = shade(np.asarray(segments.score)) if scored else np.ones(len(segments))
    return go.Bar(
        orientation="h",
        base=segments.start,
        x=segments.length,
        y=[_lane(classes[label], source) for label in segments.label],
        marker={"color": FOUND if scored else TRUTH, "opacity": strength},
        hovertext=[f"score {s:.3f}" for s in segments.score] if segments.score is not None else source,
    )


def shade(score: np.ndarray) -> np.ndarray:
    """Opacity in [0.15, 1], by rank of the scores: surer is darker."""
    if len(score) < 2:
        return np.ones(len(score))
    return 0.15 + 0.85 * np.argsort(np.argsort(score)) / (len(score) - 1)
