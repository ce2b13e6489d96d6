"""Examples of label sets: what items are, beside what a method makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RANKED = 5  # classes shown of an item's scores


def label_sets(
    ids: Sequence[str], classes: Sequence[str], labels: np.ndarray, scores: np.ndarray, count: int, what: str = "Item"
) -> str:
    """A table of items: their classes, and the best of the scores (N, C), those that are right in bold.

    ``what`` the ``ids`` name.
    """
    from markupsafe import Markup

    line = Markup("<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>")
    lines = []
    for item in spread(np.arange(len(ids)), count):
        ranked = np.argsort(-scores[item], kind="stable")[:RANKED].tolist()
        guessed = [
            Markup("<b>{}</b>").format(classes[c]) if labels[item, c] else Markup("{}").format(classes[c])
            for c in ranked
        ]
        right = ", ".join(classes[c] for c in np.flatnonzero(labels[item]).tolist())
        lines.append(line.format(ids[item], right, Markup(", ").join(guessed)))
    head = Markup(
        '<tr><th scope="col">{}</th><th scope="col">Labels</th><th scope="col">Highest scores</th></tr>'
    ).format(what)
    return str(Markup('<table class="plain">{}{}</table>').format(head, Markup("").join(lines)))


def spread(items: np.ndarray, count: int) -> list[int]:
    """``count`` of the items (all where there are fewer), evenly spread from the first to the last."""
    if len(items) <= count:
        return [int(item) for item in items]
    places = np.linspace(0, len(items) - 1, count).round().astype(int)
    return [int(item) for item in items[places]]
