import contextlib
import functools
import json
from functools import partial

import keras
import librosa
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf
from agreement import assert_same, assert_same_spectrum
from ai_edge_litert.interpreter import Interpreter
from families import others_slow
from forked import run_code

import tfspec.frontends
from tfspec.frontends import (
    MFCC,
    PCEN,
    Decibel,
    Deltas,
    Equalize,
    FrameMean,
    FrequencyRamp,
    FrontEnd,
    Log,
    MelSpectrogram,
    MinMax,
    MultiResolutionMel,
    Resize,
    Spectrogram,
    Standardize,
    VectorNorm,
)

FRONT_ENDS = {
    "stft": partial(Spectrogram, 256, 64),
    "power, DFT matrix": partial(Spectrogram, 200, 80, 240, power=2),
    "stft, librosa's": partial(Spectrogram, 200, 80, 256, center=True, window_place="center"),
    "hamming, odd, reflected": partial(
        Spectrogram, 101, 37, 127, window="hamming", center=True, pad_mode="reflect"
    ),
    "blackman, mirrored": partial(Spectrogram, 128, 50, window="blackman", center=True, pad_mode="symmetric"),
    "kaiser, edges": partial(
        Spectrogram, 120, 48, 128, ("kaiser", 6.0), center=True, pad_mode="edge", power=1.5
    ),
    "padded at the end": partial(Spectrogram, 300, 128, 512, pad_end=True, pad=40),
    "mel": partial(MelSpectrogram, 16000, 20, frame_length=256, frame_step=100),
    "mel, torchaudio's": partial(MelSpectrogram.preset, "torchaudio", num_mel_bins=23),
    "mel, tf's": partial(
        MelSpectrogram.preset, "tf", frame_length=401, fft_length=512, frame_step=100, num_mel_bins=20
    ),
    "multi-resolution mel": partial(MultiResolutionMel, 16000, 20, window_lengths=(100, 201, 300)),
    "frame mean": partial(FrameMean, 200, 80, center=True),
    "frame mean, from the start": partial(FrameMean, 256, 64),
    "mfcc": partial(MFCC, 13, 16000, 20, frame_length=256, frame_step=100),
    "mfcc, not centred": partial(
        MFCC, 9, 16000, 12, 60.0, 7600.0, None, frame_length=200, frame_step=80, fft_length=240, center=False
    ),
}
SCALINGS = {
    "decibel": Decibel,
    "decibel below the peak": partial(Decibel, 1e-5, 60.0, "max", power=1),
    "log": partial(Log, offset=1e-6),
    "pcen": partial(PCEN, 16000, 160),
    "pcen, learnable": partial(PCEN, 16000, 160, learnable=True),
    "deltas": partial(Deltas, 2, 3),
    "deltas, nearest": partial(Deltas, 1, 9, "nearest"),
    "min-max": partial(MinMax, -1.0, 1.0, axis=(1, 2)),
    "resize": partial(Resize, 5, 20),
    "resize, nearest two": partial(Resize, 3, 7, antialias=False),
    "decibel, absolute": partial(Decibel, 1e-4, None),
    "standardize": Standardize,
    "standardize, each bin": partial(Standardize, axis=(1,), epsilon=1e-3),
    "mean alone": partial(Standardize, axis=(1,), deviation=2.5),
    "equalize": Equalize,
    "ramp": partial(FrequencyRamp, -0.5, 2.0),
    "norm": VectorNorm,
    "norm beside the axes": partial(VectorNorm, keep_axes=True),
}
LAYERS = FRONT_ENDS | SCALINGS
TRANSFORM = (
    *("frame_length", "frame_step", "fft_length", "window", "periodic"),
    *("center", "pad_mode", "pad_end", "pad", "window_place"),
)
KINDS = ("hamming, odd, reflected", "mfcc, not centred")
KINDS_OF_SCALING = ("decibel below the peak", "pcen", "deltas", "resize", "norm beside the axes")
all_front_ends = pytest.mark.parametrize("name", FRONT_ENDS)
all_layers = pytest.mark.parametrize("name", LAYERS)
# Where graphs are traced or files written
each_kind_of_front_end = pytest.mark.parametrize("name", others_slow(FRONT_ENDS, *KINDS))
each_kind = pytest.mark.parametrize("name", others_slow(LAYERS, *KINDS, *KINDS_OF_SCALING))


