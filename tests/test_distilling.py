"""A network learns from labels and from what a trained one answers."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keywords import Keywords
from scipy.special import log_softmax, softmax
from tones import write_tones

from tfspec.base.errors import UserError
from tfspec.data.splits import group_names
from tfspec.experiment import pipeline
from tfspec.experiment.fitting import fit_members
from tfspec.experiment.splitting import checked_split
from tfspec.pipelines.taught import check_tells_nothing
from tfspec.training import Teacher
from tfspec.training.distilling import TaughtModel

SHARE, TEMPERATURE, RATE = 0.6, 3.0, 0.5


def network(seed):
    """Return logits that are linear in four features."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])


@pytest.fixture
def taught():
    """A student with its teacher, examples and labels."""
    student, teacher = network(1), network(2)
    student.compile(keras.optimizers.SGD(RATE))
    model = TaughtModel(student, Teacher(teacher, SHARE, TEMPERATURE))
    model.compile(student.optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    return model, 2 * rng.standard_normal((8, 4)).astype(np.float32), rng.integers(0, 3, 8)


def test_loss_is_hintons(taught):
    model, x, y = taught
    student, teacher = (each(x).numpy() for each in (model.student, model.teacher.network))
    of_labels = -log_softmax(student, axis=1)[np.arange(8), y].mean()
    softened = softmax(teacher / TEMPERATURE, axis=1)
    of_teacher = -(softened * log_softmax(student / TEMPERATURE, axis=1)).sum(axis=1).mean()
    expected = (1 - SHARE) * of_labels + SHARE * TEMPERATURE**2 * of_teacher
    received = model.compute_loss(x, tf.constant(y), tf.constant(student), training=True)
    assert float(received) == pytest.approx(expected, rel=1e-5)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(of_labels, rel=1e-5)  # on the labels alone


def test_penalties_of_the_student_count_whole(taught):
    model, x, y = taught
    answers = (x, tf.constant(y), model.student(x))
    without = model.compute_loss(*answers, training=True)
    model.student.layers[0].kernel_regularizer = keras.regularizers.L2(0.5)
    model.student.layers[0].kernel.regularizer = keras.regularizers.L2(0.5)
    penalty = 0.5 * (model.student.get_weights()[0] ** 2).sum()
    received = model.compute_loss(*answers, training=True)
    assert float(received - without) == pytest.approx(penalty, rel=1e-4)


def test_a_step_moves_the_student_along_the_gradient_and_the_teacher_not_at_all(taught):
    model, x, y = taught
    (kernel, bias), before = model.student.get_weights(), model.teacher.network.get_weights()
    student, teacher = x @ kernel + bias, model.teacher.network(x).numpy()
    of_labels = softmax(student, axis=1) - np.eye(3)[y]
    of_teacher = softmax(student / TEMPERATURE, axis=1) - softmax(teacher / TEMPERATURE, axis=1)
    gradient = x.T @ ((1 - SHARE) * of_labels + SHARE * TEMPERATURE * of_teacher) / len(x)
    model.fit(x, y, batch_size=8, verbose=0)
    np.testing.assert_allclose(model.student.get_weights()[0], kernel - RATE * gradient, atol=1e-5)
    for received, expected in zip(model.teacher.network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_weights_of_examples_count_for_the_teacher_too(taught):
    model, x, y = taught
    logits = model.student(x)
    weights = np.array([2.0] * 4 + [0.0] * 4, np.float32)
    received = model.compute_loss(x, tf.constant(y), logits, tf.constant(weights), training=True)
    expected = model.compute_loss(x[:4], tf.constant(y[:4]), logits[:4], training=True)
    assert float(received) == pytest.approx(float(expected), rel=1e-5)


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("data") / "tones", {"high": 2000, "low": 300}, speakers=5)


@pytest.fixture(scope="module")
def teacher(tones, tmp_path_factory):
    """A run that is trained, and not scored."""
    out = tmp_path_factory.mktemp("runs") / "teacher"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "finish", lambda *arguments: fit_members(*arguments) or arguments[1])
        return Keywords(data=tones, out=out, epochs=1, augment=()).train(verbose=0)


def taught_training(**options):
    """Return the training of a run that has the same split, unless the options change it."""
    steps = Keywords(**options)
    _, split, _ = checked_split(steps)
    return steps.training(split[split["part"] == "train"], steps.class_names(split)), split


def test_a_run_teaches_another_one_of_its_split(tones, teacher):
    training, split = taught_training(data=tones, teacher=teacher.folder)
    signal = Keywords(data=tones).reader()(split.iloc[:2])
    features = Keywords(data=tones).front_end()(signal)
    expected = teacher.classifier.backbone(features)
    np.testing.assert_allclose(training.teacher.network(features), expected, atol=1e-5)
    assert taught_training(data=tones)[0].teacher is None


def test_a_run_that_knows_who_is_held_out_does_not_teach(tones, teacher):
    seed = next(seed for seed in range(1, 20) if held_out(tones, seed) != held_out(tones, 0))
    with pytest.raises(UserError, match=r"trained on 1 group of those held out.*--seed"):
        taught_training(data=tones, teacher=teacher.folder, seed=seed)


def test_a_run_may_know_others_who_are_not_here(teacher):
    check_tells_nothing(teacher, pd.DataFrame({"group": ["somebody else"]}), "")


def held_out(tones, seed):
    _, split, _ = checked_split(Keywords(data=tones, seed=seed))
    return group_names(split[split["part"] == "validation"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_mel_bins": 30}, "hears other features"),
        ({"clip_seconds": 0.8}, "hears other features"),
        ({"classes": ("high", "middle")}, "it knows others: high, low"),
    ],
)
def test_a_run_that_cannot_teach_is_refused(tones, teacher, options, said, tmp_path):
    if "classes" in options:
        tones = write_tones(tmp_path / "tones", {"high": 2000, "middle": 900}, speakers=5)
    with pytest.raises(UserError, match=said):
        taught_training(data=tones, teacher=teacher.folder, **options)
