"""Every dependency states a licence that is known and allowed."""

from __future__ import annotations

from tests.trust.licences import ALLOWED, table


def test_licences() -> None:
    found = table()
    assert {"torch", "ray", "polars", "deltalake"} <= found.keys() and len(found) > 50
    assert not {name: stated for name, stated in found.items() if not ALLOWED.search(stated)}