def inputs(name: str, seed: int = 0) -> np.ndarray:
    """Return three signals for a front end, three pictures for a scaling."""
    noise = np.random.default_rng(seed).standard_normal((3, 1600) if name in FRONT_ENDS else (3, 7, 12, 2))
    return (0.1 * noise if name in FRONT_ENDS else noise**2).astype(np.float32)


@functools.cache
def example(name: str):
    """Return a layer, its input and what the layer makes of that."""
    layer, x = LAYERS[name](), inputs(name)
    return layer, x, layer(x)


def shortest_signal(layer) -> int:
    for samples in range(1, 1000):
        with contextlib.suppress(ValueError):
            layer.compute_output_shape((1, samples))
            return samples
    raise AssertionError


@contextlib.contextmanager
def precision(policy: str):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def test_every_public_layer_is_held_to_the_contract():
    named = {getattr(tfspec.frontends, name) for name in tfspec.frontends.__all__}
    public = {each for each in named if isinstance(each, type)}  # what is no layer: test_feature_axes.py
    others = {tfspec.frontends.FrontEnd, tfspec.frontends.Embedding}  # the latter: test_embedding.py
    assert public - others == {type(make()) for make in LAYERS.values()}


@each_kind_of_front_end
def test_frame_times_tell_where_a_click_is(name):
    layer, _, _ = example(name)
    for at in (600, 777, 930):
        click = np.zeros((1, 1600), np.float32)
        click[0, at] = 1
        if name != "multi-resolution mel":
            power = Spectrogram(**{key: layer.get_config()[key] for key in TRANSFORM}, power=2)(click)
        else:
            power = layer(click)[..., -1:]
        loudest = np.argmax(np.sum(power, axis=(0, 2, 3)))
        times = layer.frame_times(power.shape[1], sample_rate=8000)
        assert times.shape == (power.shape[1],)
        assert abs(times[loudest] - at / 8000) <= (layer.frame_step / 2 + 1) / 8000


# ---------------------------------------------------------------- the contract of all layers


@all_layers
def test_config_round_trip(name):
    layer, _, features = example(name)
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    np.testing.assert_array_equal(again(inputs(name)), features)


def test_numpy_integers_are_integers_in_the_config():
    config = Spectrogram(*np.array([64, 16, 80])).get_config()
    assert json.loads(json.dumps(config))["fft_length"] == 80


LOAD_AND_CALL = """
import sys
import numpy as np
import tensorflow as tf
folder = sys.argv[1]
inputs = np.load(f"{folder}/inputs.npz")
both = [tf.constant(part) for part in np.load(f"{folder}/both.npz").values()]
models = {kind: tf.saved_model.load(f"{folder}/{kind}") for kind in ("exported", "traced")}  # with weights
exported, traced = models["exported"].serve(both), models["traced"].features(*both)
assert "tfspec" not in sys.modules
import tfspec
from keras.saving import load_model
loaded = {name: load_model(f"{folder}/{i}.keras")(x) for i, (name, x) in enumerate(inputs.items())}
for kind, features in (("exported", exported), ("traced", traced), ("loaded", loaded)):
    np.savez(f"{folder}/{kind}.npz", **{name: features[name] for name in inputs})
"""


@pytest.fixture(scope="module", params=others_slow(["one of a kind", "the others"], "one of a kind"), ids=str)
def from_new_process(request, tmp_path_factory):
    """Return by name what layers give in a new process: `loaded`, `exported` and `traced`."""
    kinds = {name for name in LAYERS if name in KINDS + KINDS_OF_SCALING}
    names = sorted(kinds if request.param == "one of a kind" else LAYERS.keys() - kinds)
    folder = tmp_path_factory.mktemp("saved")
    np.savez(folder / "inputs.npz", **{name: inputs(name) for name in names})
    for i, name in enumerate(names):
        keras.Sequential([keras.Input(inputs(name).shape[1:]), LAYERS[name]()]).save(folder / f"{i}.keras")
    np.savez(folder / "both.npz", signal=inputs("stft"), picture=inputs("decibel"))
    shapes = [inputs(name).shape[1:] for name in ("stft", "decibel")]

    def features(signal, picture):
        return {name: example(name)[0](signal if name in FRONT_ENDS else picture) for name in names}

    both = [keras.Input(shape) for shape in shapes]
    keras.Model(both, features(*both)).export(folder / "exported", verbose=False)
    module = tf.Module()
    module.layers = [example(name)[0] for name in names]  # of which one has weights
    module.features = tf.function(features, [tf.TensorSpec([None, *shape]) for shape in shapes])
    tf.saved_model.save(module, str(folder / "traced"))
    run_code(LOAD_AND_CALL, folder)
    return {kind: dict(np.load(folder / f"{kind}.npz")) for kind in ("loaded", "exported", "traced")}


