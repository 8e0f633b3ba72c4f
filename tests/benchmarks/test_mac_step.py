"""A training step of MAC against the same network in torch, eager, on the same cores.

Both go through forward, KL divergence, backward and SGD with momentum and decay, on one batch in memory.
"""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfspec.models import mac
from tfspec.training.losses import KLDivergence
from tfspec.training.optimizers import CoupledSGD

BATCH, CHANNELS, CLASSES, WIDTH = 128, 4, 30, 24


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_a_training_step(medians, monkeypatch, pooling):
    """No slower than torch."""
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "golden")
    from make_mac import Mac

    rng = np.random.default_rng(0)
    features = rng.normal(size=(BATCH, 160, 160, CHANNELS)).astype(np.float32)
    labels = rng.dirichlet(np.ones(CLASSES), BATCH).astype(np.float32)

    theirs = Mac(WIDTH, CHANNELS, CLASSES, pooling).train()
    pictures = torch.from_numpy(features.transpose(0, 3, 1, 2).copy())
    shares = torch.from_numpy(labels)
    descent = torch.optim.SGD(theirs.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)

    def torch_step():
        descent.zero_grad()
        logits = theirs(pictures)[1]
        torch.nn.functional.kl_div(torch.log_softmax(logits, 1), shares, reduction="batchmean").backward()
        descent.step()

    ours = mac((160, 160, CHANNELS), CLASSES, WIDTH, pooling)
    ours.compile(CoupledSGD(0.01, 0.9, 1e-4), KLDivergence())
    data = tf.data.Dataset.from_tensors((features, labels)).cache().repeat()
    batches = iter(data)
    step = ours.make_train_function() or ours.train_function

    times = medians(rounds=5, tfspec=lambda: step(batches), torch=torch_step)
    assert times["tfspec"] < times["torch"]
