"""Smoothing over time: the likeliest path is the likeliest, and gaps part time lines."""

import itertools
import time

import hypothesis
import numpy as np
import pandas as pd
import pytest
from agreement import some_examples
from hypothesis import strategies as st

from tfspec.scores.smoothing import HiddenMarkov, smooth


def some_model(rng, num_classes):
    return HiddenMarkov(
        rng.dirichlet(np.ones(num_classes)),
        rng.dirichlet(np.ones(num_classes), num_classes),
        rng.dirichlet(np.ones(num_classes), num_classes),
    )


def log_probability(model, path, observed):
    """Add up, as the definition says."""
    p = np.log(model.start[path[0]]) + np.log(model.emission[path[0], observed[0]])
    for (before, now), seen in zip(itertools.pairwise(path), observed[1:], strict=True):
        p += np.log(model.transition[before, now]) + np.log(model.emission[now, seen])
    return p


@some_examples
@hypothesis.given(
    st.integers(0, 10_000), st.integers(2, 4), st.lists(st.integers(1, 6), min_size=1, max_size=4)
)
def test_no_path_is_likelier(seed, num_classes, lengths):
    rng = np.random.default_rng(seed)
    model = some_model(rng, num_classes)
    groups = np.repeat(np.arange(len(lengths)), lengths)
    times = np.concatenate([np.arange(length) for length in lengths]).astype(float)
    observed = rng.integers(0, num_classes, len(groups))
    shuffle = rng.permutation(len(groups))
    decoded = np.empty_like(observed)
    decoded[shuffle] = model.decode(observed[shuffle], groups[shuffle], times[shuffle], 1.5)
    for line, length in enumerate(lengths):
        seen, path = observed[groups == line], decoded[groups == line]
        paths = itertools.product(range(num_classes), repeat=length)
        highest = max(log_probability(model, other, seen) for other in paths)
        assert log_probability(model, path, seen) == pytest.approx(highest)


def test_equals_hmmlearn(rng):
    hmmlearn = pytest.importorskip("hmmlearn.hmm")
    model = some_model(rng, 5)
    lengths = rng.integers(1, 200, 30)
    groups = np.repeat(rng.permutation(30), lengths)
    times = np.concatenate([30.0 * np.arange(length) for length in lengths])
    observed = rng.integers(0, 5, len(groups))
    witness = hmmlearn.CategoricalHMM(5)
    witness.startprob_, witness.transmat_, witness.emissionprob_ = (
        model.start,
        model.transition,
        model.emission,
    )
    _, expected = witness.decode(observed[:, np.newaxis], lengths)
    received = model.decode(observed, groups, times, 45)
    for group in range(30):  # where both go the same ways in another order, they are equally likely
        ours, theirs, seen = (path[groups == group] for path in (received, expected, observed))
        assert log_probability(model, ours, seen) == pytest.approx(
            log_probability(model, theirs, seen), rel=1e-9
        )
    assert (received == expected).mean() > 0.99


def test_a_gap_parts_a_time_line(rng):
    model = some_model(rng, 4)
    observed, times = rng.integers(0, 4, 60), np.arange(60) * 30.0
    times[20:] += 3600
    times[45:] += 10
    parted = model.decode(observed, np.zeros(60), times, max_gap=45)
    whole = np.concatenate(
        [
            model.decode(observed[part], np.zeros(n), np.arange(n), 1.5)
            for part, n in ((slice(20), 20), (slice(20, 60), 40))
        ]
    )
    np.testing.assert_array_equal(parted, whole)
    labels = np.arange(60) // 20
    counted = HiddenMarkov.estimate(labels, observed, np.zeros(60), times, 45, 4, pseudo_count=0.5)
    assert counted.transition[0].tolist() == [19.5 / 21, 0.5 / 21, 0.5 / 21, 0.5 / 21]  # not once to class 1
    assert counted.transition[1].tolist() == [0.5 / 22, 19.5 / 22, 1.5 / 22, 0.5 / 22]


