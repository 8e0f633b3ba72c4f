"""The contract of all augmentations."""

import functools
import json
from functools import partial

import keras
import numpy as np
import pytest
import scipy.stats
import soundfile
import tensorflow as tf
from agreement import assert_same
from families import others_slow
from forked import run_code

import tfspec.augment
from tfspec.augment import (
    Augmentation,
    BackgroundNoise,
    BandPass,
    Clipping,
    ColoredNoise,
    Compose,
    FrequencyMask,
    FrequencyResponse,
    Gain,
    GainDrift,
    GaussianNoise,
    ImpulseResponse,
    MixUp,
    OneOf,
    PacketLoss,
    PinkNoise,
    PitchShift,
    Polarity,
    RandomCrop,
    RandomLayer,
    Rendering,
    Reverberation,
    Rotation,
    Shelf,
    TimeMask,
    TimeShift,
    TimeStretch,
    VolumeControl,
    Warp,
)

RATE = 8000
WAVEFORM = {
    "white noise": GaussianNoise,
    "pink noise": partial(PinkNoise, 0.0, 10.0, "rms", probability=0.7),
    "blue noise": partial(ColoredNoise, -1.0),
    "recordings": partial(BackgroundNoise, "recordings", RATE),
    "pitch": partial(PitchShift, 1, 12, probability=0.7),
    "stretch": partial(TimeStretch, 0.5, 0.9, 256),
    "shift": partial(TimeShift, 0.1, RATE, wrap=False),
    "gain": Gain,
    "volume": VolumeControl,
    "band": partial(BandPass, RATE),
    "shelf": partial(Shelf, RATE),
    "room": partial(Reverberation, RATE, 0.05, 0.2),
    "measured room": partial(ImpulseResponse, "recordings", RATE, 0.05),
    "drift": GainDrift,
    "clipping": Clipping,
    "packets": partial(PacketLoss, 20, 0.3, 0.6, "repeat"),
    "all": lambda **options: Compose(
        [GaussianNoise(), TimeShift(0.1, RATE, probability=0.5), VolumeControl()], **options
    ),
    "one of three": lambda **options: OneOf(
        [Compose([PinkNoise()]), BackgroundNoise("recordings", RATE), Gain()],
        [2, 1, 1],
        **options,
    ),
}
SPECTROGRAM = {
    "time masks": partial(TimeMask, 5, 2),
    "frequency masks": partial(FrequencyMask, 6, 3, "mean", probability=0.8),
    "crop": partial(RandomCrop, 4, fill=-3.0),
    "response": partial(FrequencyResponse, 1.0),
    "rendering": partial(Rendering, fold=0.3),
    "warp": partial(Warp, fill="mean", probability=0.8),
    "mask or crop": lambda **options: OneOf([RandomCrop(2), TimeMask(9)], **options),
}
VECTOR = {
    "rotation": partial(Rotation, 20.0, probability=0.8),
    "rotation and shift": lambda **options: Compose([Rotation(), TimeShift(0.1, RATE)], **options),
}
LAYERS = WAVEFORM | SPECTROGRAM | VECTOR
SHAPES = ((WAVEFORM, (1200,)), (SPECTROGRAM, (20, 14, 2)), (VECTOR, (300, 3)))
LONG_TO_TRACE = {"one of three", "mask or crop", "rendering"}
KINDS = ("pitch", "volume", "frequency masks")
all_layers = pytest.mark.parametrize("name", others_slow(LAYERS, *LAYERS.keys() - LONG_TO_TRACE))
each_kind = pytest.mark.parametrize("name", others_slow(LAYERS, *KINDS))  # where graphs are traced
SEED = tf.constant([3, 14])


def inputs(name: str, batch: int = 6) -> np.ndarray:
    """Return signals, features, or signals of vectors."""
    shape = next(shape for kind, shape in SHAPES if name in kind)
    return np.random.default_rng(0).uniform(0.1, 1, (batch, *shape)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("augment")
    (folder / "recordings").mkdir()
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (15, 5000))
    for i, length in enumerate((500, 2000, 5000) * 5):
        soundfile.write(folder / "recordings" / f"{i}.wav", noise[i, :length], RATE)
    return folder


@pytest.fixture(autouse=True)
def recordings(folder, monkeypatch):
    """Work in a folder with recordings."""
    monkeypatch.chdir(folder)