def test_keras_model_loads_in_a_process_that_imports_tfspec_alone(from_new_process):
    for name, received in from_new_process["loaded"].items():
        assert_same(received, example(name)[2])


@pytest.mark.parametrize("kind", ["exported", "traced"])
def test_saved_model_gives_the_same_in_a_process_without_tfspec(kind, from_new_process):
    for name, received in from_new_process[kind].items():
        assert_same(received, example(name)[2])


@each_kind
def test_eager_graph_xla_dataset_and_model_agree(name):
    layer, x, eager = example(name)
    assert eager.dtype == tf.float32
    assert len(eager.shape) == 4
    assert_same(tf.function(layer)(x), eager)
    assert_same(tf.function(layer, jit_compile=True)(x), eager)
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(2).map(layer)
    assert dataset.element_spec.shape.as_list() == [None, *eager.shape[1:]]
    assert_same(np.concatenate(list(dataset.as_numpy_iterator())), eager)
    signal = keras.Input(x.shape[1:])
    model = keras.Model(signal, layer(signal))
    assert model.output_shape == (None, *eager.shape[1:])
    assert_same(model(x), eager)


@pytest.mark.slow
@each_kind_of_front_end
def test_blocks_make_no_difference(name, monkeypatch):
    layer, x, whole = example(name)
    whole_signals = 2 * int(whole.shape[1]) + 1
    for frames in (7, whole_signals):
        monkeypatch.setattr(FrontEnd, "BLOCK_SAMPLES", frames * layer.fft_length)
        assert_same(LAYERS[name]()(x), whole)
    monkeypatch.setattr(FrontEnd, "BLOCK_SAMPLES", 5 * layer.fft_length)
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(2).map(layer)
    assert_same(np.concatenate(list(dataset.as_numpy_iterator())), whole)
    xla = tf.function(layer, jit_compile=True)
    assert_same(xla(x), whole)
    assert any("While" in operation.type for operation in xla.get_concrete_function(x).graph.get_operations())


@each_kind
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_mixed_precision_changes_nothing(half, name):
    _, x, expected = example(name)
    with precision(f"mixed_{half}"):
        signal = keras.Input(x.shape[1:])
        layer = LAYERS[name]()
        model = keras.Model(signal, layer(signal))
        assert keras.layers.Dense(1).compute_dtype == half
        assert model.output.dtype == "float32"
        for received in (layer(x), model(x)):
            assert received.dtype == tf.float32
            assert_same(received, expected)


@each_kind
@pytest.mark.parametrize("dtype", ["int16", "float64", "float16"])
def test_numbers_of_any_type_are_taken_as_float32(dtype, name):
    layer, x, _ = example(name)
    x = (1000 * x).astype(dtype)
    expected = layer(x.astype(np.float32))
    for received in (layer(x), next(iter(tf.data.Dataset.from_tensors(x).map(layer)))):
        assert received.dtype == tf.float32
        assert_same(received, expected)


@each_kind
def test_batch_and_length_may_be_unknown(name):
    layer, x, features = example(name)
    unknown = keras.Input((None, *x.shape[2:]))
    model = keras.Model(unknown, layer(unknown))
    assert model.output_shape == layer.compute_output_shape((None, None, *x.shape[2:]))
    assert model.output_shape[2:] == features.shape[2:]
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, *x.shape[2:]])])
    for part in (x, x[:1, : 2 * x.shape[1] // 3]):
        assert_same(model(part), layer(part))
        assert_same(graph(part), layer(part))


@each_kind
def test_an_empty_batch_gives_no_features(name):
    layer, x, features = example(name)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, *x.shape[2:]])])
    for received in (layer(x[:0]), unknown(x[:0])):
        assert received.shape == (0, *features.shape[1:])


@each_kind_of_front_end
def test_channels_are_computed_one_by_one(name):
    layer, _, _ = example(name)
    channels = [inputs(name, seed) * 10**seed for seed in range(3)]
    together = layer(np.stack(channels, axis=-1))
    for i, channel in enumerate(channels):
        views = layer.num_views
        assert_same(together[..., i * views : (i + 1) * views], layer(channel))
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 3])])
    assert_same(unknown(np.stack(channels, axis=-1)), together)


