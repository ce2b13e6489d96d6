"""Small files in a folder of the outputs, which may be on a disk or in a remote store (``s3://...``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suite.places import Places
from suite.results.location import is_uri
from suite.writing import write_whole


class SmallFiles:
    """The files of the folder ``name`` of the outputs; what a store's library raises is passed on."""

    def __init__(self, places: Places, name: str) -> None:
        self.place = f"{places.outputs.rstrip('/')}/{name}"
        self.remote = is_uri(places.outputs)

    def _at(self) -> tuple[Any, str]:
        import fsspec

        found: tuple[Any, str] = fsspec.core.url_to_fs(self.place)
        return found

    def names(self, suffix: str = "") -> list[str]:
        """Of the files that are there and end in ``suffix``, sorted."""
        files, folder = self._at()
        files.invalidate_cache()
        try:
            names = [path.rpartition("/")[2] for path in files.ls(folder, detail=False)]
        except FileNotFoundError:
            return []
        return sorted(name for name in names if name and name.endswith(suffix))

    def read(self, name: str) -> str:
        """The text of a file; raises :class:`FileNotFoundError` where it is not there."""
        files, folder = self._at()
        text: str = files.cat_file(f"{folder}/{name}").decode()
        return text

    def write(self, name: str, text: str) -> None:
        """Put a file there at once: readers see the old one or the new one."""
        files, folder = self._at()
        if self.remote:  # a store puts whole objects
            files.pipe_file(f"{folder}/{name}", text.encode())
            return
        write_whole(Path(folder) / name, text)

    def create(self, name: str, text: str) -> None:
        """Put an object into a store unless one of that name is there: raises :class:`FileExistsError` then."""
        files, folder = self._at()
        files.pipe_file(f"{folder}/{name}", text.encode(), mode="create")

    def remove(self, name: str) -> None:
        """A file that is not needed any more."""
        files, folder = self._at()
        files.rm_file(f"{folder}/{name}")