def in_graph(layer, **options):
    return tf.function(lambda x, seed: layer(x, seed=seed), autograph=False, **options)


@functools.cache
def graph_of(name: str):
    """Trace a layer once, for batches of all sizes."""
    signature = [tf.TensorSpec([None, *inputs(name).shape[1:]]), tf.TensorSpec([2], tf.int64)]
    return in_graph(LAYERS[name](), input_signature=signature)


def changed_examples(before, after) -> np.ndarray:
    return (np.asarray(before) != np.asarray(after)).reshape(len(before), -1).any(1)


def test_every_public_layer_is_held_to_the_contract():
    public = {getattr(tfspec.augment, name) for name in tfspec.augment.__all__}
    assert public - {Augmentation, RandomLayer, MixUp, Polarity} == {type(make()) for make in LAYERS.values()}


@each_kind
def test_the_same_seed_gives_the_same_and_another_another(name):
    layer, x = LAYERS[name](), inputs(name)
    first = layer(x, seed=SEED)
    np.testing.assert_array_equal(layer(x, seed=SEED), first)
    np.testing.assert_array_equal(LAYERS[name](seed=7)(x, seed=SEED), first)
    assert changed_examples(first, layer(x, seed=[3, 15])).mean() > 0.5
    assert changed_examples(first, layer(x, seed=[4, 14])).mean() > 0.5


@each_kind
def test_called_without_a_seed_it_changes_the_signal_otherwise_every_time(name):
    layer, x = LAYERS[name](), inputs(name, 20)
    first, second = layer(x), layer(x)
    assert changed_examples(x, first).mean() > 0.4
    assert changed_examples(first, second).mean() > 0.4
    assert changed_examples(first[:9], LAYERS[name]()(x[:9])).any()
    seeded = [LAYERS[name](seed=5) for _ in range(2)]
    for _ in range(2):
        np.testing.assert_array_equal(*[layer(x[:3]) for layer in seeded])


@each_kind
def test_examples_are_changed_each_in_its_own_way(name):
    x = np.repeat(inputs(name, 1), 30, axis=0)
    received = graph_of(name)(x, tf.cast(SEED, tf.int64)).numpy().reshape(30, -1)
    assert len(np.unique(received, axis=0)) > 8


@each_kind
def test_without_training_it_is_exactly_the_identity(name):
    layer, x = LAYERS[name](), inputs(name)
    np.testing.assert_array_equal(layer(x, training=False), x)
    np.testing.assert_array_equal(tf.function(layer)(x, training=False), x)
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    np.testing.assert_array_equal(model(x, training=False), x)
    assert changed_examples(x, model(x, training=True)).any()


@each_kind
def test_probability_is_how_many_are_changed(name):
    x = inputs(name, 200)[:, :100]
    np.testing.assert_array_equal(LAYERS[name](probability=0)(x[:9], seed=SEED), x[:9])
    layer = LAYERS[name](probability=0.3)
    applied = layer.sample(len(x), SEED)["applied"].numpy()
    assert scipy.stats.binomtest(int(applied.sum()), len(x), 0.3).pvalue > 0.01
    changed = changed_examples(x, in_graph(layer)(x, SEED))
    assert not changed[~applied].any()
    assert changed[applied].mean() > 0.4


@each_kind
def test_eager_graph_xla_and_dataset_agree(name):
    layer, x = LAYERS[name](), inputs(name)
    eager = layer(x, seed=SEED)
    assert eager.dtype == tf.float32
    assert eager.shape == x.shape

    augment = in_graph(layer)
    rounding = 1e-5 if layer.supports_jit else 1e-3  # phases of noise multiply it
    assert_same(augment(x, SEED), eager, rounding)
    if layer.supports_jit:
        assert_same(in_graph(layer, jit_compile=True)(x, SEED), eager)
    data = tf.data.Dataset.from_tensors((x, SEED)).map(augment)
    assert data.element_spec.shape == x.shape
    assert_same(data.get_single_element(), eager, rounding)


@each_kind
def test_in_a_dataset_with_seeds_every_run_is_the_same_and_every_epoch_new(name):
    augment, x = graph_of(name), inputs(name)

    def run():
        signals = tf.data.Dataset.from_tensor_slices(x).batch(3)
        seeds = tf.data.Dataset.random(seed=8, rerandomize_each_iteration=True).batch(2)
        data = tf.data.Dataset.zip(signals, seeds).map(augment, num_parallel_calls=2)
        assert data.element_spec.shape.as_list() == [None, *x.shape[1:]]
        return [np.concatenate(list(data.as_numpy_iterator())) for _ in range(2)]

    first, again = run(), run()
    np.testing.assert_array_equal(first, again)
    assert changed_examples(*first).mean() > 0.3


