"""Timings of our code and its peers in turns, in one run."""

import statistics
import time

import numpy as np
import pytest
from machine import described

SPINNING_SECONDS = 0.1
"""Longer than the threads of OpenBLAS and OpenMP wait busily for more work, slowing down whoever is next."""
MOST_SPREAD = 0.15
"""Of a ratio between its quartiles, beyond which the machine has too much else to do to tell it."""
TRIES = 3


@pytest.fixture
def medians(benchmark, capsys):
    """Return a function that times callables in turns and returns the seconds of each, by name.

    Those of the first, ours, are a median; those of another one are as many times these as in the median of
    the rounds, as what disturbs a round disturbs all in it. Ratios that differ too much from round to round
    are measured again, and at last the test is skipped, and says so.
    """

    def measure(rounds=9, **callables):
        for call in callables.values():
            call(), call()
        kept = []

        def all_rounds():
            for _ in range(TRIES):
                kept[:] = [[_seconds(call) for call in callables.values()] for _ in range(rounds)]
                if _spread(kept) <= MOST_SPREAD:
                    break

        benchmark.pedantic(all_rounds, rounds=1)
        ours = statistics.median(own for own, *_ in kept)
        ratios = np.median([[each / own for each in (own, *peers)] for own, *peers in kept], axis=0)
        result = {name: ours * float(ratio) for name, ratio in zip(callables, ratios, strict=True)}
        benchmark.extra_info.update(result, spread=_spread(kept), machine=described())
        with capsys.disabled():
            print(f"\n{benchmark.name}: " + ", ".join(_line(name, s, ours) for name, s in result.items()))
            print(f"  ratios within {_spread(kept):.0%}; {described()}")
        if _spread(kept) > MOST_SPREAD:
            pytest.skip(f"The machine is too busy: ratios differ by {_spread(kept):.0%} from round to round")
        return result

    return measure


def _seconds(call) -> float:
    time.sleep(SPINNING_SECONDS)
    call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _spread(rounds: list[list[float]]) -> float:
    """Return how far quartiles are from each other, half of it, by the median: the largest of all ratios."""
    ratios = np.array([[peer / own for peer in peers] for own, *peers in rounds])
    if not ratios.size:
        return 0.0
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75], axis=0)
    return float(((high - low) / 2 / middle).max())


def _line(name: str, seconds: float, ours: float) -> str:
    return f"{name} {seconds * 1e3:.1f} ms ({seconds / ours:.2f})"
