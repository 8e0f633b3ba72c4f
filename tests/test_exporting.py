"""Export: both files against the Keras model, the SavedModel with TensorFlow alone, and what is quantised."""

import copy
import errno
import functools
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from families import others_slow
from forked import run_code
from tones import write_tones

from tfspec.base.errors import UserError
from tfspec.cli import main as cli
from tfspec.export import TFLiteClassifier, export, exporting
from tfspec.export.metadata import write_metadata
from tfspec.export.parity import SAME_PREDICTION
from tfspec.export.tflite import tflite_model
from tfspec.frontends import MFCC, Decibel, Spectrogram, Standardize
from tfspec.models import Classifier, conv2d, lstm
from tfspec.pipelines import SpeechCommands

NAMES = ["no", "yes", "$ <b>"]
TYPES = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}


def _classifier(features="stft", model="conv2d", samples=4000):
    keras.utils.set_random_seed(0)
    if features == "stft":
        layers = [Spectrogram(256, 64, power=2), Decibel(), Standardize()]
    else:
        layers = [MFCC(20, 8000, num_mel_bins=32, frame_length=400, frame_step=128)]  # not a power of two
    front_end = keras.Sequential(layers)
    shape = front_end.compute_output_shape((None, samples))[1:]
    backbone = {"conv2d": conv2d, "lstm": lstm}[model]((None, *shape[1:]), len(NAMES))
    return Classifier(front_end, backbone, NAMES, (samples,), 8000)


