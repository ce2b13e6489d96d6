"""Names of attempts: unique, with the time at which they were written."""

from __future__ import annotations

import secrets
import time
import uuid

_GREGORIAN_TO_UNIX = 0x01B21DD213814000  # 100 ns ticks between 1582-10-15 and 1970-01-01 (RFC 9562, §5.1)


def new_attempt() -> str:
    """A version-1 UUID with a random node: unique over processes, nodes and time."""
    # The multicast bit marks a node that is no network address (RFC 9562, section 6.10), so no machine is revealed.
    return str(uuid.uuid1(node=secrets.randbits(48) | 1 << 40))


def age(attempt: str) -> float:
    """Seconds since ``attempt`` was named (infinite for a name that carries no time)."""
    try:
        name = uuid.UUID(attempt)
    except ValueError:
        return float("inf")
    if name.version != 1:
        return float("inf")
    return time.time() - (name.time - _GREGORIAN_TO_UNIX) / 1e7