@all_layers
def test_an_example_does_not_depend_on_its_neighbours(name):
    layer, x, together = example(name)
    alone = layer(x[:1])
    assert_same(together[:1], alone)
    louder = x[1:2] * (1e6 if name in FRONT_ENDS else 1e12)  # by 120 dB
    for batch, place in ([louder, x[:1]], 1), ([x[:1], louder, louder], 0):
        assert_same(layer(np.concatenate(batch))[place : place + 1], alone)


@all_layers
def test_a_sample_that_is_no_number_spoils_its_own_example_and_no_other(name):
    layer, x, features = example(name)
    spoiled = x.copy()
    spoiled[1, x.shape[1] // 2] = np.nan
    received = layer(spoiled).numpy()
    assert np.isnan(received[1]).any()
    np.testing.assert_array_equal(received[::2], features[::2])


@pytest.mark.parametrize("name", sorted(LAYERS.keys() - {"equalize"}))  # which has a kink at every quantile
def test_gradient_is_the_slope(name):
    layer, x, features = example(name)
    rng = np.random.default_rng(1)
    direction = (x * rng.uniform(-1, 1, x.shape)).astype(np.float32)
    weights = rng.standard_normal(features.shape)

    def weighted(x):
        return np.sum(weights * layer(x).numpy().astype(np.float64), axis=(1, 2, 3))

    with tf.GradientTape() as tape:
        signal = tf.constant(x)
        tape.watch(signal)
        total = tf.reduce_sum(layer(signal) * weights.astype(np.float32))
    parts = (tape.gradient(total, signal).numpy() * direction.astype(np.float64)).reshape(len(x), -1)
    step = np.float32(3e-3)
    slope = (weighted(x + step * direction) - weighted(x - step * direction)) / (2 * step)
    size = np.linalg.norm(parts, axis=1)
    assert (size > 0).all()
    assert (abs(parts.sum(axis=1) - slope) < 0.01 * size).all()


@pytest.mark.parametrize("level", [0, 1e-25], ids=["zero", "next to zero"])
@all_layers
def test_silence_gives_finite_features_and_gradients(name, level):
    x = tf.constant(level * inputs(name), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        features = example(name)[0](x)
        total = tf.reduce_sum(features * tf.random.stateless_normal(features.shape, [0, 0]))
    assert np.isfinite(features).all()
    assert np.isfinite(tape.gradient(total, x)).all()


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("window_place", ["start", "center"])
@pytest.mark.parametrize(
    "frame_length, fft_length", others_slow([(16, 16), (15, 15), (12, 17), (11, 16)], (11, 16))
)
@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_computed_shape_is_the_real_one_from_one_frame_to_five(
    frame_length, fft_length, center, window_place, pad_mode
):
    layer = Spectrogram(
        frame_length, 5, fft_length, center=center, window_place=window_place, pad_mode=pad_mode
    )
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None])])
    counts = []
    for samples in range(1, 45):
        try:
            computed = layer.compute_output_shape((2, samples))
        except ValueError:
            assert not counts
            continue
        assert computed == unknown(np.zeros((2, samples), np.float32)).shape
        assert layer.compute_output_shape((None, samples, 3)) == (None, *computed[1:3], 3)
        counts.append(computed[1])
    assert set(range(counts[0], 6)) <= set(counts)
    assert counts[0] == 1 or center


@each_kind_of_front_end
def test_computed_shape_of_channels_is_the_real_one_up_to_five_frames(name):
    layer, _, _ = example(name)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 2])])
    samples, counts = shortest_signal(layer), []
    while (shape := layer.compute_output_shape((1, samples, 2)))[1] <= 5:
        assert unknown(np.zeros((1, samples, 2), np.float32)).shape == shape
        counts.append(shape[1])
        samples += 1
    assert sorted(set(counts)) == list(range(counts[0], 6))
    assert counts[0] == 1 or layer.center


