import contextlib
import json
import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf
from agreement import assert_same, assert_same_spectrum
from ai_edge_litert.interpreter import Interpreter

import tfspec.frontends
from tfspec.frontends import (
    MFCC,
    PCEN,
    Decibel,
    Deltas,
    Log,
    MelSpectrogram,
    MinMax,
    MultiResolutionMel,
    Resize,
    Spectrogram,
    Standardize,
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
    "deltas": partial(Deltas, 2, 3),
    "deltas, nearest": partial(Deltas, 1, 9, "nearest"),
    "min-max": partial(MinMax, -1.0, 1.0, axis=(1, 2)),
    "resize": partial(Resize, 5, 20),
    "decibel, absolute": partial(Decibel, 1e-4, None),
    "standardize": Standardize,
    "standardize, each bin": partial(Standardize, axis=(1,), epsilon=1e-3),
    "mean alone": partial(Standardize, axis=(1,), deviation=2.5),
}
LAYERS = FRONT_ENDS | SCALINGS
TRANSFORM = (
    *("frame_length", "frame_step", "fft_length", "window", "periodic"),
    *("center", "pad_mode", "pad_end", "pad", "window_place"),
)
all_front_ends = pytest.mark.parametrize("name", FRONT_ENDS)
all_layers = pytest.mark.parametrize("name", LAYERS)


def inputs(name: str, seed: int = 0) -> np.ndarray:
    """Give three signals for a front end, three pictures for a scaling."""
    noise = np.random.default_rng(seed).standard_normal((3, 1600) if name in FRONT_ENDS else (3, 7, 12, 2))
    return (0.1 * noise if name in FRONT_ENDS else noise**2).astype(np.float32)


def accepts(layer, samples: int) -> bool:
    try:
        return bool(layer.compute_output_shape((1, samples)))
    except ValueError:
        return False


@contextlib.contextmanager
def precision(policy: str):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def test_every_public_layer_is_held_to_the_contract():
    public = {getattr(tfspec.frontends, name) for name in tfspec.frontends.__all__}
    assert public - {tfspec.frontends.FrontEnd} == {type(make()) for make in LAYERS.values()}


@all_front_ends
def test_frame_times_tell_where_a_click_is(name):
    layer = LAYERS[name]()
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
    layer = LAYERS[name]()
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    np.testing.assert_array_equal(again(inputs(name)), layer(inputs(name)))


def test_numpy_integers_are_integers_in_the_config():
    config = Spectrogram(*np.array([64, 16, 80])).get_config()
    assert json.loads(json.dumps(config))["fft_length"] == 80


LOAD_AND_CALL = """
import sys
import tfspec
from keras.saving import load_model
import numpy as np
folder = sys.argv[1]
signals = np.load(f"{folder}/inputs.npz")
features = {key: load_model(f"{folder}/{key}.keras")(x) for key, x in signals.items()}
np.savez(f"{folder}/outputs.npz", **features)
"""


@pytest.fixture(scope="module")
def from_new_process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for i, (name, make) in enumerate(LAYERS.items()):
        keras.Sequential([keras.Input(inputs(name).shape[1:]), make()]).save(folder / f"{i}.keras")
    np.savez(folder / "inputs.npz", **{str(i): inputs(name) for i, name in enumerate(LAYERS)})
    subprocess.run([sys.executable, "-c", LOAD_AND_CALL, folder], check=True)
    return dict(zip(LAYERS, np.load(folder / "outputs.npz").values(), strict=True))


@all_layers
def test_saved_model_loads_in_a_process_that_imports_tfspec_alone(name, from_new_process):
    assert_same(from_new_process[name], LAYERS[name]()(inputs(name)))


@all_layers
def test_eager_graph_dataset_and_model_agree(name):
    layer, x = LAYERS[name](), inputs(name)
    eager = layer(x)
    assert eager.dtype == tf.float32
    assert len(eager.shape) == 4
    assert_same(tf.function(layer)(x), eager)
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(2).map(layer)
    assert dataset.element_spec.shape.as_list() == [None, *eager.shape[1:]]
    assert_same(np.concatenate(list(dataset.as_numpy_iterator())), eager)
    signal = keras.Input(x.shape[1:])
    model = keras.Model(signal, layer(signal))
    assert model.output_shape == (None, *eager.shape[1:])
    assert_same(model(x), eager)


@all_layers
def test_mixed_precision_changes_nothing(name):
    x = inputs(name)
    expected = LAYERS[name]()(x)
    with precision("mixed_float16"):
        signal = keras.Input(x.shape[1:])
        layer = LAYERS[name]()
        model = keras.Model(signal, layer(signal))
        assert keras.layers.Dense(1).compute_dtype == "float16"
        assert model.output.dtype == "float32"
        for received in (layer(x), model(x), layer(x.astype(np.float64))):
            assert received.dtype == tf.float32
            assert_same(received, expected)