def _tiny_classifier():
    """Return one that is exported in no time, for what has to do with files alone."""
    keras.utils.set_random_seed(0)
    backbone = keras.Sequential([keras.Input((40, 100, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    return Classifier(keras.layers.Reshape((40, 100, 1)), backbone, NAMES, (4000,), 8000)


def _signals(rng, count=6, samples=4000):
    return rng.uniform(-1, 1, (count, samples)).astype(np.float32)


@pytest.fixture(scope="module")
def exported_as(tmp_path_factory):
    """Export by features and network, once each: a classifier, its folder, six signals, parity."""

    @functools.cache
    def exported(features, model):
        classifier, folder = _classifier(features, model), tmp_path_factory.mktemp(features) / "export"
        signals = _signals(np.random.default_rng(0))
        return classifier, folder, signals, export(classifier, folder, [signals[:4], signals[4:]])

    return exported


@pytest.mark.parametrize(
    ("features", "model"), others_slow([("stft", "conv2d"), ("mfcc", "lstm")], ("stft", "conv2d"))
)
def test_both_files_give_what_keras_gives(exported_as, features, model):
    classifier, folder, signals, parity = exported_as(features, model)
    assert parity["saved_model"]["signals"] == parity["tflite"]["signals"] == 6
    assert parity["tflite"]["same_top_class"] == 1
    tflite = TFLiteClassifier(folder / "model.tflite")
    np.testing.assert_allclose(tflite.probabilities(signals), classifier.probabilities(signals), atol=1e-4)
    assert tflite.class_names == tuple(NAMES)
    assert (tflite.sample_rate, tflite.signal_shape) == (8000, (4000,))


def test_tflite_has_builtin_operators_only_and_readable_labels(exported_as):
    file = exported_as("stft", "conv2d")[1] / "model.tflite"
    operators = {op["op_name"] for op in Interpreter(str(file))._get_ops_details()}
    assert not [name for name in operators if "Flex" in name or "CUSTOM" in name.upper()]
    with zipfile.ZipFile(file) as labels:
        assert labels.read("labels.txt").decode().split("\n")[:3] == NAMES


def test_saved_model_loads_with_tensorflow_alone(exported_as, tmp_path):
    classifier, folder, signals, _ = exported_as("stft", "conv2d")
    np.save(tmp_path / "signals.npy", signals)
    script = """
import sys, numpy as np, tensorflow as tf
sys.modules.update({name: None for name in sys.modules if name.partition(".")[0] == "keras"})
sys.modules["tfspec"] = None  # importing either would fail
out = tf.saved_model.load(sys.argv[2]).signatures["serving_default"](
    signal=tf.constant(np.load(sys.argv[1] + "/signals.npy")))
assert [name.decode() for name in out["class_names"].numpy()] == ["no", "yes", "$ <b>"]
np.testing.assert_allclose(tf.nn.softmax(out["logits"]), out["probabilities"], rtol=1e-5)
np.save(sys.argv[1] + "/probabilities.npy", out["probabilities"].numpy())
"""
    run_code(script, tmp_path, folder / "saved_model")
    received = np.load(tmp_path / "probabilities.npy")
    np.testing.assert_allclose(received, classifier.probabilities(signals), atol=1e-5)


def test_a_file_that_differs_is_not_called_done(tmp_path, rng, monkeypatch):
    honest = TFLiteClassifier.probabilities
    monkeypatch.setattr(
        TFLiteClassifier, "probabilities", lambda self, x: np.roll(honest(self, x), 1, axis=1)
    )
    with pytest.raises(RuntimeError, match="tflite"):
        export(_tiny_classifier(), tmp_path / "export", [_signals(rng)])
    assert list(tmp_path.iterdir()) == []


def test_export_again_replaces_the_files(tmp_path, rng):
    for _ in range(2):
        export(_tiny_classifier(), tmp_path / "export", [_signals(rng, 1)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["export"]
    assert sorted(p.name for p in (tmp_path / "export").iterdir()) == [
        "model.tflite",
        "parity.json",
        "saved_model",
    ]


@pytest.fixture(scope="module")
def exported(exported_as):
    return exported_as("stft", "conv2d")[:2]


def _served(folder):
    serve = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    return lambda signals: serve(signal=tf.constant(signals))["probabilities"].numpy()


@pytest.mark.parametrize("kind", others_slow(["tflite", "keras", "saved_model"], "tflite"))
def test_several_threads_get_what_one_gets(exported, rng, kind):
    classifier, folder = exported
    probabilities = {
        "tflite": lambda: TFLiteClassifier(folder / "model.tflite").probabilities,
        "keras": lambda: classifier.probabilities,
        "saved_model": lambda: _served(folder),
    }[kind]()
    batches = [_signals(rng, 1 + i % 3) for i in range(40)]
    expected = [probabilities(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        for _ in range({"tflite": 5, "keras": 1, "saved_model": 1}[kind]):
            for one, other in zip(pool.map(probabilities, batches), expected, strict=True):
                np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_tflite_classifier_is_copied_and_pickled_with_its_file(exported, rng, tmp_path):
    path = shutil.copy(exported[1] / "model.tflite", tmp_path)
    model = TFLiteClassifier(path)
    signals = _signals(rng, 2)
    expected = model.probabilities(signals)
    Path(path).unlink()
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301
        assert (other.class_names, other.signal_shape, other.sample_rate) == (tuple(NAMES), (4000,), 8000)
        np.testing.assert_array_equal(other.probabilities(signals), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_tflite_classifier_works_in_a_forked_process(exported):
    script = """
import os, sys, numpy as np
from tfspec.export import TFLiteClassifier
model, signals = TFLiteClassifier(sys.argv[1]), np.ones((2, 4000), np.float32)
expected = model.probabilities(signals)
if (child := os.fork()) == 0:
    os._exit(0 if (model.probabilities(signals) == expected).all() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    run_code(script, exported[1] / "model.tflite")


@pytest.mark.parametrize("shape", [(), (4000,), (2, 3999), (2, 4000, 1), (2, 0), (0, 3999)])
def test_signals_of_another_shape_are_refused_and_change_nothing(exported, rng, shape):
    model = TFLiteClassifier(exported[1] / "model.tflite")
    with pytest.raises(UserError, match=r"takes signals of shape \(4000,\)"):
        model.probabilities(np.zeros(shape, np.float32))
    with pytest.raises(UserError, match=r"floats in −1…1\. Received: int16"):
        model.probabilities(np.zeros((2, 4000), np.int16))
    signals = _signals(rng, 2)
    np.testing.assert_allclose(model.probabilities(signals), exported[0].probabilities(signals), atol=1e-4)
    assert model.probabilities(signals[:0]).shape == (0, len(NAMES))


@pytest.mark.parametrize("name", others_slow(["run [1]", "a*b?", "[", "näh ~ $x; {a}"], "run [1]"))
def test_any_name_of_a_folder_will_do(tmp_path, rng, name):
    folder = tmp_path / name / "export"
    assert export(_tiny_classifier(), folder, [_signals(rng, 1)])["saved_model"]["same_top_class"] == 1
    assert (folder / "saved_model" / "saved_model.pb").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["export"]


def _full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _full_in_tensorflow(*_, **__):
    raise tf.errors.ResourceExhaustedError(None, None, "/tmp/x/variables; No space left on device")


@pytest.mark.parametrize(
    ("owner", "name", "failing"),
    [
        (Path, "mkdir", _full),
        (
            None,
            "save",
            _full_in_tensorflow,
        ),  # of `tf.saved_model`, which TensorFlow loads when it is asked for
        (shutil, "move", _full),
        (Path, "write_bytes", _full),
        (Path, "write_text", _full),
        (Path, "replace", _full),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path, rng, monkeypatch, owner, name, failing):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "parity.json").touch()
    classifier, signals = _tiny_classifier(), _signals(rng, 1)
    with monkeypatch.context() as patch:
        patch.setattr(owner or tf.saved_model, name, failing)
        with pytest.raises(
            UserError, match=r"export, by way of .*, cannot be written: No space left on device$"
        ):
            export(classifier, tmp_path / "export", [signals])
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "export",
        "export/parity.json",
    ]


@pytest.mark.parametrize("kilobytes", [200, 450])
def test_a_disk_that_is_really_full(tmp_path, rng, kilobytes):
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(tmp_path)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        (tmp_path / "export").mkdir()
        with pytest.raises(UserError, match="No space left on device"):
            export(_classifier(), tmp_path / "export", [_signals(rng, 1)])
        assert [path.name for path in tmp_path.rglob("*")] == ["export"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="files cannot be kept small there")
def test_a_full_folder_of_temporary_files_is_said():
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"could not write to .* TMPDIR=FOLDER"):
            tflite_model(_tiny_classifier())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_file_in_the_way_is_said_at_once(tmp_path, monkeypatch):
    (tmp_path / "export").touch()
    monkeypatch.setattr(exporting, "tflite_model", None)
    with pytest.raises(UserError, match="export is no folder, where a folder is to be written"):
        export(_classifier(), tmp_path / "export", [])
    (tmp_path / "export").unlink()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"export cannot be written, as .*file is no folder"):
        export(_classifier(), tmp_path / "file" / "export", [])


def _foreign(function, shape, path, labels=("a", "b", "c")):
    """Write a TFLite file of another maker's."""
    traced = tf.function(function).get_concrete_function(tf.TensorSpec(shape, tf.float32, "signal"))
    model = tf.lite.TFLiteConverter.from_concrete_functions([traced], tf.Module()).convert()
    path.write_bytes(write_metadata(model, "", "", labels, 8000))
    return path


@pytest.mark.parametrize(
    ("function", "shape", "said"),
    [
        (lambda x: {"scores": x}, (1, 3), "and should take a signal and give probabilities"),
        (lambda x: {"probabilities": x}, (2, 3), r"shape \(2, 3\)"),
        (lambda x: {"probabilities": tf.zeros([3]) + x}, (3,), r"shape \(3,\)"),
        (
            lambda x: {"probabilities": tf.zeros([2, 1, 3]) + x},
            (1, 3),
            r"gives an array of shape \(2, 1, 3\)",
        ),
    ],
)
def test_a_tflite_file_that_takes_or_gives_something_else(tmp_path, function, shape, said):
    with pytest.raises(UserError, match=f"cannot be used as a TFLite model: .*{said}"):
        TFLiteClassifier(_foreign(function, shape, tmp_path / "x.tflite"))


def _sounds(count):
    """Return (count, 4000) signals, in turns noise, a steady tone and a rising one, and which each is."""
    rng = np.random.default_rng(0)
    kind = np.arange(count) % 3
    seconds = np.arange(4000) / 8000
    hertz = rng.uniform(500, 1500, (count, 1)) + np.where(kind == 2, 2000, 0)[:, np.newaxis] * seconds
    tones = np.where(kind > 0, 0.3, 0)[:, np.newaxis] * np.sin(2 * np.pi * hertz * seconds)
    return (tones + rng.normal(0, 0.1, tones.shape)).astype(np.float32), kind


@functools.cache
def _trained(features, model):
    """Return a classifier that tells the sounds apart."""
    classifier = _classifier(features, model)
    signals, labels = _sounds(150)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.backbone.compile(keras.optimizers.Adam(3e-3), loss)
    classifier.backbone.fit(classifier.front_end(signals), labels, batch_size=16, epochs=6, verbose=0)
    return classifier


@functools.cache
def _quantised(features, quantize):
    """Return a TFLite file of such a classifier."""
    return tflite_model(_trained(features, "conv2d"), quantize, [_sounds(30)[0]])


def _tree(model):
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))


def _front_end(graph):
    """Number the tensors from which the features are computed, going backwards from these."""
    found = {i for i, tensor in enumerate(graph.tensors) if tensor.name == b"features"}
    for operator in reversed(graph.operators):
        if found & set(operator.outputs):
            found |= set(operator.inputs) - {-1}
    assert set(graph.inputs) < found
    return found


def _types_of_matrices(tree):
    """Return the types of the large constants with several axes: those of the front end, and the others."""
    main = tree.subgraphs[0]
    front_end = _front_end(main)
    types = {True: set(), False: set()}
    for graph in tree.subgraphs:
        for i, tensor in enumerate(graph.tensors):
            constant = tree.buffers[tensor.buffer].data is not None
            if constant and len(tensor.shape) > 1 and np.prod(tensor.shape) > 1000:
                types[graph is main and i in front_end].add(TYPES[tensor.type])
    return types[True], types[False]


def _features(path, signal):
    """Run a file on the plain kernels and give the tensor named features."""
    interpreter = Interpreter(
        str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], signal[np.newaxis])
    interpreter.invoke()
    (index,) = [t["index"] for t in interpreter.get_tensor_details() if t["name"] == "features"]
    return interpreter.get_tensor(index)[0]


@pytest.mark.parametrize(
    ("quantize", "weights"),
    others_slow(
        [("none", "FLOAT32"), ("float16", "FLOAT16"), ("dynamic", "INT8"), ("int8", "INT8")],
        ("int8", "INT8"),
    ),
)
@pytest.mark.parametrize(
    ("features", "model"),
    others_slow([("stft", "conv2d"), ("mfcc", "conv2d"), ("mfcc", "lstm")], ("mfcc", "conv2d")),
)
def test_the_backbone_is_quantised_and_the_front_end_is_not(tmp_path, features, model, quantize, weights):
    classifier = _trained(features, model)
    signals, labels = _sounds(60)
    parity = export(classifier, tmp_path / "export", [signals], quantize, [_sounds(30)[0]])["tflite"]
    path = tmp_path / "export" / "model.tflite"
    assert parity["quantize"] == ("dynamic" if (model, quantize) == ("lstm", "int8") else quantize)
    assert json.loads((path.parent / "parity.json").read_text())["tflite"] == parity

    probabilities = TFLiteClassifier(path).probabilities(signals)
    assert probabilities.dtype == np.float32
    assert list(probabilities.argmax(axis=1)) == list(labels)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)

    tree = _tree(path.read_bytes())
    main = tree.subgraphs[0]
    of_front_end, of_backbone = _types_of_matrices(tree)
    assert of_backbone == {weights}
    assert of_front_end == (set() if features == "stft" else {"FLOAT32"})  # DFT, mel filters, DCT
    assert {TYPES[main.tensors[i].type] for i in _front_end(main)} <= {
        "FLOAT32",
        "INT32",
        "BOOL",
        "COMPLEX64",
    }
    expected = classifier.front_end(signals[:1])[0]
    np.testing.assert_allclose(_features(path, signals[0]), expected, atol=1e-3 * np.ptp(expected))


@pytest.mark.parametrize("features", others_slow(["stft", "mfcc"], "mfcc"))
def test_int8_activations_are_integers_from_end_to_end(features):
    tree = _tree(_quantised(features, "int8"))
    main = tree.subgraphs[0]
    names = [OPERATORS[tree.operatorCodes[operator.opcodeIndex].builtinCode] for operator in main.operators]
    begin, end = names.index("QUANTIZE"), names.index("DEQUANTIZE")
    assert names[end:] == ["DEQUANTIZE", "SOFTMAX", "SELECT_V2"]  # the last for signals that are not finite
    assert names[begin:end].count("CONV_2D") == 3
    computed = [i for operator in main.operators[begin:end] for i in operator.outputs]
    assert {TYPES[main.tensors[i].type] for i in computed} == {"INT8"}


def test_quantised_files_are_small_and_have_builtin_operators_only():
    sizes = {}
    for quantize in ("none", "float16", "dynamic", "int8"):
        model = _quantised("mfcc", quantize)
        operators = [op["op_name"] for op in Interpreter(model_content=model)._get_ops_details()]
        assert not [name for name in operators if "Flex" in name or "CUSTOM" in name.upper()]
        sizes[quantize] = len(model)
    weights = 4 * _trained("mfcc", "conv2d").backbone.count_params()
    assert sizes["none"] - sizes["float16"] == pytest.approx(weights / 2, rel=0.1)
    assert sizes["none"] - sizes["dynamic"] == pytest.approx(weights * 3 / 4, rel=0.1)
    assert sizes["int8"] == pytest.approx(sizes["dynamic"], rel=0.1)


def test_a_stream_of_a_network_with_a_loop_is_not_in_int8(tmp_path, rng):
    signals = _signals(rng)
    with pytest.raises(UserError, match=r"loop, such as an lstm.*quantize none\. Received: int8"):
        export(_classifier("mfcc", "lstm"), tmp_path / "export", [signals], "int8", [signals], streaming=True)
    assert not (tmp_path / "export").exists()


@pytest.mark.slow
def test_parts_with_loops_of_their_own_are_chained(tmp_path, rng):
    keras.utils.set_random_seed(0)
    recurrent = keras.layers.LSTM(8, return_sequences=True)
    front_end = keras.Sequential(
        [keras.layers.Reshape((40, 100)), recurrent, keras.layers.Reshape((40, 8, 1))]
    )
    classifier = Classifier(front_end, lstm((None, 8, 1), len(NAMES), units=16), NAMES, (4000,), 8000)
    signals = _signals(rng)
    (tmp_path / "model.tflite").write_bytes(tflite_model(classifier))
    received = TFLiteClassifier(tmp_path / "model.tflite").probabilities(signals)
    np.testing.assert_allclose(received, classifier.probabilities(signals), atol=1e-5)
    assert np.ptp(received, axis=0).min() > 1e-3


@pytest.mark.parametrize(
    ("quantize", "wrong"),
    others_slow([("none", 1), ("float16", 2), ("dynamic", 6), ("int8", 11)], ("int8", 11)),
)
def test_each_mode_has_a_bound(tmp_path, monkeypatch, quantize, wrong):
    classifier, signals = _trained("mfcc", "conv2d"), _sounds(100)[0]
    monkeypatch.setattr(exporting, "tflite_model", lambda *_: _quantised("mfcc", quantize))
    honest = TFLiteClassifier.probabilities

    def mistaken(self, x):
        probabilities = honest(self, x)
        probabilities[:wrong] = np.roll(probabilities[:wrong], 1, axis=1)
        return probabilities

    monkeypatch.setattr(TFLiteClassifier, "probabilities", mistaken)
    with pytest.raises(RuntimeError, match=f"tflite gives the same top class as Keras on {100 - wrong}.00%"):
        export(classifier, tmp_path / "export", [signals], quantize, [signals[:30]])
    assert list(tmp_path.iterdir()) == []
    wrong -= 1
    parity = export(classifier, tmp_path / "export", [signals], quantize, [signals[:30]])
    assert parity["tflite"]["same_top_class"] == 1 - wrong / 100


def _steady_classifier(signals):
    """Return a classifier with a convolution whose inputs have means far above their spread."""
    keras.utils.set_random_seed(0)
    three = keras.initializers.Constant(3)
    layers = [
        keras.Input((40, 100, 1)),
        keras.layers.Conv2D(64, 3, 4, activation="relu6", bias_initializer=three),
        keras.layers.DepthwiseConv2D(3, activation="relu6"),
        keras.layers.Conv2D(32, 1),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.BatchNormalization(momentum=0.0, epsilon=1e-9),
        keras.layers.Dense(3),
    ]
    backbone = keras.Sequential(layers)
    backbone(signals.reshape(-1, 40, 100, 1), training=True)  # the batch norm gets to know them
    return Classifier(keras.layers.Reshape((40, 100, 1)), backbone, NAMES, (4000,), 8000)


def test_rounded_weights_shift_no_output(tmp_path, rng):
    """Uncorrected they are by up to 1.7 times their spread, and a third of the top classes change."""
    signals = _signals(rng, 64) * rng.uniform(0.5, 1, (64, 1)).astype(np.float32)
    classifier = _steady_classifier(signals)
    (tmp_path / "model.tflite").write_bytes(tflite_model(classifier, "dynamic", [signals]))
    expected = np.log(classifier.probabilities(signals))
    received = np.log(TFLiteClassifier(tmp_path / "model.tflite").probabilities(signals))
    shift = (received - expected).mean(axis=0) / expected.std(axis=0)
    np.testing.assert_allclose(shift, 0, atol=0.1)
    assert (received.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


@pytest.mark.slow
def test_calibration_on_other_signals_than_are_met_is_noticed(tmp_path):
    signals = _sounds(60)[0]
    told = 'tflite gives .* Most is lost in .*conv2d.*, .*; quantize="float16" halves the file'
    with pytest.raises(RuntimeError, match=told):
        export(_trained("stft", "conv2d"), tmp_path / "export", [signals], "int8", [1e-9 * signals[:8]])
    assert list(tmp_path.iterdir()) == []


def test_int8_needs_calibration_and_a_backbone_without_loops(tmp_path):
    signals = _sounds(3)[0]
    with pytest.raises(ValueError, match="no calibration batches"):
        export(_tiny_classifier(), tmp_path / "export", [signals], "int8")
    with pytest.raises(ValueError, match="loop"):
        tflite_model(_classifier("mfcc", "lstm"), "int8", [signals])
    with pytest.raises(ValueError, match=r"'int8'.*Received: quantize='int4'"):
        export(_tiny_classifier(), tmp_path / "export", [signals], "int4")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantised")
    data = write_tones(folder / "data", {"high": 2000, "low": 300}, speakers=3)
    options = {
        "epochs": 8,
        "validation_fraction": 1 / 3,
        "clip_seconds": 0.3,
        "batch_size": 2,
        "model": "conv2d",
    }
    return SpeechCommands.preset("recurrent", data=data, out=folder / "run", **options).train(verbose=0)


@pytest.mark.slow
def test_the_command_quantises(run, capsys, monkeypatch):
    cli.main(["export", str(run.folder), "--quantize", "int8"])
    assert "tflite: same top class as Keras on 100.00% of 4 signals" in capsys.readouterr().out
    assert json.loads((run.folder / "export" / "parity.json").read_text())["tflite"]["quantize"] == "int8"

    monkeypatch.setitem(SAME_PREDICTION, "int8", 1.1)
    for quantize, said in (("int8", "The exported tflite gives"), ("int4", "quantize must be one of none,")):
        with pytest.raises(SystemExit) as stop:
            cli.main(["export", str(run.folder), "--quantize", quantize])
        assert stop.value.code == 2
        assert said.lower() in capsys.readouterr().err.splitlines()[-1].lower()
