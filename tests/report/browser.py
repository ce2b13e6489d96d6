"""A headless Chromium that opens a page, runs a script in it and hands back what the script found."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCRIPT = """
<script>window.addEventListener("load", function () {{ setTimeout(function () {{
  var found; try {{ found = (function () {{ {script} }})(); }} catch (error) {{ found = {{ error: String(error) }}; }}
  var node = document.createElement("pre"); node.id = "found"; node.textContent = JSON.stringify(found);
  document.body.appendChild(node); }}, 300); }});</script>
"""


@dataclass(frozen=True)
class Visit:
    """What the script returned, and what the browser's console said."""

    found: Any
    console: tuple[str, ...]


def chromium() -> str | None:
    """The browser's program, where the machine has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def visit(page: Path, script: str, *, query: str = "", width: int = 1280, dark: bool = False) -> Visit:
    """Open ``page``, run ``script`` (the body of a function; its result as JSON) once it is loaded."""
    copy = page.with_name(f"visited-{page.name}")
    copy.write_text(page.read_text(encoding="utf-8") + SCRIPT.format(script=script), encoding="utf-8")
    more = ["--blink-settings=preferredColorScheme=0"] if dark else []
    done = _run(copy.as_uri() + query, "--dump-dom", f"--window-size={width},1200", *more)
    text = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert text, done.stderr[-2000:]
    return Visit(json.loads(html.unescape(text[1])), tuple(re.findall(r"CONSOLE[^\n]*", done.stderr)))


def print_to_pdf(page: Path, file: Path) -> bytes:
    """The page as the browser prints it."""
    _run(page.as_uri(), f"--print-to-pdf={file}")
    return file.read_bytes()


def _run(address: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = chromium()
    assert program
    usual = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=6000"]
    command = [program, *usual, "--allow-file-access-from-files", *arguments, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