@all_layers
def test_the_same_parameters_give_the_same_to_each_example_by_itself(name):
    layer, x = LAYERS[name](), inputs(name)
    params = layer.sample(len(x), SEED)
    together = layer.apply(tf.constant(x), params)
    np.testing.assert_array_equal(layer(x, seed=SEED), together)
    for i in (0, 4):
        own = tf.nest.map_structure(lambda drawn, i=i: drawn[i : i + 1], params)
        assert_same(layer.apply(tf.constant(x[i : i + 1]), own), together[i : i + 1])


@all_layers
def test_a_sample_that_is_no_number_stays_with_its_example(name):
    layer, x = LAYERS[name](), inputs(name)
    expected = layer(x, seed=SEED).numpy()
    x[2, x.shape[1] // 2] = np.nan
    received = np.delete(layer(x, seed=SEED).numpy(), 2, axis=0)
    np.testing.assert_array_equal(received, np.delete(expected, 2, axis=0))


@all_layers
def test_silence_gives_no_nan(name):
    x = tf.zeros(inputs(name).shape)
    received = LAYERS[name]()(x, seed=SEED).numpy()
    assert np.isfinite(received).all()
    if name not in SPECTROGRAM:
        np.testing.assert_array_equal(received, 0)


@each_kind
def test_batch_and_length_may_be_unknown(name):
    layer, x = LAYERS[name](), inputs(name)
    unknown = tf.TensorSpec([None, None, *x.shape[2:]])

    @tf.function(input_signature=[unknown, tf.TensorSpec([2], tf.int32)])
    def graph(x, seed):
        return layer(x, seed=seed)

    for part in (x, x[:1, : 2 * x.shape[1] // 3]):
        assert_same(graph(part, SEED), layer(part, seed=SEED))
    model = keras.Sequential([keras.Input((None, *x.shape[2:])), layer])
    assert model.output_shape == (None, None, *x.shape[2:])
    assert model(x, training=True).shape == x.shape


@each_kind
def test_an_empty_batch_stays_empty(name):
    """As a replica gets it when the last batch is smaller than there are replicas."""
    layer, x = LAYERS[name](), inputs(name)[:0]
    assert layer(x, seed=SEED).shape == x.shape
    for shape in ([None, *x.shape[1:]], [None, None, *x.shape[2:]]):
        graph = tf.function(layer, input_signature=[tf.TensorSpec(shape)], autograph=False)
        assert graph(x).shape == x.shape


@pytest.mark.parametrize("name", others_slow(WAVEFORM, "recordings", "volume"))
def test_signals_with_channels_of_unknown_length(name):
    layer = LAYERS[name]()
    x = np.random.default_rng(2).uniform(-1, 1, (4, 1000, 2)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 2]), tf.TensorSpec([2], tf.int32)])
    def graph(x, seed):
        return layer(x, seed=seed)

    received = layer(x, seed=SEED)
    assert received.shape == x.shape
    assert changed_examples(x, received).any()
    assert_same(graph(x, SEED), received)


@each_kind
def test_mixed_precision_changes_nothing(name):
    x = inputs(name)
    expected = LAYERS[name]()(x, seed=SEED)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer, signal = LAYERS[name](), keras.Input(x.shape[1:])
        model = keras.Model(signal, layer(signal))
    finally:
        keras.config.set_dtype_policy(before)
    assert model.output.dtype == "float32"
    received = layer(x, seed=SEED)
    assert received.dtype == tf.float32
    np.testing.assert_array_equal(received, expected)
    np.testing.assert_array_equal(model(x, training=False), x)


@each_kind
@pytest.mark.parametrize("dtype", ["int16", "float16"])
def test_numbers_of_any_type_are_taken_as_float32(dtype, name):
    x = (1000 * inputs(name)).astype(dtype)
    layer = LAYERS[name]()
    expected = layer(x.astype(np.float32), seed=SEED)
    np.testing.assert_array_equal(layer(x, seed=SEED), expected)
    untouched = layer(x, training=False)
    assert untouched.dtype == tf.float32
    np.testing.assert_array_equal(untouched, x)


