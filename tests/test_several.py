"""Labels of which several can hold at once, from the manifest to what is exported."""

import json

import hypothesis
import keras
import numpy as np
import pandas as pd
import pytest
import soundfile
from agreement import some_examples
from hypothesis import strategies as st
from several_tones import HERTZ, RATE, SeveralTones, write_clips
from sklearn import metrics

from tfspec import UserError
from tfspec.augment import Augmentation, MixUp
from tfspec.cli import main as cli
from tfspec.cli import summaries
from tfspec.data import ArrayReader, Epochs, SignalSequence, make_dataset
from tfspec.data.label_targets import targets
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.frontends import Spectrogram
from tfspec.inference import detect, event_thresholds, find_events, load_model, predict_files
from tfspec.models import Classifier, at_temperature, conv2d, ensemble
from tfspec.scores.evaluation import Predicted, evaluate
from tfspec.scores.several import score_several, score_several_groups, tempered_sigmoid
from tfspec.scores.thresholds import choose_thresholds, cross_fitted_thresholds

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


# ---------------------------------------------------------------- scores


@st.composite
def several_labels(draw):
    """Draw labels, of which some are unknown, maybe all of a class, and probabilities with ties."""
    rows, classes = draw(st.tuples(st.integers(1, 20), st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    truth = (rng.random((rows, classes)) < draw(st.floats(0, 1))).astype(float)
    truth[rng.random(truth.shape) < draw(st.floats(0, 1))] = np.nan
    return truth, rng.integers(0, 9, truth.shape) / 8


@some_examples
@hypothesis.given(several_labels())
def test_scores_of_several_labels_are_those_of_scikit_learn_on_what_is_known(drawn):
    truth, probabilities = drawn
    known, holds = ~np.isnan(truth), probabilities >= 0.5
    names = [*"abcde"[: truth.shape[1]]]
    scores = score_several(truth, probabilities, holds, names)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    f1, precisions = [], []
    for k, of_class in enumerate(scores["per_class"].values()):
        y, p, h = (each[known[:, k], k] for each in (truth, probabilities, holds))
        received = [of_class[name] for name in ("precision", "recall", "f1")]
        if len(y):
            expected = metrics.precision_recall_fscore_support(y, h, average="binary", zero_division=0)
            np.testing.assert_allclose(received, expected[:3])
        assert (of_class["examples"], of_class["unknown"]) == (y.sum(), (~known[:, k]).sum())
        f1 += [of_class["f1"]] if y.any() else []
        if 0 < y.sum() < len(y):
            assert of_class["auc"] == pytest.approx(metrics.roc_auc_score(y, p))
            precisions.append(metrics.average_precision_score(y, p))
            assert of_class["average_precision"] == pytest.approx(precisions[-1])
    assert scores["macro_f1"] == pytest.approx(np.mean(f1) if f1 else 0)
    flat = metrics.f1_score(truth[known], holds[known], zero_division=0) if known.any() else 0
    assert scores["micro_f1"] == pytest.approx(flat)
    assert scores["mean_average_precision"] == (pytest.approx(np.mean(precisions)) if precisions else None)
    right = [(truth[i] == holds[i])[known[i]].all() for i in range(len(truth)) if known[i].any()]
    assert scores["exact"] == pytest.approx(np.mean(right) if right else 0)


@some_examples
@hypothesis.given(several_labels())
def test_unknown_labels_are_ranked_as_if_they_were_not_there(drawn):
    """scikit-learn's label ranking, example by example without its unknown classes, weighed by its labels."""
    truth, probabilities = drawn
    total, count = 0.0, 0.0
    for y, p in zip(truth, probabilities, strict=True):
        known = ~np.isnan(y)
        if y[known].any():
            ranked = metrics.label_ranking_average_precision_score(y[known][None], p[known][None])
            total, count = total + ranked * y[known].sum(), count + y[known].sum()
    received = score_several(truth, probabilities, truth > 0, [*"abcde"[: truth.shape[1]]])["lwlrap"]
    assert received == (pytest.approx(total / count) if count else None)


@some_examples
@hypothesis.given(several_labels())
def test_no_threshold_has_a_higher_f1_than_the_chosen_one(drawn):
    truth, probabilities = drawn
    for y, p, chosen in zip(truth.T, probabilities.T, choose_thresholds(truth, probabilities), strict=True):
        y, p = y[~np.isnan(y)], p[~np.isnan(y)]
        if not y.any():
            assert chosen == 0.5
        else:
            best = max(metrics.f1_score(y, p > each) for each in np.arange(8) / 8)
            assert metrics.f1_score(y, p >= chosen) == pytest.approx(best)


def random_predictions(rng, count=400, groups=40):
    """Labels that have nothing to do with the probabilities."""
    truth = (rng.random((count, 3)) < 0.2).astype(float)
    names = pd.Series([f"{i}.wav" for i in range(count)], name="file")
    group = pd.Series([f"g{i % groups}" for i in range(count)])
    return Predicted(NAMES, truth, {"": rng.random((count, 3)).astype(np.float32)}, names, group, "several")


def test_thresholds_of_a_group_do_not_depend_on_its_own_labels(rng):
    truth, probabilities = (rng.random((60, 2)) < 0.4).astype(float), rng.random((60, 2))
    groups = pd.Series(np.repeat([*"abcdefghij"], 6))
    before = cross_fitted_thresholds(truth, probabilities, groups)
    for name in "adj":
        its = (groups == name).to_numpy()
        changed = np.where(its[:, np.newaxis], 1 - truth, truth)
        after = cross_fitted_thresholds(changed, probabilities, groups)
        np.testing.assert_array_equal(after[its], before[its])
        assert (after != before).any()


def test_what_is_learnt_by_heart_does_not_score():
    """On a few labels that are noise, the best thresholds look good where they were chosen alone."""
    optimistic, honest = [], []
    for seed in range(10):
        predicted = random_predictions(np.random.default_rng(seed), count=40)
        thresholds = choose_thresholds(predicted.truth, predicted.probabilities)
        holds = predicted.probabilities >= thresholds
        optimistic.append(score_several(predicted.truth, predicted.probabilities, holds, NAMES)["macro_f1"])
        others = cross_fitted_thresholds(predicted.truth, predicted.probabilities, predicted.groups)
        holds = predicted.probabilities >= others
        honest.append(score_several(predicted.truth, predicted.probabilities, holds, NAMES)["macro_f1"])
    assert np.mean(honest) < np.mean(optimistic) - 0.05


def test_held_out_thresholds_are_applied_as_they_are(rng):
    held_out = evaluate(random_predictions(rng), np.full(3, 0.2)).scores
    other = random_predictions(rng)
    other.truth[::3, 1] = np.nan
    found = evaluate(other, np.full(3, 0.2), held_out)
    thresholds = [of_class["threshold"] for of_class in held_out["per_class"].values()]
    assert thresholds == [of_class["threshold"] for of_class in found.scores["per_class"].values()]
    assert found.scores["tempered"]["temperature"] == held_out["tempered"]["temperature"]
    holds = other.probabilities >= np.array(thresholds)
    joined = [";".join(name for name, is_there in zip(NAMES, row, strict=True) if is_there) for row in holds]
    assert found.predictions["predicted"].tolist() == joined
    there = [";".join(np.array(NAMES)[row == 1]) for row in other.truth]
    assert found.predictions["label"].tolist() == there
    np.testing.assert_array_equal(found.predictions[[f"true_{name}" for name in NAMES]], other.truth)
    nothing = evaluate(other, np.full(3, 0.2), {}).scores
    assert {of_class["threshold"] for of_class in nothing["per_class"].values()} == {0.5}
    assert "tempered" not in nothing


def test_calibration_of_decisions_is_the_log_loss_and_the_distance_in_tenths(rng):
    predicted = random_predictions(rng)
    truth = predicted.truth.copy()
    truth[rng.random(truth.shape) < 0.3] = np.nan
    scores = evaluate(Predicted(**{**vars(predicted), "truth": truth}), np.full(3, 0.2)).scores
    known = ~np.isnan(truth)
    y, p = truth[known], predicted.probabilities[known].astype(float)
    assert scores["cross_entropy"] == pytest.approx(metrics.log_loss(y, p))
    assert scores["cross_entropy_prior"] == pytest.approx(metrics.log_loss(y, np.full(len(y), 0.2)))
    tenth = np.floor(10 * p)
    gaps = [abs(y[tenth == i].mean() - p[tenth == i].mean()) * (tenth == i).mean() for i in range(10)]
    assert scores["calibration_error"] == pytest.approx(sum(gaps), rel=1e-5)
    warmer = tempered_sigmoid(p, scores["tempered"]["temperature"])
    for temperature in (0.9, 1.1):
        other = tempered_sigmoid(p, temperature * scores["tempered"]["temperature"])
        assert metrics.log_loss(y, warmer) <= metrics.log_loss(y, other)
    assert scores["tempered"]["cross_entropy"] == pytest.approx(metrics.log_loss(y, warmer))


def test_groups_are_scored_by_themselves_and_drawn_anew(rng, monkeypatch):
    """The intervals are those of a bootstrap by hand, whose precisions are scikit-learn's."""
    times = rng.multinomial(20, np.full(20, 1 / 20), size=6)
    for module in ("groups", "several"):
        monkeypatch.setattr(f"tfspec.scores.{module}.draw_anew", lambda *_: np.split(times, 2))
    predicted = random_predictions(rng, count=200, groups=20)
    truth, p, groups = predicted.truth, predicted.probabilities, predicted.groups
    truth[rng.random(truth.shape) < 0.2] = np.nan
    holds = p >= 0.4
    table, intervals = score_several_groups(truth, p, holds, groups)
    its = (groups == "g7").to_numpy()
    alone = score_several(truth[its], p[its], holds[its], NAMES)
    for name in ("examples", "micro_f1", "macro_f1", "exact"):
        assert table.loc["g7", name] == pytest.approx(alone[name])
    names = np.unique(groups)
    draws = [np.concatenate([np.flatnonzero(groups == name) for name in np.repeat(names, n)]) for n in times]
    drawn = [score_several(truth[rows], p[rows], holds[rows], NAMES) for rows in draws]
    for name in ("mean_average_precision", "macro_f1", "micro_f1", "exact"):
        expected = np.quantile([scores[name] for scores in drawn], [0.025, 0.975])
        np.testing.assert_allclose(intervals[name], expected)


def test_what_cannot_be_ranked_has_no_interval(rng):
    """As in tables that say what is heard, and not what is not."""
    predicted = random_predictions(rng, count=40, groups=8)
    truth = np.where(predicted.truth == 1, 1.0, np.nan)
    truth[:, 0] = 1
    p = predicted.probabilities
    _, intervals = score_several_groups(truth, p, p >= 0.4, predicted.groups)
    assert score_several(truth, p, p >= 0.4, NAMES)["mean_average_precision"] is None
    assert "mean_average_precision" not in intervals and "macro_f1" in intervals


def test_without_all_groups_there_are_no_intervals(rng):
    predicted = random_predictions(rng, count=20)
    predicted.groups.iloc[:] = "P1"
    found = evaluate(predicted, np.full(3, 0.2))
    assert (found.scores["groups"], found.scores["intervals"], len(found.groups)) == (1, {}, 1)
    predicted.groups.iloc[3] = ""
    found = evaluate(predicted, np.full(3, 0.2))
    assert (found.scores["groups"], found.scores["intervals"], len(found.groups)) == (0, {}, 0)


# ---------------------------------------------------------------- from clips to events


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several") / "clips"
    write_clips(folder)
    return folder


@pytest.fixture(scope="module")
def run(clips):
    out = clips.parent / "run"
    SeveralTones(data=clips, out=out).train(verbose=0)
    return Run(out)


def test_tones_at_once_are_learnt_and_scored_on_what_is_known(run, capsys):
    scores, split = run.metrics(), run.split
    assert scores["labels"] == "several"
    assert scores["mean_average_precision"] > 0.95 and run.metrics("test")["macro_f1"] > 0.8
    assert list(scores["intervals"]) == ["micro_f1", "macro_f1", "exact", "mean_average_precision"]
    validation = split[split["part"] == "validation"]
    truth = targets(validation, [*HERTZ], "several")
    table = run.predictions
    for k, name in enumerate(HERTZ):
        known = ~np.isnan(truth[:, k])
        holds = table["predicted"].str.split(";").map(lambda names, name=name: name in names)
        expected = metrics.f1_score(truth[known, k], holds[known])
        assert scores["per_class"][name]["f1"] == pytest.approx(expected)
        assert scores["per_class"][name]["unknown"] == (~known).sum() > 0
    assert {"val_mean_average_precision", "val_loss"} <= set(run.history)
    for name in ("classes", "calibration", "history", "examples", "in_training"):
        assert run.figure(name).exists()
    summaries.print_scores(scores, run.folder)
    assert "macro F1" in capsys.readouterr().out


def test_the_test_part_is_held_to_the_thresholds_of_the_validation_part(run):
    chosen = [of_class["threshold"] for of_class in run.metrics()["per_class"].values()]
    tested = [of_class["threshold"] for of_class in run.metrics("test")["per_class"].values()]
    assert list(load_model(run.folder).thresholds) == chosen == tested
    table = pd.read_csv(run.evaluation_folder(part="test") / "predictions.csv", keep_default_na=False)
    for name, threshold in zip(HERTZ, chosen, strict=True):
        holds = table["predicted"].str.split(";").map(lambda names, name=name: name in names)
        np.testing.assert_array_equal(holds, table[f"p_{name}"] >= threshold)


@pytest.mark.slow
def test_a_run_goes_on_from_its_folder(run):
    (run.folder / "metrics.json").rename(run.folder / "before.json")
    pipeline_of(run).resume(Run(run.folder), verbose=0)
    assert run.metrics() == json.loads((run.folder / "before.json").read_text())
    figure = pipeline_of(run).view(run, 0)
    assert figure.axes[1].get_title(loc="left").startswith("true: ")


@pytest.mark.slow
def test_exported_files_have_the_same_sigmoids_and_thresholds(run, clips, capsys):
    parity = pipeline_of(run).export(run, "int8")
    assert parity["saved_model"]["same_classes"] == 1
    assert parity["tflite"]["same_classes"] >= 0.9
    summaries.print_parity(parity, run.folder)
    assert "saved_model: same classes as Keras on 100.00% of 24 signals" in capsys.readouterr().out
    files, trained = sorted(clips.glob("*.wav"))[:20], load_model(run.folder)
    expected = predict_files(trained, files)
    for name in ("saved_model", "model.tflite"):
        model = load_model(run.folder / "export" / name)
        assert (model.labels, model.thresholds) == ("several", trained.thresholds)
    received = predict_files(model, files)
    columns = [f"p_{tone}" for tone in HERTZ]
    np.testing.assert_allclose(received[columns], expected[columns], atol=0.2)
    assert (received["predicted"] == expected["predicted"]).mean() >= 0.9


@pytest.mark.slow
def test_a_temperature_leaves_what_holds(run, clips):
    trained, temperature = load_model(run.folder), run.metrics()["tempered"]["temperature"]
    pipeline_of(run).export(run, calibrated=True)
    tempered = load_model(run.folder / "export" / "model.tflite")
    np.testing.assert_allclose(tempered.thresholds, tempered_by_hand(trained.thresholds, temperature))
    signals = SeveralTones(data=clips).reader()(run.part("test"))
    expected = tempered_by_hand(trained.probabilities(signals).astype(float), temperature)
    np.testing.assert_allclose(tempered.probabilities(signals), expected, atol=1e-4)


def tempered_by_hand(probabilities, temperature):
    p = np.asarray(probabilities)
    odds = (p / (1 - p)) ** (1 / temperature)
    return odds / (1 + odds)


def test_the_command_line_names_all_that_holds_and_says_where_nothing_does(run, clips, tmp_path, capsys):
    soundfile.write(tmp_path / "silence.wav", 0.01 * np.random.default_rng(0).standard_normal(1000), RATE)
    files = [str(clips / f"{i:03}.wav") for i in range(4)] + [str(tmp_path / "silence.wav")]
    cli.main(["predict", str(run.folder), *files])
    table, lines = predict_files(load_model(run.folder), files), capsys.readouterr().out.splitlines()
    for line, row in zip(lines, table.itertuples(), strict=True):
        names = [part.split(" (")[0] for part in line.removeprefix(f"{row.file}: ").split(", ")]
        assert ";".join(names) == (row.predicted or "none")
    assert lines[-1].endswith(": none")


def test_names_that_cannot_be_joined_are_refused_before_anything_is_trained(clips, tmp_path):
    (tmp_path / "clips").mkdir()
    table = pd.read_csv(clips / "labels.csv").rename(columns={"low": "low;deep"})
    table.to_csv(tmp_path / "clips" / "labels.csv", index=False)
    with pytest.raises(UserError, match="';' stands between labels: rename low;deep"):
        SeveralTones(data=tmp_path / "clips", out=tmp_path / "run").train(verbose=0)


def test_events_overlap_and_each_class_has_its_own_threshold(run, tmp_path):
    seconds = np.arange(8 * RATE) / RATE
    spans = {"low": (0, 6), "high": (3, 8)}
    tones = [
        0.2 * np.sin(2 * np.pi * HERTZ[name] * seconds) * ((seconds >= start) & (seconds < end))
        for name, (start, end) in spans.items()
    ]
    noise = 0.01 * np.random.default_rng(1).standard_normal(len(seconds))
    soundfile.write(tmp_path / "long.wav", sum(tones) + noise, RATE)
    model = load_model(run.folder)
    assert event_thresholds(model) == dict(zip(HERTZ, model.thresholds, strict=True))
    assert set(event_thresholds(model, 0.3).values()) == {0.3}
    events = find_events(detect(model, tmp_path / "long.wav"), event_thresholds(model))
    found = {event.label: (event.start, event.end) for event in events.itertuples()}
    assert found == spans
