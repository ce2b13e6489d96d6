"""Ship the declarations with the package: cards, sweeps and reports go to ``suite/shipped`` in a wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

KINDS = ("datasets", "sweeps", "reports", "cluster")


class BuildWithDeclarations(build_py):
    """The usual build, then the folders that a checkout holds beside the packages."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for kind in KINDS:
                if Path(kind).is_dir():
                    target = Path(self.build_lib) / "suite" / "shipped" / kind
                    shutil.copytree(kind, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithDeclarations})
