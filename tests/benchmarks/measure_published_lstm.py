"""What the published STFT and LSTM come to in plain Keras, with one softmax and with two.

    python tests/benchmarks/measure_published_lstm.py DATA [SEED …]

DATA is a folder of class folders, of which the eight words of mini_speech_commands are used. About a fifth
of the speakers are held out, always the same; a fifth of the other files validates. The source's network
ends in a softmax, and its loss expects logits. Keras takes the softmax back ("one"); where a loss does not
see where its input comes from, there are two.
"""

import sys
from pathlib import Path

import keras
import librosa
import numpy as np
import tensorflow as tf
from sklearn.model_selection import GroupShuffleSplit

WORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
RATE, SECONDS = 22050, 0.8


def main(data: Path, seeds: list[int]) -> None:
    """Train with either loss, and score on the speakers who were held out."""
    paths = [path for word in WORDS for path in sorted((data / word).iterdir())]
    x, y = np.stack([spectrogram(path) for path in paths]), [WORDS.index(path.parent.name) for path in paths]
    y, speakers = np.array(y), [path.name.split("_")[0] for path in paths]
    known, others = next(GroupShuffleSplit(1, test_size=0.24, random_state=0).split(x, y, speakers))
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(known)
        train, validation = np.split(order, [int(0.8 * len(order))])
        for name, loss in LOSSES.items():
            keras.utils.set_random_seed(seed)
            model = network(x.shape[1:])
            model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
            patience = keras.callbacks.EarlyStopping(patience=2)
            held_out = (x[validation], y[validation])
            model.fit(x[train], y[train], 32, 20, validation_data=held_out, callbacks=[patience], verbose=0)
            right = model.predict(x[others], verbose=0).argmax(axis=1) == y[others]
            print(f"seed {seed}, {name} softmax: {right.mean():.3f} of {len(others)} clips", flush=True)


def spectrogram(path: Path) -> np.ndarray:
    """Compute the source's features: (frames, bins) of a clip that is cut, or padded by its last sample."""
    signal, _ = librosa.load(path, sr=RATE)
    samples = int(SECONDS * RATE)
    clip = np.pad(signal[:samples], (0, max(0, samples - len(signal))), mode="edge")
    return np.abs(librosa.stft(clip, n_fft=512, hop_length=128, center=False)).T


def network(shape: tuple[int, ...]) -> keras.Model:
    """Make the source's network, which ends in a softmax."""
    lstm = keras.layers.LSTM(256, dropout=0.1)
    return keras.Sequential([keras.Input(shape), lstm, keras.layers.Dense(len(WORDS), activation="softmax")])


def of_two_softmaxes(labels, probabilities):
    """Take probabilities for logits; the identity hides from Keras what they are."""
    return keras.losses.sparse_categorical_crossentropy(labels, tf.identity(probabilities), from_logits=True)


LOSSES = {"one": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "two": of_two_softmaxes}

if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]] or [0, 1, 2])
