"""The licences of everything that the suite needs: ``python -m tests.trust.licences``."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = re.compile(
    r"(?i)\b(apache|mit|bsd|isc|python software foundation|psf|mpl|mozilla public|unlicense|zlib|hpnd|public domain|"
    r"cc0|lgpl|historical permission|0bsd|mit-cmu)"
)


def requirements(name: str, seen: set[str]) -> set[str]:
    """``name`` and what it needs, itself and through others; extras that are not installed are left out."""
    plain = re.sub(r"[-_.]+", "-", name).lower()
    if plain in seen:
        return seen
    try:
        needed = metadata.distribution(plain).requires or []
    except metadata.PackageNotFoundError:
        return seen
    seen.add(plain)
    for line in needed:
        if "extra ==" not in line:
            requirements(re.split(r"[\s;\[<>=!~(]", line, maxsplit=1)[0], seen)
    return seen


def licence(name: str) -> str:
    """What a distribution says of its licence, in its shortest form."""
    about = metadata.metadata(name)
    stated = about.get("License-Expression")
    classifiers = [c.split(" :: ")[-1] for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
    text = (about.get("License") or "").strip()
    return stated or ", ".join(classifiers) or " ".join(text.split())[:60]


def declared() -> list[str]:
    """The dependencies that ``pyproject.toml`` names."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for more in project["optional-dependencies"].values() for line in more)]
    return [re.split(r"[\s;\[<>=!~]", line, maxsplit=1)[0] for line in lines]


def table() -> dict[str, str]:
    """Licence by dependency."""
    seen: set[str] = set()
    for name in declared():
        requirements(name, seen)
    return {name: licence(name) for name in sorted(seen)}


if __name__ == "__main__":
    for dependency, stated in table().items():
        print(f"{dependency:30} {metadata.version(dependency):14} {stated}")