@all_layers
def test_config_round_trip(name):
    layer = LAYERS[name](seed=4)
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    x = inputs(name)
    np.testing.assert_array_equal(again(x, seed=SEED), layer(x, seed=SEED))
    np.testing.assert_array_equal(again(x), LAYERS[name](seed=4)(x))


LOAD_AND_CALL = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
folder = sys.argv[1]
x = [np.load(f"{folder}/inputs.npz")[name] for name in ("signal", "features", "vectors")]
exported = tf.saved_model.load(f"{folder}/exported")
outputs = exported.serve(x)
assert "tfspec" not in sys.modules
import tfspec
from keras.saving import load_model
model = load_model(f"{folder}/model.keras")
predicted = model.predict(x, verbose=0)
Path(folder, "moved").rename(Path(folder, "recordings"))
for name in outputs:
    own = next(part for part in x if part.shape == outputs[name].shape)
    np.testing.assert_array_equal(outputs[name], own)
    np.testing.assert_array_equal(predicted[name], own)
    outputs[name] = model.get_layer(f"layer_{name}")(own, seed=[3, 14])
np.savez(f"{folder}/outputs.npz", **outputs)
"""


@pytest.mark.slow
def test_saved_models_load_in_a_new_process_and_predict_without_augmentation(folder):
    """The SavedModel where tfspec is not imported, the Keras model where nothing else is.

    Recordings are not needed before the layers are called to augment.
    """
    x = {"signal": inputs("gain"), "features": inputs("crop"), "vectors": inputs("rotation")}
    received = [keras.Input(part.shape[1:]) for part in x.values()]
    numbers = {f"{i}": name for i, name in enumerate(LAYERS)}
    layers = {i: LAYERS[name](name=f"layer_{i}") for i, name in numbers.items()}
    kinds = [kind for kind, _ in SHAPES]
    outputs = {
        i: layer(next(x for x, kind in zip(received, kinds, strict=True) if numbers[i] in kind))
        for i, layer in layers.items()
    }
    model = keras.Model(received, outputs)
    model.save(folder / "model.keras")
    model.export(folder / "exported", verbose=False)
    np.savez(folder / "inputs.npz", **x)
    (folder / "recordings").rename(folder / "moved")
    run_code(LOAD_AND_CALL, folder)
    received = np.load(folder / "outputs.npz")
    for i, name in numbers.items():
        expected = layers[i](inputs(name), seed=SEED)
        assert_same(received[i], expected, 1e-3 if name in ("pitch", "stretch") else 1e-5)


TWO_REPLICAS = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import numpy as np
from tfspec.augment import Compose, GaussianNoise, TimeShift

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
x = tf.ones([3, 100]) * tf.linspace(0.1, 1.0, 100)
for seed in (None, tf.constant([1, 2])):
    with strategy.scope():
        layer = Compose([GaussianNoise(), TimeShift(0.5, 100)], seed=3)

    @tf.function
    def step():
        return strategy.run(lambda: layer(x, seed=seed))

    first, second = step(), step()
    of_replicas = strategy.experimental_local_results(first)
    assert not np.isclose(*of_replicas).all(1).any()
    again = strategy.experimental_local_results(second)
    assert np.array_equal(of_replicas, again) == (seed is not None)
    np.testing.assert_array_equal(layer(x, seed=[1, 2]), layer(x, seed=[1, 2]))
"""


def test_every_replica_draws_its_own():
    run_code(TWO_REPLICAS)


def test_fit_augments_and_nothing_else_a_model_does(tmp_path):
    seen = keras.Sequential([keras.Input((50,)), Gain(6.0, 6.0), keras.layers.Dense(1, use_bias=False)])
    seen.layers[-1].set_weights([np.full((50, 1), 1 / 50)])
    seen.compile(keras.optimizers.SGD(0.0), "mae")
    x, y = np.ones((4, 50), np.float32), np.zeros((4, 1), np.float32)
    assert seen.fit(x, y, verbose=0).history["loss"][0] == pytest.approx(10 ** (6 / 20), rel=1e-5)
    assert seen.evaluate(x, y, verbose=0) == pytest.approx(1, rel=1e-5)
    seen.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for inferred in (seen(x), seen.predict(x, verbose=0), exported.serve(x)):
        np.testing.assert_allclose(inferred, 1, rtol=1e-5)
    np.testing.assert_allclose(seen(x, training=True), 10 ** (6 / 20), rtol=1e-5)