@pytest.mark.parametrize(
    "options, shortest",
    [
        ({"frame_length": 16}, 16),
        ({"frame_length": 16, "fft_length": 20}, 16),
        ({"frame_length": 16, "fft_length": 20, "window_place": "center"}, 20),
        ({"frame_length": 16, "center": True}, 1),
        ({"frame_length": 15, "center": True}, 1),
        ({"frame_length": 16, "center": True, "pad_mode": "reflect"}, 9),
        ({"frame_length": 15, "center": True, "pad_mode": "reflect"}, 8),
        ({"frame_length": 16, "center": True, "pad_mode": "symmetric"}, 8),
        ({"frame_length": 15, "center": True, "pad_mode": "symmetric"}, 7),
    ],
)
@pytest.mark.parametrize("make", [Spectrogram, partial(MFCC, 2, 8000, 2, center=False, window_place="start")])
def test_too_short_a_signal_is_refused_and_one_sample_more_is_not(make, options, shortest):
    layer = make(**{"frame_step": 4} | options)
    assert layer(np.ones((1, shortest))).shape[1] >= 1
    message = f"needs signals of at least {shortest} samples.* Received: {shortest - 1} samples"
    for too_short in (np.ones((1, shortest - 1)), keras.Input((shortest - 1,))):
        with pytest.raises(ValueError, match=message):
            layer(too_short)
    with pytest.raises(ValueError, match=message):
        layer.compute_output_shape((None, shortest - 1))


@each_kind_of_front_end
def test_too_short_a_signal_of_unknown_length_is_refused_as_clearly(name):
    layer, _, _ = example(name)
    shortest = shortest_signal(layer)
    message = f"{type(layer).__name__} needs signals of at least {shortest} samples.* Received: fewer"
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None])])
    assert graph(np.ones((2, shortest), np.float32)).shape[1] >= 1
    # Several lengths and times: without an order among the operations, any of them may fail first
    for samples in [0, *range(max(0, shortest - layer.frame_step), shortest, 4), shortest - 1] * 3:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            graph(np.ones((2, samples), np.float32))


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize("window_place, before", others_slow([("start", 0), ("center", 24)], ("center", 24)))
def test_padded_end_is_tensorflows_down_to_one_sample(window_place, before, pad_mode, rng):
    layer = Spectrogram(16, 4, 64, pad_end=True, window_place=window_place, pad_mode=pad_mode)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None])])
    window = np.pad(scipy.signal.get_window("hann", 16), (before, 48 - before))
    for samples in (1, 3, 4, 5, 15, 16, 17, 23, 24, 64, 65, 90):
        signal = rng.standard_normal((2, samples)).astype(np.float32)
        expected = tf.signal.stft(signal, 64, 4, 64, lambda _, dtype: tf.cast(window, dtype), pad_end=True)
        assert layer.compute_output_shape((2, samples)) == (*expected.shape, 1)
        assert_same_spectrum(layer(signal)[..., 0], abs(expected))
        assert_same_spectrum(unknown(signal)[..., 0], abs(expected))


@pytest.mark.parametrize("shape", [(1000,), (1, 1000, 1, 1)])
def test_a_signal_with_too_few_or_too_many_axes_is_refused(shape):
    with pytest.raises(ValueError, match=f"found ndim={len(shape)}"):
        Spectrogram()(np.zeros(shape))


@pytest.mark.parametrize(
    "layer",
    [
        *(Decibel(), Log(), PCEN(), PCEN(learnable=True), Standardize(), MinMax(), Deltas()),
        *(FrequencyRamp(), Resize(20, 10)),
    ],
    ids=lambda layer: layer.name,
)
@pytest.mark.parametrize("shape", [(20, 10, 1), (2, 20, 10)])
def test_features_without_an_axis_are_refused(layer, shape):
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=3"):
        layer(np.ones(shape, np.float32))


# ---------------------------------------------------------------- physics


@pytest.mark.parametrize("dynamic_range_db", [None, 60.0])
@pytest.mark.parametrize("gain", [0.03, 0.5, 7.0])
def test_gain_moves_decibels_by_its_own(gain, dynamic_range_db, rng):
    signal = rng.standard_normal((2, 3000)).astype(np.float32)
    decibels = keras.Sequential([Spectrogram(256, 64, power=2), Decibel(dynamic_range_db=dynamic_range_db)])
    difference = decibels(gain * signal).numpy() - decibels(signal).numpy()
    np.testing.assert_allclose(difference, 20 * np.log10(gain), atol=1e-3)


