import json

import keras
import librosa
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from families import others_slow

from tfspec.augment import Compose, Gain, MixUp

SEED = tf.constant([5, 3])


def data(rng, examples=8, shape=(6, 5, 2)):
    """Return pictures and soft labels of three classes."""
    x = rng.standard_normal((examples, *shape)).astype(np.float32)
    return x, rng.dirichlet(np.ones(3), examples).astype(np.float32)


@pytest.mark.parametrize("shape", [(6, 5, 2), (40,)])
def test_examples_and_labels_are_mixed_by_the_same_weight(shape, rng):
    x, labels = data(rng, 30, shape)
    layer = MixUp()
    params = layer.sample(30, SEED)
    applied, weight, partner = (params[name].numpy() for name in ("applied", "weight", "partner"))
    assert 10 < applied.sum() < 30
    mixed = layer((x, labels), seed=SEED)
    for before, after in zip((x, labels), mixed, strict=True):
        own = np.where(applied, weight, 0).reshape(-1, *[1] * (before.ndim - 1))
        np.testing.assert_allclose(after, (1 - own) * before + own * before[partner], atol=1e-6)
    np.testing.assert_allclose(tf.reduce_sum(mixed[1], 1), 1, rtol=1e-6)


def test_given_partners_are_mixed_in(rng):
    x, labels = data(rng)
    partners = data(rng)
    mixed = MixUp(0.25, 0.25, probability=1)((x, labels), partners=partners)
    for before, other, after in zip((x, labels), partners, mixed, strict=True):
        np.testing.assert_allclose(after, 0.75 * before + 0.25 * other, atol=1e-6)


def test_of_levels_powers_are_mixed(rng):
    (x, labels), partners = data(rng), data(rng)
    layer = MixUp(0.1, 0.9, probability=0.7, decibels_per_unit=20)
    weight = tf.where(layer.sample(8, SEED)["applied"], layer.sample(8, SEED)["weight"], 0.0).numpy()
    assert 0 < (weight == 0).sum() < 8
    own, other = librosa.db_to_power(20 * x), librosa.db_to_power(20 * partners[0])
    along = weight[:, np.newaxis, np.newaxis, np.newaxis]
    powers = (1 - along) * own + along * other
    expected = librosa.power_to_db(powers, amin=1e-30, top_db=None) / 20
    mixed, _ = layer((x, labels), seed=SEED, partners=partners)
    np.testing.assert_allclose(mixed, expected, atol=1e-6)
    np.testing.assert_array_equal(mixed[weight == 0], x[weight == 0])
    only, _ = MixUp(1, 1, probability=1, decibels_per_unit=20)((x, labels), partners=partners)
    np.testing.assert_allclose(only, partners[0], atol=1e-6)


@pytest.mark.parametrize("batch", [1, 2, 3, 128])
def test_partners_are_all_of_the_batch_and_nobody_meets_himself(batch):
    sample = tf.function(MixUp().sample)
    for i in range(50):
        partner = sample(tf.constant(batch), tf.constant([i, 0]))["partner"].numpy()
        assert sorted(partner) == list(range(batch))
        assert batch == 1 or not (partner == np.arange(batch)).any()


def test_every_other_example_is_as_likely_a_partner():
    sample = tf.function(MixUp().sample)
    partners = np.array([sample(tf.constant(5), tf.constant([i, 1]))["partner"] for i in range(1000)])
    for own in range(5):
        met = np.delete(np.bincount(partners[:, own], minlength=5), own)
        assert scipy.stats.chisquare(met).pvalue > 0.001


@pytest.mark.parametrize("alpha", [0.1, 0.4, 0.5, 1.0, 3.0, 50.0])
def test_weights_are_beta_distributed(alpha):
    weights = MixUp(alpha=alpha).sample(10_000, SEED)["weight"].numpy()
    small = weights[weights < 0.5]  # numbers next to 1, where small alphas have much weight, lie 6e-8 apart
    assert scipy.stats.kstest(small, lambda w: 2 * scipy.stats.beta(alpha, alpha).cdf(w)).pvalue > 0.01
    assert scipy.stats.kstest(weights[weights > 0.5], 1 - small).pvalue > 0.01
    assert scipy.stats.binomtest(int((weights > 0.5).sum()), 10_000).pvalue > 0.01
    assert ((weights >= 0) & (weights <= 1)).all()


def test_the_only_example_of_a_batch_stays(rng):
    x, labels = data(rng, 1)
    for before, after in zip((x, labels), MixUp(probability=1)((x, labels)), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6)


def test_without_training_and_without_probability_it_is_exactly_the_identity(rng):
    x, labels = data(rng)
    for mixed in (MixUp()((x, labels), training=False), MixUp(probability=0)((x, labels))):
        np.testing.assert_array_equal(mixed[0], x)
        np.testing.assert_array_equal(mixed[1], labels)