@all_layers
def test_batch_and_length_may_be_unknown(name):
    layer, x = LAYERS[name](), inputs(name)
    unknown = keras.Input((None, *x.shape[2:]))
    model = keras.Model(unknown, layer(unknown))
    assert model.output_shape == layer.compute_output_shape((None, None, *x.shape[2:]))
    assert model.output_shape[2:] == layer(x).shape[2:]
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, *x.shape[2:]])])
    for part in (x, x[:1, : 2 * x.shape[1] // 3]):
        assert_same(model(part), layer(part))
        assert_same(graph(part), layer(part))


@all_layers
def test_an_empty_batch_gives_no_features(name):
    layer, x = LAYERS[name](), inputs(name)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, *x.shape[2:]])])
    for received in (layer(x[:0]), unknown(x[:0])):
        assert received.shape == (0, *layer(x).shape[1:])


@all_front_ends
def test_channels_are_computed_one_by_one(name):
    layer = LAYERS[name]()
    channels = [inputs(name, seed) * 10**seed for seed in range(3)]
    together = layer(np.stack(channels, axis=-1))
    for i, channel in enumerate(channels):
        views = layer.num_views
        assert_same(together[..., i * views : (i + 1) * views], layer(channel))
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 3])])
    assert_same(unknown(np.stack(channels, axis=-1)), together)


@all_layers
def test_an_example_does_not_depend_on_its_neighbours(name):
    layer, x = LAYERS[name](), inputs(name)
    alone = layer(x[:1])
    louder = x[1:2] * (1e6 if name in FRONT_ENDS else 1e12)
    assert_same(layer(x)[:1], alone)
    assert_same(layer(np.concatenate([louder, x[:1]]))[1:], alone)


@all_layers
def test_a_sample_that_is_no_number_spoils_its_own_example_and_no_other(name):
    layer, x = LAYERS[name](), inputs(name)
    x[1, x.shape[1] // 2] = np.nan
    received = layer(x).numpy()
    assert np.isnan(received[1]).any()
    np.testing.assert_array_equal(received[::2], layer(inputs(name))[::2])


@pytest.mark.parametrize("level", [0, 1e-25], ids=["zero", "next to zero"])
@all_layers
def test_silence_gives_finite_features_and_gradients(name, level):
    x = tf.constant(level * inputs(name), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        features = LAYERS[name]()(x)
        total = tf.reduce_sum(features * tf.random.stateless_normal(features.shape, [0, 0]))
    assert np.isfinite(features).all()
    assert np.isfinite(tape.gradient(total, x)).all()


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("window_place", ["start", "center"])
@pytest.mark.parametrize("frame_length, fft_length", [(16, 16), (15, 15), (12, 17), (11, 16)])
@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_computed_shape_is_the_real_one_from_one_frame_to_five(
    frame_length, fft_length, center, window_place, pad_mode
):
    layer = Spectrogram(
        frame_length, 5, fft_length, center=center, window_place=window_place, pad_mode=pad_mode
    )
    counts = []
    for samples in range(1, 45):
        try:
            computed = layer.compute_output_shape((2, samples))
        except ValueError:
            assert not counts
            continue
        assert computed == layer(np.zeros((2, samples))).shape
        assert layer.compute_output_shape((None, samples, 3)) == (None, *computed[1:3], 3)
        counts.append(computed[1])
    assert set(range(counts[0], 6)) <= set(counts)
    assert counts[0] == 1 or center


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


@all_front_ends
def test_too_short_a_signal_of_unknown_length_is_refused_as_clearly(name):
    layer = LAYERS[name]()
    shortest = next(n for n in range(1, 500) if accepts(layer, n))
    message = f"{type(layer).__name__} needs signals of at least {shortest} samples.* Received: fewer"
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None])])
    assert graph(np.ones((2, shortest), np.float32)).shape[1] >= 1
    # Several lengths and times: without an order among the operations, any of them may fail first
    for samples in [0, *range(max(0, shortest - layer.frame_step), shortest, 4), shortest - 1] * 3:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            graph(np.ones((2, samples), np.float32))


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize("window_place, before", [("start", 0), ("center", 24)])
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
    layer, x = LAYERS[name](), inputs(name)
    step = layer.frame_step
    edge = -(-layer.frame_length // step) if layer.center or layer.pad else 0
    before, after = layer(x).numpy(), layer(x[:, step:]).numpy()
    assert_same(after[:, edge : len(after[0]) - edge], before[:, 1 + edge : len(after[0]) + 1 - edge])


# ---------------------------------------------------------------- TFLite


@pytest.mark.parametrize(
    "layers, shape",
    [
        ([Spectrogram(512, 128)], (4000,)),
        ([Spectrogram(400, 160, center=True, pad_mode="reflect")], (4000, 2)),
        ([MFCC(39, 22050)], (4000,)),
        ([MFCC(13, 16000, 40, frame_length=400, frame_step=160)], (4000,)),
        ([Spectrogram(512, 128, power=2), Decibel(), Standardize()], (4000,)),
    ],
    ids=["stft 512", "stft 400", "mfcc 512", "mfcc 400", "scalings"],
)
def test_tflite_with_builtin_operators_gives_what_keras_gives(layers, shape, rng):
    signal = rng.standard_normal((1, *shape)).astype(np.float32)
    front_end = keras.Sequential([keras.Input(shape), *layers])
    graph = tf.function(front_end, input_signature=[tf.TensorSpec((1, *shape))])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], signal)
    interpreter.invoke()
    received = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert_same(received, front_end(signal), rtol=1e-4)


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
        (Decibel, {"floor": 0}),
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
