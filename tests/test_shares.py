"""Replicas make of their shares of a batch what one device makes of the whole."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shares import SIZES

from tfspec.distributed.launcher import launch

SCRIPT = str(Path(__file__).with_name("programs") / "shares.py")


def of(kind: str) -> dict:
    done = subprocess.run([sys.executable, SCRIPT, kind], check=True, stdout=subprocess.PIPE, text=True)
    return found(done.stdout)[0]


def found(said: str) -> list[dict]:
    return [json.loads(row.split("FOUND ", 1)[1]) for row in said.splitlines() if "FOUND " in row]


@pytest.fixture(scope="module")
def one_device():
    return of("none")


@pytest.fixture(scope="module")
def two_devices():
    return of("mirrored")


def assert_measured_alike(received, expected):
    for (scores, outputs), (its_scores, its_outputs), size in zip(received, expected, SIZES, strict=True):
        assert scores == pytest.approx(its_scores, rel=1e-5)
        assert np.shape(outputs) == (size, 3)
        np.testing.assert_allclose(outputs, its_outputs, atol=1e-5)


@pytest.mark.slow
def test_two_devices_score_and_predict_as_one_whatever_the_size(one_device, two_devices):
    assert_measured_alike(two_devices["measured"], one_device["measured"])


@pytest.mark.slow
def test_two_workers_score_and_predict_as_one_device_whatever_the_size(one_device, capfd):
    assert launch([sys.executable, SCRIPT, "multi_worker"], 2) == 0
    workers = found(capfd.readouterr().out)
    assert len(workers) == 2
    for worker in workers:
        assert_measured_alike(worker["measured"], one_device["measured"])


@pytest.mark.slow
def test_two_devices_train_on_a_sequence_as_one(one_device, two_devices):
    (losses, weights), (its_losses, its_weights) = two_devices["fitted"], one_device["fitted"]
    assert len(losses) == 3
    assert losses[2] < losses[0]
    np.testing.assert_allclose(losses, its_losses, rtol=1e-5)
    for mine, theirs in zip(weights, its_weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.slow
def test_dropout_differs_between_devices_and_epochs_and_comes_again_from_the_seed(two_devices):
    first, again, later = np.array(two_devices["dropped"])
    assert first.shape == (2, 256)
    np.testing.assert_array_equal(first, again)
    masks = [*(first > 0), *(later > 0)]
    for i, mine in enumerate(masks):
        assert 0.35 < mine.mean() < 0.65
        for other in masks[:i]:
            assert 0.3 < (mine != other).mean() < 0.7
