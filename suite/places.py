"""Where things are: the folders of results, caches and data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suite.errors import UsageError

PROBE = 2**16  # bytes
ROOM = 32 * 2**20  # bytes: rows, checkpoints and packed features of a small run


@dataclass(frozen=True)
class Places:
    """Where things are: ``outputs`` (ledger, checkpoints, cache, reports; or a URI) and ``data`` (None: default)."""

    outputs: str = "outputs"
    data: str | None = None

    @property
    def root(self) -> Path | None:
        """The folder of the real data, if one was given."""
        return Path(self.data) if self.data else None

    @property
    def local(self) -> Path:
        """The folder for checkpoints and caches: ``outputs`` itself, or a local one where that is remote."""
        return Path("outputs" if "://" in self.outputs else self.outputs)

    @property
    def ledger(self) -> str:
        """The ledger's folder."""
        return f"{self.outputs.rstrip('/')}/ledger"

    @property
    def brief(self) -> Path:
        """What the ledger's table of runs says in brief."""
        return self.local / "cache" / "runs.json"

    @property
    def cache(self) -> Path:
        """Packed features of datasets."""
        return self.local / "cache" / "data"

    @property
    def derived(self) -> Path:
        """Arrays computed from datasets."""
        return self.local / "cache" / "derived"

    def absolute(self) -> Places:
        """The same places for processes that work in other folders."""
        outputs = self.outputs if "://" in self.outputs else str(Path(self.outputs).resolve())
        return Places(outputs, str(Path(self.data).resolve()) if self.data else None)

    def require_writable(self) -> None:
        """Raise :class:`UsageError` now if nothing can be written to ``outputs``, not after hours of training."""
        import shutil  # these take longer to load than all else here, and plans only look
        import tempfile

        folder = self.local
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for folder in self._written():
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(bytes(PROBE))  # a quota shows only in what is written
            free = shutil.disk_usage(self.local).free
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(f"cannot write to {folder} ({reason}); choose another folder with --out.") from None
        if free < ROOM:
            raise UsageError(
                f"{free / 2**20:.0f} MiB are free on the disk of {self.local}, less than the {ROOM / 2**20:.0f} that "
                "runs may need; make room, or choose another folder with --out."
            )

    def _written(self) -> list[Path]:
        """The folders, of those that are there, into which a run writes."""
        tables = sorted((self.local / "ledger").glob("*/_delta_log"))
        known = [self.local / "ledger", *(table.parent for table in tables), *tables, self.derived, self.cache]
        known += [self.local / name for name in ("checkpoints", "leases")]
        return [self.local, *(folder for folder in known if folder.is_dir())]

    def require_readable(self) -> None:
        """Raise :class:`UsageError` where ``outputs`` is no folder; the default one may not be there yet."""
        folder = Path(self.outputs)
        if "://" in self.outputs or folder.is_dir() or self == Places():
            return
        problem = "is not a folder" if folder.exists() else "is not there"
        raise UsageError(f"{folder} {problem}; name the folder of results with --out or SUITE_OUTPUTS.")

    def checkpoint(self, run: str) -> Path:
        """The checkpoint of a run under way."""
        return self.local / "checkpoints" / f"{run}.safetensors"
