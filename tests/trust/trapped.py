"""A toy whose first training in a process lets that process's file system fail at its n-th call; for the tests.

``TRAP`` is ``MARKS:FOLDER:MODE:N``: below FOLDER, as ``failing.c`` says; one process takes it, which leaves a mark in
the folder MARKS. With N = 0 each process counts its calls, and writes there how many they were before each training.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from torch import nn

from tests.sweep.toy import Toy

_counting: list[bool] = []


class Trapped(Toy):
    """As the toy, in a trap."""

    name = "trapped"
    title = "Trapped"

    def network(self, data: Any) -> nn.Module:
        if trap := os.environ.get("TRAP"):
            _arm(*trap.split(":"))
        return super().network(data)


def _arm(marks: str, folder: str, mode: str, n: str) -> None:
    faults = ctypes.CDLL(None)
    faults.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_long]
    faults.fault_count.restype = ctypes.c_long
    if n == "0":
        if not _counting:
            faults.fault_arm(folder.encode(), 0, 1)
            _counting.append(True)
        Path(marks, str(os.getpid())).write_text(str(faults.fault_count()))
        return
    try:
        os.close(os.open(Path(marks, "taken"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return
    faults.fault_arm(folder.encode(), int(n), int(mode))
