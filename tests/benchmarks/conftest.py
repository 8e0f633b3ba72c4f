"""Timings of our code and its peers in turns, in one run."""

import statistics
import time

import pytest

SPINNING_SECONDS = 0.1
"""Longer than the threads of OpenBLAS and OpenMP wait busily for more work, slowing down whoever is next."""


@pytest.fixture
def medians(benchmark, capsys):
    """Return a function that times callables in turns and returns the median seconds of each, by name."""

    def measure(rounds=9, **callables):
        for call in callables.values():
            call(), call()
        times = {name: [] for name in callables}

        def one_round():
            for name, call in callables.items():
                time.sleep(SPINNING_SECONDS)
                call()
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)

        benchmark.pedantic(one_round, rounds=rounds)
        result = {name: statistics.median(seconds) for name, seconds in times.items()}
        benchmark.extra_info.update(result)
        ours = next(iter(result.values()))
        with capsys.disabled():
            print(f"\n{benchmark.name}: " + ", ".join(_line(name, s, ours) for name, s in result.items()))
        return result

    return measure


def _line(name: str, seconds: float, ours: float) -> str:
    return f"{name} {seconds * 1e3:.1f} ms ({seconds / ours:.2f})"
