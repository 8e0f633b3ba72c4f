"""Measures what quantisation does to front ends, and to trained models whose front end it leaves alone.

    python tests/benchmarks/measure_quantisation.py DATA RUN …

DATA is a folder of class folders of recordings, each RUN a run folder. "Naive" is TensorFlow's converter with
`Optimize.DEFAULT` on all of it, "ours" is `tflite_model` of `tfspec.export`. Both are calibrated on
the same recordings and measured on others.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from machine import give_table

from tfspec.data import make_dataset
from tfspec.data.label_targets import label_indices
from tfspec.data.readers import AudioReader
from tfspec.data.sources.class_folders import from_class_folders
from tfspec.experiment.export import CALIBRATION_SIGNALS
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.export import TFLiteClassifier, export
from tfspec.export.parity import SAME_PREDICTION
from tfspec.export.quantization import has_loop
from tfspec.export.saved_model import weights_of
from tfspec.export.tflite import tflite_model
from tfspec.frontends import MFCC, Decibel, Spectrogram
from tfspec.models import Classifier, conv2d

RATE, SAMPLES, RECORDINGS = 22050, 17640, 128
FRONT_ENDS = {  # as docs/quantised.md calls them
    "power spectrogram in decibels, 512/128": keras.Sequential([Spectrogram(512, 128, power=2), Decibel()]),
    "39 MFCCs": MFCC(39, RATE),
    "39 MFCCs, frames of 400 samples": MFCC(39, RATE, num_mel_bins=40, frame_length=400),
}
MODES = tuple(SAME_PREDICTION)


def main(data: Path, runs: list[Path]) -> None:
    """Print both tables."""
    manifest = from_class_folders(data).sample(2 * RECORDINGS, random_state=0)
    calibration, signals = np.split(AudioReader(data, RATE, SAMPLES)(manifest), 2)
    rows = [
        {"front end": name, "mode": mode, **correlations(front_end, mode, calibration, signals)}
        for name, front_end in FRONT_ENDS.items()
        for mode in MODES[1:]
    ]
    print(f"Correlation with Keras's features on {RECORDINGS} recordings")
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.4f}".format))
    naive = pd.DataFrame(rows).pivot(index="front end", columns="mode", values="naive, by bin")
    cells = [[name, *(_cell(naive.loc[name, mode]) for mode in MODES[1:])] for name in FRONT_ENDS]
    give_table("quantised_5", ["front end, quantised", *MODES[1:]], cells)
    rows = [{"run": path.name, "mode": mode, **scores(Run(path), mode)} for path in runs for mode in MODES]
    if rows:
        print("\nTrained models on their validation part")
        print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))


def _cell(correlation: float) -> str:
    return f"{correlation:.4f}" if np.isfinite(correlation) else "not finite"


def correlations(front_end: keras.Layer, mode: str, calibration: np.ndarray, signals: np.ndarray) -> dict:
    """Compare features: over all values, and as the mean over the bins, each by itself."""
    feature_shape = front_end.compute_output_shape((None, SAMPLES))[1:]
    classifier = Classifier(front_end, conv2d(feature_shape, 2), ["a", "b"], (SAMPLES,), RATE)
    expected = np.asarray(front_end(signals))
    received = {
        "naive": tensors(naive(front_end, front_end, mode, calibration), signals, None),
        "ours": tensors(tflite_model(classifier, mode, [calibration]), signals, "features"),
    }
    return {
        f"{name}, {which}": float(np.mean([pearson(x, y) for x, y in zip(*pairs, strict=True)]))
        for name, features in received.items()
        for which, pairs in {
            "all": ([expected], [features]),
            "by bin": (np.moveaxis(expected, 2, 0), np.moveaxis(features, 2, 0)),
        }.items()
    }


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Correlate; what does not vary is not correlated."""
    return 0.0 if np.ptp(x) == 0 or np.ptp(y) == 0 else np.corrcoef(x.ravel(), y.ravel())[0, 1]


def naive(function: Callable, layer: keras.Layer, mode: str, calibration: np.ndarray) -> bytes:
    """Convert a function of one signal and a layer's weights, and quantise all of it."""
    traced = tf.function(lambda signal: function(signal))
    concrete = traced.get_concrete_function(tf.TensorSpec((1, *calibration.shape[1:]), tf.float32, "signal"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], weights_of(layer))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode == "int8":
        converter.representative_dataset = lambda: ([signal[np.newaxis]] for signal in calibration)
    return converter.convert()


def tensors(model: bytes, signals: np.ndarray, name: str | None) -> np.ndarray:
    """Run a TFLite model on each signal and give the tensor of this name, or the output."""
    interpreter = Interpreter(model_content=model, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    if name is not None:
        (result,) = [tensor for tensor in interpreter.get_tensor_details() if tensor["name"] == name]
    outputs = []
    for signal in signals:
        interpreter.set_tensor(source["index"], signal[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result["index"])[0])
    return np.stack(outputs)


def scores(run: Run, mode: str) -> dict:
    """Score a trained model in our file and, where TensorFlow can make it, in the naive one."""
    signals, labels = examples(run, "validation")
    calibration = examples(run, "train")[0]
    model = run.classifier
    with tempfile.TemporaryDirectory() as folder:
        parity = export(model, f"{folder}/export", np.split(signals, [64]), mode, [calibration])["tflite"]
        ours = TFLiteClassifier(f"{folder}/export/model.tflite").probabilities(signals)
    row = {
        "kB": parity["bytes"] / 1000,
        "ms": parity["milliseconds"],
        "same top class": parity["same_top_class"],
        "largest difference": parity["largest_difference"],
        "accuracy": (ours.argmax(1) == labels).mean(),
    }
    if mode == "none" or (mode == "int8" and has_loop(model)):
        return row
    file = naive(lambda signal: tf.nn.softmax(model(signal, training=False)), model, mode, calibration)
    predicted = tensors(file, signals, None).argmax(1)
    return {
        **row,
        "naive same top class": (predicted == model.probabilities(signals).argmax(1)).mean(),
        "naive accuracy": (predicted == labels).mean(),
    }


def examples(run: Run, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the signals and labels of a part, at most as many as calibrate."""
    manifest = run.split.query("part == @part")
    manifest = manifest.sample(min(CALIBRATION_SIGNALS, len(manifest)), random_state=0).reset_index(drop=True)
    names = run.classifier.class_names
    dataset = make_dataset(manifest, pipeline_of(run).reader(), names, 64)
    return np.concatenate([signals for signals, _ in dataset]), label_indices(manifest["label"], names)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(path) for path in sys.argv[2:]])
