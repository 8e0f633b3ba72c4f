"""What ten lines would do: a random forest, and logistic regression, on the folds of runs of one's own data.

python tests/benchmarks/measure_forest.py RUN…    # finished runs of `tfspec train DATA`, cross-validated

Recordings are mean, deviation, least and greatest value of 40 of librosa's MFCC, below the clip's peak;
windows the same of each channel, and the logarithms of its spectrum. Of soundscapes, measure_own_signals.py
asks what is heard in each second, by the same statistics of it.
"""

import math
import sys
import warnings

import librosa
import numpy as np
import soundfile
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tfspec.data.sources.selections import list_events
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
        scores = Run(folder).metrics()
        ours = scores.get("accuracy", scores.get("mean_average_precision"))
        for name, score in scores_of_peers(folder).items():
            print(f"{folder}: {name} {score:.3f}, the run {ours:.3f}")


def scores_of_peers(folder):
    """Score each peer on the folds of a run: accuracy, or mean average precision of several labels."""
    run = Run(folder)
    found, classes = {}, list(run.classifier.class_names)
    is_several = run.classifier.labels == "several"
    steps, split = pipeline_of(run), run.split
    read, summarise = steps.reader(), of_window if steps.name == "windows" else of_recording
    features = np.stack([summarise(read(split.iloc[[i]])[0], read.sample_rate) for i in range(len(split))])
    truth = split[classes if is_several else "label"].to_numpy()
    for name, peer in PEERS.items():
        peer = OneVsRestClassifier(peer) if is_several else peer
        predicted = np.empty(truth.shape, float if is_several else object)
        for fold in sorted(split["fold"].unique()):
            held_out = (split["fold"] == fold).to_numpy()
            peer.fit(features[~held_out], truth[~held_out])
            predict = peer.predict_proba if is_several else peer.predict
            predicted[held_out] = predict(features[held_out])
        found[name] = average_precision_score(truth, predicted) if is_several else (predicted == truth).mean()
    return found


def segments_of_peers(train, test):
    """Score each peer by what it hears in each second of the recordings of a folder: F1 of all classes."""
    names = sorted(list_events(train)["label"].dropna().unique())
    (features, truth), (test_features, test_truth) = (seconds_of(each, names) for each in (train, test))
    return {
        name: f1_score(
            test_truth,
            OneVsRestClassifier(peer).fit(features, truth).predict(test_features),
            average="micro",
        )
        for name, peer in PEERS.items()
    }


def seconds_of(folder, class_names):
    """Return statistics of each second of a folder's recordings, and which classes' events reach into it."""
    events = list_events(folder).dropna(subset="label")
    features, truth = [], []
    for path in sorted(folder.glob("*.flac")):
        signal, rate = soundfile.read(path)
        seconds = len(signal) // rate
        features += [of_recording(each, rate) for each in signal[: seconds * rate].reshape(seconds, rate)]
        heard = np.zeros([seconds, len(class_names)], int)
        for event in events[events["path"] == path.name].itertuples():
            heard[int(event.start) : math.ceil(event.end), class_names.index(event.label)] = 1
        truth.append(heard)
    return np.stack(features), np.concatenate(truth)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