def test_layers_that_follow_an_augmentation_are_not_made_to_train():
    model = keras.Sequential([keras.Input((50,)), Gain(), keras.layers.Dropout(0.9)])
    x = inputs("gain")[:, :50]
    np.testing.assert_array_equal(model(x), x)


# ---------------------------------------------------------------- Compose and OneOf


def test_compose_applies_in_order():
    layer = Compose([TimeMask(5, fill=1.0), RandomCrop(1, fill=7.0)])
    x = inputs("crop")
    params = layer.sample(len(x), SEED)
    expected = tf.constant(x)
    for i, inner in enumerate(layer.layers):
        expected = inner.apply(expected, params[str(i)])
    np.testing.assert_array_equal(layer(x, seed=SEED), expected)


@pytest.mark.parametrize("several", [Compose, OneOf])
def test_layers_on_signals_and_on_features_do_not_go_together(several):
    with pytest.raises(ValueError, match=r"all take signals, or all features\. Received: Gain, TimeMask"):
        several([Gain(), TimeMask(5)])
    with pytest.raises(ValueError, match="expected axis 2 of input shape to have value 3"):
        several([Gain(), Rotation()])(np.ones((2, 100, 4), np.float32))


def test_layers_of_one_kind_draw_apart():
    params = Compose([Gain(), Gain(), OneOf([Gain(), Gain()])]).sample(1000, SEED)
    gains = [params["0"], params["1"], params["2"]["0"], params["2"]["1"]]
    correlations = np.corrcoef([drawn["gain_db"] for drawn in gains])
    assert abs(correlations - np.eye(4)).max() < 0.1


@pytest.mark.parametrize("weights", others_slow([None, [1, 2, 5], [0, 1, 0], [3, 0, 1e-3]], [1, 2, 5]))
def test_one_of_chooses_by_weight(weights):
    layer = OneOf([Gain(-6.0, -6.0), Gain(0.0, 0.0), Gain(6.0, 6.0)], weights)
    chosen = layer.sample(10_000, SEED)["choice"].numpy()
    expected = 10_000 * np.array(weights or [1, 1, 1]) / np.sum(weights or [1, 1, 1])
    counted = np.bincount(chosen, minlength=3)
    possible = expected > 0
    assert (counted[~possible] == 0).all()
    if possible.sum() > 1:
        assert scipy.stats.chisquare(counted[possible], expected[possible]).pvalue > 0.01
    received = in_graph(layer)(tf.ones([200, 3]), SEED)[:, 0]
    own = layer.sample(200, SEED)["choice"]
    np.testing.assert_allclose(20 * np.log10(received), 6.0 * (own.numpy() - 1), atol=1e-4)


@pytest.mark.parametrize("layers", [[], [tf.abs], [Gain(), keras.layers.ReLU()]])
def test_one_of_what_is_no_augmentation_is_refused(layers):
    with pytest.raises(ValueError, match="`layers`"):
        OneOf(layers)


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], [-1, 2], [0, 0], [float("nan"), 1], [float("inf"), 1]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match=r"`weights` one number a layer.*Received: 2 layers, weights=\["):
        OneOf([Gain(), Gain()], weights)


# ---------------------------------------------------------------- draws


some_batches = pytest.mark.parametrize("batches", others_slow([1, 100, 1000], 1, 100))


