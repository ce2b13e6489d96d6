"""Run every benchmark, or those named: ``python -m tests.benchmarks [evaluate store ...]``.

Each prints ratios measured in one run on the same work; absolute times hold for the machine that measured them.
Those that take more than minutes run only when they are named.
``python -m tests.benchmarks results [NAME ...]`` also writes ``RESULTS.md`` (:mod:`tests.benchmarks.results`).
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.benchmarks

NAMED_ONLY = {"bench_neighbours_large"}


def main() -> None:
    """Run the benchmarks one after the other."""
    known = [m.name for m in pkgutil.iter_modules(tests.benchmarks.__path__) if m.name.startswith("bench_")]
    if sys.argv[1:2] == ["results"]:
        from tests.benchmarks import results

        usual, every = (
            [name.removeprefix("bench_") for name in known if name not in left] for left in (NAMED_ONLY, ())
        )
        results.main(sys.argv[2:], every, usual)
        return
    asked = [f"bench_{word.removeprefix('bench_')}" for word in sys.argv[1:]]
    asked = asked or [name for name in known if name not in NAMED_ONLY]
    unknown = sorted(set(asked) - set(known))
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(known)}")
    sys.argv = sys.argv[:1]  # a benchmark's own options are for running it alone
    for name in asked:
        print(f"\n== {name.removeprefix('bench_')}", flush=True)
        importlib.import_module(f"tests.benchmarks.{name}").main()


if __name__ == "__main__":
    main()