@pytest.mark.parametrize("gain", [0.03, 0.5, 7.0])
def test_gain_moves_the_first_coefficient_alone(gain, rng):
    signal = rng.standard_normal((2, 3000)).astype(np.float32)
    layer = MFCC(20, num_mel_bins=30)
    difference = layer(gain * signal).numpy() - layer(signal).numpy()
    np.testing.assert_allclose(difference[:, :, 0], 20 * np.log10(gain) * np.sqrt(30), atol=1e-3)
    np.testing.assert_allclose(difference[:, :, 1:], 0, atol=1e-3)


@all_front_ends
def test_a_shift_by_one_step_shifts_the_frames_by_one(name):
    layer, x, features = example(name)
    step = layer.frame_step
    edge = -(-layer.frame_length // step) if layer.center or layer.pad else 0
    before, after = features.numpy(), layer(x[:, step:]).numpy()
    assert_same(after[:, edge : len(after[0]) - edge], before[:, 1 + edge : len(after[0]) + 1 - edge])


# ---------------------------------------------------------------- TFLite


def assert_tflite_has_the_same_by_builtins_alone(layers, x):
    front_end = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    graph = tf.function(front_end, input_signature=[tf.TensorSpec(x.shape)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    received = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert_same(received, front_end(x), rtol=1e-5)


@each_kind
def test_tflite_of_a_layer_needs_builtins_alone(name):
    layer, x, _ = example(name)
    assert_tflite_has_the_same_by_builtins_alone([layer], x[:1])


ROWS = {
    "stft 512": ([Spectrogram(512, 128)], (4000,)),
    "stft 400": ([Spectrogram(400, 160, center=True, pad_mode="reflect")], (4000, 2)),
    "mfcc 512": ([MFCC(39, 22050)], (4000,)),
    "mfcc 400": ([MFCC(13, 16000, 40, frame_length=400, frame_step=160)], (4000,)),
    "scalings": ([Spectrogram(512, 128, power=2), Decibel(), Standardize()], (4000,)),
    "mel 2048": (
        [MelSpectrogram.preset("librosa"), PCEN(scale=2.0**31), Resize(9, 32), MinMax()],
        (4000, 2),
    ),
    "multi-resolution": ([MultiResolutionMel(), Decibel(reference="max"), Resize(50, 200)], (4000,)),
    "multi-resolution, scaled": (
        [MultiResolutionMel(), Decibel(1e-10, None), Standardize((1, 2), 20.0), FrequencyRamp()],
        (4000,),
    ),
    "deltas": ([MFCC.preset("torchaudio"), Deltas(2, 5)], (4000,)),
}


@pytest.mark.parametrize("name", others_slow(ROWS, "scalings", "mel 2048"))
def test_tflite_of_layers_in_a_row_needs_builtins_alone(name, rng):
    layers, shape = ROWS[name]
    assert_tflite_has_the_same_by_builtins_alone(layers, rng.standard_normal((1, *shape)).astype(np.float32))


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "make, options",
    [
        (Spectrogram, {"frame_length": 0}),
        (Spectrogram, {"frame_length": 400.0}),
        (Spectrogram, {"frame_step": -1}),
        (Spectrogram, {"frame_step": 12.5}),
        (Spectrogram, {"fft_length": 0}),
        (Spectrogram, {"fft_length": 511}),
        (Spectrogram, {"window": "kaiser"}),
        (Spectrogram, {"pad_mode": "wrap"}),
        (Spectrogram, {"pad": -1}),
        (Spectrogram, {"window_place": "end"}),
        (Spectrogram, {"power": 0}),
        (MFCC, {"num_coefficients": 0}),
        (MFCC, {"num_coefficients": 129}),
        (MFCC, {"sample_rate": 0}),
        (MFCC, {"num_mel_bins": 0}),
        (MFCC, {"num_mel_bins": 400}),
        (MFCC, {"lower_hz": -1}),
        (MFCC, {"lower_hz": 12000}),
        (MFCC, {"upper_hz": 12000}),
        (MFCC, {"upper_hz": 0}),
        (MFCC, {"dynamic_range_db": 0}),
        (MFCC, {"dct_type": 5}),
        (MFCC, {"dct_norm": "slaney"}),
        (MFCC, {"lifter": -1}),
        (MFCC, {"compression": "root"}),
        (partial(MFCC, 1, num_mel_bins=1), {"dct_type": 1}),
        (Spectrogram, {"window_place": "middle"}),
        (partial(Spectrogram, center=True), {"pad_end": True}),
        (MelSpectrogram, {"pad_mode": "replicate"}),
        (MelSpectrogram, {"sample_rate": -16000}),
        (MelSpectrogram, {"num_mel_bins": 12.0}),
        (MelSpectrogram, {"num_mel_bins": 400}),
        (MelSpectrogram, {"lower_hz": -1}),
        (MelSpectrogram, {"upper_hz": 11026}),
        (MelSpectrogram, {"mel_scale": "bark"}),
        (MelSpectrogram, {"straight_in": "bark"}),
        (MelSpectrogram, {"power": -1}),
        (MultiResolutionMel, {"window_lengths": ()}),
        (MultiResolutionMel, {"window_lengths": []}),
        (MultiResolutionMel, {"frame_step": 0}),
        (MultiResolutionMel, {"fft_length": 999}),
        (MultiResolutionMel, {"num_mel_bins": 0}),
        (MultiResolutionMel, {"mel_scale": None}),
        (FrameMean, {"frame_length": 0}),
        (Spectrogram.preset, {"name": "scipy"}),
        (MelSpectrogram.preset, {"name": "Librosa"}),
        (MFCC.preset, {"name": None}),
        (MultiResolutionMel.preset, {"name": "torchaudio"}),
        (Decibel, {"floor": 0}),
        (Decibel, {"reference": 0}),
        (Decibel, {"reference": "peak"}),
        (Decibel, {"reference": None}),
        (Decibel, {"reference": -1.5}),
        (Decibel, {"power": 3}),
        (Log, {"floor": 0}),
        (Log, {"floor": float("inf")}),
        (Log, {"offset": -1e-6}),
        (MelSpectrogram, {"sample_rate": "16000"}),
        (MelSpectrogram, {"lower_hz": "20"}),
        (MelSpectrogram, {"upper_hz": "8000"}),
        (Spectrogram, {"power": None}),
        (Decibel, {"dynamic_range_db": "80"}),
        (FrequencyRamp, {"upper": None}),
        (PCEN, {"sample_rate": 0}),
        (PCEN, {"frame_step": 0.5}),
        (PCEN, {"gain": 0}),
        (PCEN, {"bias": 0}),
        (PCEN, {"power": -1}),
        (PCEN, {"time_constant": 0}),
        (PCEN, {"floor": 0}),
        (PCEN, {"scale": float("nan")}),
        (Deltas, {"orders": 0}),
        (Deltas, {"width": 8}),
        (Deltas, {"width": 1}),
        (Deltas, {"width": 9.0}),
        (partial(Deltas, 5), {"width": 5}),
        (Deltas, {"mode": "mirror"}),
        (MinMax, {"lower": 1.0}),
        (MinMax, {"upper": 0}),
        (MinMax, {"axis": (0,)}),
        (FrequencyRamp, {"lower": 0.6}),
        (FrequencyRamp, {"upper": float("nan")}),
        (partial(Resize, bins=20), {"frames": 0}),
        (partial(Resize, 20), {"bins": 7.5}),
        (Decibel, {"floor": 1e-50}),
        (Decibel, {"floor": float("nan")}),
        (Decibel, {"dynamic_range_db": -80}),
        (Standardize, {"axis": ()}),
        (Standardize, {"axis": (0, 1)}),
        (Standardize, {"axis": 1}),
        (Standardize, {"axis": (4,)}),
        (Standardize, {"deviation": 0}),
        (Standardize, {"epsilon": 0}),
    ],
)
def test_wrong_argument_is_named_and_shown(make, options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError) as error:
        make(**options)
    message, received = str(error.value).split("Received: ")
    assert f"`{name}`" in message
    assert f"{name}={value!r}" in received


def test_what_a_preset_does_not_name_follows_from_the_length_of_a_frame(rng):
    signal = rng.normal(size=4000).astype(np.float32)
    received = Spectrogram.preset("tf", frame_length=400, frame_step=160)(signal[np.newaxis])
    expected = tf.abs(tf.signal.stft(signal, 400, 160))
    np.testing.assert_allclose(received[0, ..., 0], expected, atol=1e-3)
    received = Spectrogram.preset("librosa", frame_length=1024)(signal[np.newaxis])
    np.testing.assert_allclose(received[0, ..., 0], np.abs(librosa.stft(signal, n_fft=1024)).T, atol=1e-3)
    assert MelSpectrogram.preset("librosa", frame_length=1024).frame_step == 512
    assert MelSpectrogram.preset("torchaudio", frame_length=512).frame_step == 256