def drawn(layer, name: str, batches: int = 1) -> np.ndarray:
    """Draw 10,000 times, in one batch or in several with seeds that follow one another."""
    sample = tf.function(layer.sample, autograph=False)
    return np.concatenate(
        [sample(tf.constant(10_000 // batches), tf.constant([i, 0]))[name] for i in range(batches)]
    )


@some_batches
@pytest.mark.parametrize(
    "layer, name, lowest, highest",
    [
        (GaussianNoise(5.0, 20.0), "snr_db", 5, 20),
        (partial(BackgroundNoise, "recordings", RATE, -3.0, 7.5), "snr_db", -3, 7.5),
        (Gain(-10.0, 10.0), "gain_db", -10, 10),
        (TimeStretch(0.9, 1.3), "rate", 0.9, 1.3),
        (VolumeControl(-10.0, 2.0), "gain_db", -10, 2),
        (TimeMask(3), "place", 0, 1),
        (MixUp(), "weight", 0.05, 0.25),
    ],
)
def test_draws_are_uniform(layer, name, lowest, highest, batches):
    layer = layer if isinstance(layer, RandomLayer) else layer()
    values = drawn(layer, name, batches).ravel()
    uniform = scipy.stats.uniform(lowest, highest - lowest)
    assert scipy.stats.kstest(values, uniform.cdf).pvalue > 0.005
    assert values.min() >= lowest
    assert values.max() <= highest


@some_batches
@pytest.mark.parametrize(
    "layer, name, lowest, highest",
    [
        (PitchShift(), "semitones", -5, 4),
        (PitchShift(2, 3), "semitones", 2, 3),
        (TimeShift(0.005, 1000), "shift", -5, 5),
        (VolumeControl(), "curve", 0, 3),
        (TimeMask(15, 4), "width", 0, 15),
        (RandomCrop(32), "frame_offset", 0, 63),
        (RandomCrop(32), "bin_offset", 0, 63),
    ],
)
def test_whole_numbers_are_drawn_alike_both_ends_included(layer, name, lowest, highest, batches):
    values = drawn(layer, name, batches).ravel()
    assert (values.min(), values.max()) == (lowest, highest)
    assert scipy.stats.chisquare(np.bincount(values - lowest)).pvalue > 0.005


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "make, options",
    [
        (Gain, {"probability": 1.5}),
        (Gain, {"probability": float("nan")}),
        (Gain, {"probability": None}),
        (Gain, {"min_gain_db": 11}),
        (Gain, {"max_gain_db": "6"}),
        (VolumeControl, {"max_gain_db": float("inf")}),
        (VolumeControl, {"curves": "fade"}),
        (VolumeControl, {"curves": []}),
        (VolumeControl, {"curves": ["fade", "tangent"]}),
        (GaussianNoise, {"min_snr_db": 30}),
        (GaussianNoise, {"max_snr_db": float("nan")}),
        (GaussianNoise, {"measure": "power"}),
        (ColoredNoise, {"exponent": 5}),
        (partial(BackgroundNoise, "."), {"sample_rate": 0}),
        (partial(BackgroundNoise, ".", 8000), {"max_seconds": 0}),
        (partial(ImpulseResponse, "."), {"sample_rate": 8000.5}),
        (partial(ImpulseResponse, ".", 8000), {"max_seconds": 0}),
        (partial(ImpulseResponse, ".", 8000), {"max_responses": 0}),
        (partial(TimeShift, sample_rate=8000), {"max_shift_seconds": -1}),
        (partial(TimeShift, 1.0), {"sample_rate": float("inf")}),
        (Rotation, {"max_degrees": 181}),
        (Rotation, {"max_degrees": float("nan")}),
        (PitchShift, {"min_semitones": 0.5}),
        (PitchShift, {"min_semitones": 5}),
        (PitchShift, {"max_semitones": 13}),
        (PitchShift, {"frame_length": 31}),
        (TimeStretch, {"min_rate": 0.4}),
        (TimeStretch, {"max_rate": 0.7}),
        (TimeStretch, {"frame_length": 31}),
        (TimeMask, {"max_width": 1.5}),
        (TimeMask, {"max_width": -1}),
        (partial(FrequencyMask, 3), {"num_masks": 0}),
        (partial(FrequencyMask, 3), {"fill": "median"}),
        (RandomCrop, {"padding": 0}),
        (RandomCrop, {"fill": float("inf")}),
        (MixUp, {"min_weight": -0.1}),
        (MixUp, {"min_weight": 0.3}),
        (MixUp, {"max_weight": 1.1}),
        (MixUp, {"alpha": 0}),
    ],
)
def test_wrong_argument_is_named_and_shown(make, options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError) as error:
        make(**options)
    message, received = str(error.value).split("Received: ")
    assert f"`{name}`" in message
    assert f"{name}={value!r}" in received


@pytest.mark.parametrize("name, shape", [("gain", (100,)), ("all", (100,)), ("crop", (20, 14, 2))])
def test_an_unbatched_example_is_refused(name, shape):
    with pytest.raises(ValueError, match=f"found ndim={len(shape)}"):
        LAYERS[name]()(np.ones(shape, np.float32))


@pytest.mark.parametrize("seed", [3, [1, 2, 3]])
def test_a_seed_that_is_not_two_numbers_is_refused(seed):
    with pytest.raises(ValueError, match=r"`seed` must be two integers"):
        Gain()(np.ones((2, 3)), seed=seed)
