"""Timings of our code and a peer in one run, as a ratio of medians."""

import statistics
import time

import pytest


@pytest.fixture
def ratio(benchmark, capsys):
    """Give a function that times two callables in turns and reports peer time / our time."""

    def measure(ours, peer, rounds=9):
        ours(), peer()
        times = []

        def once():
            start = time.perf_counter()
            peer()
            between = time.perf_counter()
            ours()
            times.append((between - start, time.perf_counter() - between))

        benchmark.pedantic(once, rounds=rounds)
        peer_time, our_time = (statistics.median(column) for column in zip(*times, strict=True))
        benchmark.extra_info.update(ours=our_time, peer=peer_time, ratio=peer_time / our_time)
        with capsys.disabled():
            print(
                f"\n{benchmark.name}: ours {our_time * 1e3:.1f} ms, peer {peer_time * 1e3:.1f} ms, "
                f"peer / ours {peer_time / our_time:.2f}"
            )
        return peer_time / our_time

    return measure