def test_estimates_are_shares_with_one_added(rng):
    labels, predicted = rng.integers(0, 3, 500), rng.integers(0, 3, 500)
    groups, times = np.repeat([3, 1], 250), np.tile(np.arange(250.0), 2)
    model = HiddenMarkov.estimate(labels, predicted, groups, times, 1.5, 4)
    confusion = pd.crosstab(labels, predicted).reindex(index=range(4), columns=range(4), fill_value=0) + 1
    np.testing.assert_allclose(model.emission, confusion.div(confusion.sum(axis=1), axis=0))
    pairs = pd.DataFrame({"before": labels[:-1], "now": labels[1:]}).drop(index=249)
    steps = (
        pd.crosstab(pairs["before"], pairs["now"]).reindex(index=range(4), columns=range(4), fill_value=0) + 1
    )
    np.testing.assert_allclose(model.transition, steps.div(steps.sum(axis=1), axis=0))
    assert model.start[3] == 1 / 504
    assert model.start.sum() == pytest.approx(1)


def people(rng, number, windows=200):
    """Make people who keep at what they do for ten windows, predicted wrongly one time in four."""
    labels = np.repeat(rng.integers(0, 3, number * windows // 10), 10)
    wrong = rng.random(len(labels)) < 0.25
    predicted = np.where(wrong, rng.integers(0, 3, len(labels)), labels)
    names = np.array(["sit", "sleep", "walk"])
    person = np.repeat(np.arange(number), windows)
    table = pd.DataFrame({"label": names[labels], "predicted": names[predicted], "group": person.astype(str)})
    return table.assign(time=np.tile(30.0 * np.arange(windows), number))


def test_single_mistakes_are_put_right(rng):
    known, new = people(rng, 6), people(rng, 2).assign(group="new")
    new["time"] += np.repeat([0, 1e6], 200)
    shuffled = new.sample(frac=1, random_state=0)
    names = ["sit", "sleep", "walk"]
    received = shuffled.copy()
    smoothed = smooth(shuffled, known, names, 45)
    pd.testing.assert_frame_equal(shuffled, received)
    before, after = (
        (shuffled["predicted"] == shuffled["label"]).mean(),
        (smoothed == shuffled["label"]).mean(),
    )
    assert before < 0.87
    assert after > 0.95
    np.testing.assert_array_equal(
        smooth(new, known, names, 45), pd.Series(smoothed, shuffled.index).sort_index()
    )


def test_nobody_is_smoothed_by_what_is_known_of_them(rng):
    known = people(rng, 4)
    names = ["sit", "sleep", "walk"]
    smoothed = smooth(known, known, names, 45)
    here = known["group"] == "2"
    alone = smooth(known[here].assign(group="new"), known[~here], names, 45)
    np.testing.assert_array_equal(smoothed[here], alone)
    lying = known.assign(label=known["label"].mask(here, "sit"))
    np.testing.assert_array_equal(smooth(lying[here], lying, names, 45), alone)
    only = known[here]
    np.testing.assert_array_equal(smooth(only, only, names, 45), only["predicted"])


def test_windows_of_nobody_known_stay_as_they_are(rng):
    known, new = people(rng, 4), people(rng, 2).assign(group="new")
    names = ["sit", "sleep", "walk"]
    mixed = pd.concat([new[:200], new[200:].assign(group="")], ignore_index=True)
    smoothed = smooth(mixed, pd.concat([known, known.assign(group="", label="sit")]), names, 45)
    np.testing.assert_array_equal(smoothed[:200], smooth(new[:200], known, names, 45))
    np.testing.assert_array_equal(smoothed[200:], mixed["predicted"][200:])
    beside = pd.concat([known[:200], new[:5].assign(group="")])
    np.testing.assert_array_equal(smooth(beside, known, names, 45)[200:], new["predicted"][:5])


def test_a_week_of_a_hundred_people_takes_seconds(rng):
    """Half a million windows, as many as Capture-24 has."""
    model = some_model(rng, 5)
    groups, times = np.repeat(np.arange(151), 3300), np.tile(30.0 * np.arange(3300), 151)
    observed = rng.integers(0, 5, len(groups))
    start = time.process_time()
    model.decode(observed, groups, times, 45)
    assert time.process_time() - start < 20
