"""Which configurations are being run: a note on the driver's disk that lets a killed sweep take them up again.

Nothing depends on it but time: without it (another machine, a lost disk) the ledger still says what is finished, and
only the checkpoints of runs that were under way are not found again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from suite.sweep.space import Values


class Journal:
    """The file ``path``: one line per proposal, written once when it is handed out."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, study: str) -> list[Values]:
        """The proposals of one study, oldest first; a line cut short by a death is passed over."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                note = json.loads(line)
            except json.JSONDecodeError:
                continue
            if note.get("study") == study:
                found.append(dict(note["values"]))
        return found

    def note(self, study: str, values: Values) -> None:
        """Add a proposal."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"study": study, "values": values}) + "\n")

    def silent(self) -> Journal:
        """A journal of which nothing is left behind."""
        return Journal(Path(os.devnull))

    def clear(self) -> None:
        """Forget everything: the sweep is over."""
        if self.path.is_file():
            self.path.unlink()
