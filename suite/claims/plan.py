"""Claims as a leaderboard: one table per position of a dial, so that boards' machinery carries them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.declarations import shipped
from suite.errors import UsageError, did_you_mean
from suite.spec.board import Entry, LeaderboardSpec, TableSpec
from suite.spec.claim import Arm, Claim, Point, load_claim

METHOD, CONTROL, REFERENCE = "method", "control", "reference"


@dataclass(frozen=True)
class Place:
    """Where a table of the board belongs: a claim, and a position of its dial."""

    claim: Claim
    point: Point


def find_claims(names: Sequence[str], quick: bool = False) -> list[Claim]:
    """The claims called ``names`` (shipped, or paths of TOML files); without names all that are shipped.

    ``quick``: only those that say so. Raises :class:`UsageError` for an unknown name.
    """
    paths = {path.stem: path for path in sorted((shipped("reports") / "claims").glob("*.toml"))}
    found = []
    for name in names or paths:
        if name.endswith(".toml"):
            found.append(load_claim(Path(name)))
        elif name in paths:
            found.append(load_claim(paths[name]))
        else:
            raise UsageError(f"there is no claim '{name}'{did_you_mean(name, paths)}")
    return [claim for claim in found if claim.quick or not quick]


def board_of(claims: Sequence[Claim]) -> tuple[LeaderboardSpec, list[Place]]:
    """The board that runs ``claims``, and what each of its tables is for.

    Raises :class:`UsageError` where there is nothing to run.
    """
    places = [Place(claim, point) for claim in claims for point in claim.points]
    if not places:
        raise UsageError("no claim is asked for; name one, or leave --quick out.")
    board = LeaderboardSpec(name="claims", title="Claims", tables=tuple(_table(place) for place in places))
    return board, places


def _table(place: Place) -> TableSpec:
    claim = place.claim
    arms = arms_of(claim)
    return TableSpec(
        title=f"{claim.name}, {claim.dial} {place.point.at}",
        datasets=(place.point.dataset,),
        methods=tuple(
            Entry(method=arm.method, label=row_of(claim, side), params=arm.params) for side, arm in arms.items()
        ),
        task=claim.task,
        seeds=tuple(range(claim.seeds)),
        epochs=claim.epochs,
        protocol=claim.protocol,
        params={**claim.params, **place.point.params},
        trials=claim.trials,
    )


def arms_of(claim: Claim) -> dict[str, Arm]:
    """The sides of a claim; the reference is there where the claim has one."""
    arms = {METHOD: claim.method, CONTROL: claim.control}
    return arms if claim.reference is None else {**arms, REFERENCE: claim.reference}


def row_of(claim: Claim, side: str) -> str:
    """What the runs of one side of a claim are called while they run and in the board's tables."""
    return f"{claim.name}: {side}"
