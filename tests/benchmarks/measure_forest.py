"""What ten lines would do: a random forest, and logistic regression, on the folds of runs of one's own data.

python tests/benchmarks/measure_forest.py RUN…    # finished runs of `tfspec train DATA`, cross-validated

Recordings are mean, deviation, least and greatest value of 40 of librosa's MFCC, below the clip's peak;
windows the same of each channel, and the logarithms of its spectrum.
"""

import sys
import warnings

import librosa
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run

PEERS = {
    "forest": RandomForestClassifier(500, random_state=0),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1)),
}


def statistics(features):
    """Summarise (…, time)."""
    return np.concatenate(
        [getattr(features, name)(axis=-1).ravel() for name in ("mean", "std", "min", "max")]
    )


def of_recording(signal, sample_rate):
    signal = np.trim_zeros(signal, "b")  # what was padded
    frame = 2 ** round(np.log2(0.032 * sample_rate))
    bands = 40 if sample_rate <= 16000 else 64
    mel = librosa.feature.melspectrogram(
        y=signal,
        sr=sample_rate,
        n_mels=bands,
        fmin=20,
        n_fft=2 * frame,
        win_length=frame,
        hop_length=frame // 2,
    )
    decibels = librosa.power_to_db(mel, ref=np.max)  # below its own peak, as the network hears it
    return statistics(librosa.feature.mfcc(S=decibels, n_mfcc=40))


def of_window(signal, _):
    spectra = np.log(np.abs(np.fft.rfft(signal, axis=0)) + 1e-3)
    return np.concatenate([statistics(signal.T), spectra[:: max(1, len(spectra) // 60)].ravel()])


def main(folders):
    for folder in folders:
        ours = Run(folder).metrics()["accuracy"]
        for name, accuracy in accuracies(folder).items():
            print(f"{folder}: {name} {accuracy:.3f}, the run {ours:.3f}")


def accuracies(folder):
    """Score each peer on the folds of a run."""
    run = Run(folder)
    found = {}
    steps, split = pipeline_of(run), run.split
    read, summarise = steps.reader(), of_window if steps.name == "windows" else of_recording
    features = np.stack([summarise(read(split.iloc[[i]])[0], read.sample_rate) for i in range(len(split))])
    for name, peer in PEERS.items():
        right = []
        for fold in sorted(split["fold"].unique()):
            held_out = (split["fold"] == fold).to_numpy()
            peer.fit(features[~held_out], split["label"][~held_out])
            right.append(peer.predict(features[held_out]) == split["label"][held_out].to_numpy())
        found[name] = np.concatenate(right).mean()
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
