"""Labels of which several can hold at once, from the manifest to what is exported."""

import keras
import numpy as np
import pandas as pd
import pytest

from tfspec import UserError
from tfspec.augment import Augmentation, MixUp
from tfspec.data import ArrayReader, Epochs, SignalSequence, make_dataset
from tfspec.data.targets import targets
from tfspec.frontends import Spectrogram
from tfspec.models import Classifier, at_temperature, conv2d, ensemble

NAMES = ("bell", "frog", "wind")


def some_rows(rng, count):
    """Rows of which nobody knows every fourth label, as a CSV file has them, and their signals."""
    holds = rng.integers(0, 2, (count, 3)).astype(float)
    holds[rng.random(holds.shape) < 0.25] = np.nan
    return pd.DataFrame(holds, columns=NAMES), ArrayReader(rng.standard_normal((count, 600)))


def small_classifier(**options):
    backbone = conv2d((27, 40, 1), 3)
    return Classifier(Spectrogram(78, 20), backbone, NAMES, (600,), 8000, labels="several", **options)


def test_targets_of_several_labels_are_one_zero_or_unknown():
    manifest = pd.DataFrame({"wind": ["1", ""], "bell": [0, None], "frog": [0.25, np.nan]}, dtype=object)
    expected = [[0, 0.25, 1], [np.nan, np.nan, np.nan]]
    np.testing.assert_array_equal(targets(manifest, NAMES, "several"), expected)
    one_each = targets(pd.DataFrame({"label": ["wind", "bell"]}), NAMES, "several")
    np.testing.assert_array_equal(one_each, [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("bad", [2, -1, "yes", np.inf])
def test_what_is_no_label_is_refused_with_its_row(bad):
    manifest = pd.DataFrame({"bell": [1, bad], "frog": 0, "wind": 0}, index=[3, 8], dtype=object)
    with pytest.raises(UserError, match=r"must hold 0, 1 or nothing\. They do not in row 8"):
        targets(manifest, NAMES, "several")


@pytest.mark.parametrize("make", [make_dataset, SignalSequence])
def test_batches_carry_what_nobody_knows_also_through_mixing(make, rng):
    manifest, read = some_rows(rng, 40)
    weights, epochs = np.arange(40.0), Epochs(seed=1)
    mixing = Augmentation(mix_up=MixUp(probability=0.5))
    batches = make(
        manifest, read, NAMES, 16, None, epochs, augmentation=mixing, sample_weight=weights, labels="several"
    )
    mixed, weight = (np.concatenate(parts) for parts in zip(*(b[1:] for b in batches), strict=True))
    own = manifest.to_numpy()[weight.astype(int)]
    assert sorted(weight) == list(range(40))
    assert np.isnan(own).sum() < np.isnan(mixed).sum() < mixed.size
    assert np.isnan(mixed[np.isnan(own)]).all()
    assert ((mixed == own) | np.isnan(own)).all(axis=1).any()


def test_a_classifier_of_several_labels_has_sigmoids_and_survives_its_file(tmp_path, rng):
    model = small_classifier(thresholds=[0.1, 0.5, 0.25])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert (again.labels, again.thresholds) == ("several", (0.1, 0.5, 0.25))
    signals = rng.standard_normal((4, 600)).astype(np.float32)
    expected = 1 / (1 + np.exp(-model(signals).numpy()))
    np.testing.assert_allclose(again.probabilities(signals), expected, rtol=1e-5)
    warmer = again.with_backbone(at_temperature(again.backbone, 2.0))
    assert (warmer.labels, warmer.thresholds) == (again.labels, again.thresholds)
    odds = expected / (1 - expected)
    np.testing.assert_allclose(warmer.probabilities(signals), odds**0.5 / (1 + odds**0.5), rtol=1e-4)


def test_a_model_that_does_not_say_it_has_one_label():
    config = small_classifier().get_config()
    old = Classifier.from_config(
        {name: config[name] for name in config if name not in ("labels", "thresholds")}
    )
    assert (old.labels, old.thresholds) == ("one", None)


@pytest.mark.parametrize("thresholds", [[0.5], [0.5, 0.5, 1.5], [0.5, 0.5, np.nan]])
def test_thresholds_are_one_number_a_class(thresholds):
    with pytest.raises(ValueError, match="`thresholds` must be one number in 0…1 a class"):
        small_classifier(thresholds=thresholds)


def test_an_ensemble_of_several_labels_has_the_mean_of_the_sigmoids(rng):
    members = [conv2d((27, 40, 1), 3) for _ in range(3)]
    features = 30 * rng.standard_normal((5, 27, 40, 1)).astype(np.float32)
    joined = ensemble(members, "several")
    expected = np.mean([1 / (1 + np.exp(-member(features).numpy().astype(float))) for member in members], 0)
    received = joined(features).numpy().astype(float)
    np.testing.assert_allclose(1 / (1 + np.exp(-received)), expected, rtol=1e-4)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(joined))
    assert again.get_layer("logits").labels == "several"
