"""Streaming TFLite files of a network that anybody can compute: the mean of the last samples."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfspec.export.streaming_file import DetectorSettings, StreamingFacts, StreamingState, write_facts

RATE, HOP, HOPS = 1000, 50, 4
CLASSES = ("_silence_", "up", "down")
"""The mean of the last 200 samples is above 0 for "up" and below for "down"; the rest is silence."""


def expected(samples: np.ndarray) -> np.ndarray:
    """Return the (hops, 3) probabilities of a stream's whole hops, without a ring."""
    ends = np.arange(HOP, len(samples) + 1, HOP)
    padded = np.append(np.zeros(HOP * HOPS), samples)
    means = np.array([padded[end : end + HOP * HOPS].mean() for end in ends])
    return np.stack([1 - np.abs(means), np.maximum(means, 0), np.maximum(-means, 0)], 1)


INT8 = StreamingState("state_0", (1, HOPS), "int8", scale=0.01, zero_point=-3, initial=-3)


def write_streaming(folder: Path, channels: int | None = None, is_int8: bool = False) -> Path:
    """Write streaming.tflite and streaming.json, with the means of the last hops as the state."""
    state = INT8 if is_int8 else StreamingState("state_0", (1, HOPS))

    def step(samples, state_0):
        last = tf.reduce_mean(tf.reshape(samples, [1, -1]), axis=1, keepdims=True)
        if is_int8:
            last = tf.cast(tf.round(last / INT8.scale) + INT8.zero_point, tf.int8)
        ring = tf.concat([state_0[:, 1:], last], axis=1)
        values = (tf.cast(ring, tf.float32) - INT8.zero_point) * INT8.scale if is_int8 else ring
        mean = tf.reduce_mean(values, axis=1, keepdims=True)
        probabilities = tf.concat([1 - tf.abs(mean), tf.nn.relu(mean), tf.nn.relu(-mean)], axis=1)
        return {"probabilities": probabilities, "state_0": ring}

    shape = [1, HOP] if channels is None else [1, HOP, channels]
    traced = tf.function(step).get_concrete_function(
        tf.TensorSpec(shape, name="samples"),
        tf.TensorSpec([1, HOPS], state.type, name="state_0"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    module = tf.Module()
    module.step = traced
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], module)
    (folder / "streaming.tflite").write_bytes(converter.convert())
    facts = StreamingFacts(
        classes=CLASSES,
        labels="one",
        sample_rate=RATE,
        hop_samples=HOP,
        clip_samples=HOP * HOPS,
        warm_up_hops=HOPS - 1,
        states=(state,),
        channels=channels,
        detector=DetectorSettings(0.5, smoothing_seconds=0, refractory_seconds=0.5),
    )
    write_facts(folder / "streaming.json", facts)
    return folder