@pytest.mark.parametrize("alpha", others_slow([None, 0.4], 0.4))
def test_eager_graph_xla_and_dataset_agree(alpha, rng):
    layer, both = MixUp(alpha=alpha), data(rng)
    expected = layer(both, seed=SEED)
    assert (expected[0] != both[0]).numpy().any()
    unknown = (tf.TensorSpec([None, None, None, 2]), tf.TensorSpec([None, 3]))
    graph = tf.function(lambda x, labels: layer((x, labels), seed=SEED), input_signature=unknown)
    xla = tf.function(lambda x, labels: layer((x, labels), seed=SEED), jit_compile=True)
    batches = tf.data.Dataset.from_tensors(both)
    mapped = batches.map(lambda x, labels: layer((x, labels), seed=SEED))
    assert [spec.shape for spec in mapped.element_spec] == [part.shape for part in both]
    for received in (graph(*both), xla(*both), mapped.get_single_element()):
        for part, whole in zip(received, expected, strict=True):
            np.testing.assert_allclose(part, whole, atol=1e-6)
    assert layer((both[0][:0], both[1][:0]))[0].shape == (0, 6, 5, 2)


def test_config_round_trip_and_a_saved_model(tmp_path, rng):
    layer = MixUp(0.1, 0.3, alpha=2.0, seed=3, join_labels=True, decibels_per_unit=20.0)
    config = json.loads(json.dumps(layer.get_config()))
    assert json.loads(json.dumps(MixUp.from_config(config).get_config())) == config
    both = data(rng)
    inputs = tuple(keras.Input(part.shape[1:]) for part in both)
    model = keras.Model(inputs, MixUp(probability=1, seed=3)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for received, expected in zip(loaded(both), both, strict=True):
        np.testing.assert_array_equal(received, expected)
    for received, expected in zip(loaded(both, training=True), model(both, training=True), strict=True):
        np.testing.assert_array_equal(received, expected)


def test_labels_that_are_class_numbers_are_refused(rng):
    x, _ = data(rng)
    with pytest.raises(ValueError, match=r"tf.one_hot\(labels, num_classes\).*Received: x with int64 labels"):
        MixUp()((x, np.arange(8)))
    with pytest.raises(ValueError, match="Received: partners with int32 labels"):
        MixUp()(data(rng), partners=(x, np.arange(8, dtype=np.int32)))


def test_an_unbatched_example_is_refused(rng):
    x, labels = data(rng)
    message = r"call it after .batch\(\). Received: x of shapes \(6, 5, 2\) and \(3,\)"
    with pytest.raises(ValueError, match=message):
        MixUp()((x[0], labels[0]))
    mapped = tf.data.Dataset.from_tensor_slices((x, labels))
    with pytest.raises(ValueError, match=r"call it after .batch\(\)"):
        mapped.map(lambda x, labels: MixUp()((x, labels), seed=SEED))
    with pytest.raises(ValueError, match=r"call it after .batch\(\)"):
        MixUp()((x, labels[:, 0]))


def test_anything_but_a_pair_is_refused(rng):
    x, labels = data(rng)
    for wrong in (x, [x], (x, labels, labels)):
        with pytest.raises(ValueError, match=r"must be a pair \(x, labels\)"):
            MixUp()(wrong)
    with pytest.raises(ValueError, match=r"`layers`.*Received: .*MixUp"):
        Compose([Gain(), MixUp()])


def test_a_mixture_with_what_nobody_knows_is_unknown_and_what_is_not_mixed_stays(rng):
    x, labels = data(rng, 40)
    labels[::2, 0] = np.nan
    params = MixUp().sample(40, SEED)
    mixed = MixUp().apply((x, labels), params)[1].numpy()
    unknown = np.isnan(labels[:, 0])
    expected = unknown | unknown[params["partner"]] & params["applied"].numpy()
    np.testing.assert_array_equal(np.isnan(mixed[:, 0]), expected)
    assert not np.isnan(mixed[:, 1:]).any()


JOINED = """
own      1    1    0    0    0    nan  nan  1    0.25 0.25 nan
other    0    nan  0    1    nan  0    1    1    0.75 nan  nan
together 1    1    0    1    nan  nan  1    1    0.75 nan  nan
"""


@pytest.mark.parametrize("frames", [False, True])
def test_joined_labels_hold_where_either_holds_and_are_unknown_where_neither_tells(frames, rng):
    own, other, together = (
        np.array(line.split()[1:], np.float32)[np.newaxis].repeat(40, axis=0)
        for line in JOINED.strip().splitlines()
    )
    if frames:
        own, other, together = (each[..., np.newaxis] for each in (own, other, together))
    x, x2 = rng.standard_normal((2, 40, 9)).astype(np.float32)
    layer = MixUp(0.1, 0.5, probability=0.5, join_labels=True)
    params = layer.sample(40, SEED)
    applied = params["applied"].numpy()
    assert 10 < applied.sum() < 30
    for apply in (layer.apply, tf.function(layer.apply, jit_compile=True)):
        mixed, labels = apply((x, own), params, (x2, other))
        np.testing.assert_array_equal(labels[applied], together[applied])
        np.testing.assert_array_equal(labels[~applied], own[~applied])
        weight = np.where(applied, params["weight"], 0)[:, np.newaxis]
        np.testing.assert_allclose(mixed, (1 - weight) * x + weight * x2, atol=1e-6)
