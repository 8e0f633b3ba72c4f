"""Recordings with annotated tones, from the files to events: what sounds when."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import PurePath

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from tfspec.base.errors import UserError
from tfspec.cli.main import main
from tfspec.data.sources.columns import Columns
from tfspec.data.sources.own_recordings import inspect_own_recordings
from tfspec.data.splits import shared_groups
from tfspec.experiment.calibrated import calibrated_model
from tfspec.experiment.events import evaluate_events, known_events, without_unknown
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.reporting import page_of
from tfspec.experiment.run import Run
from tfspec.experiment.splitting import checked_split, folds_of
from tfspec.inference import detect, event_thresholds, find_events, load_model
from tfspec.inference.pseudo_labels import Sure
from tfspec.models import event_head
from tfspec.pipelines import OwnRecordings
from tfspec.report.event_pictures import WIDTH
from tfspec.scores.events import event_scores
from tfspec.scores.frames import RecordingFrames, events_above

RATE, SECONDS = 8000, 12
TONES = {"high": 2500, "low": 600}


def write_tones(folder, recordings, first=0):
    """Write noise in which tones sound now and then, two at once sometimes, and Audacity's labels of them."""
    folder.mkdir(parents=True, exist_ok=True)
    events = []
    for number in range(first, first + recordings):
        rng = np.random.default_rng(number)
        sound, lines = rng.normal(0, 0.01, SECONDS * RATE), []
        for name, hertz in TONES.items():
            for place in range(3):
                start, length = 4 * place + rng.uniform(0.1, 2.5), rng.uniform(0.4, 1.3)
                first_sample, samples = round(start * RATE), round(length * RATE)
                tone = 0.2 * np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)
                sound[first_sample : first_sample + samples] += tone
                lines.append(f"{start:.4f}\t{start + length:.4f}\t{name}\n")
                events.append([f"r{number}.wav", round(start, 4), round(start + length, 4), name])
        soundfile.write(folder / f"r{number}.wav", sound, RATE)
        (folder / f"r{number}.txt").write_text("".join(lines))
    return pd.DataFrame(events, columns=["path", "start", "end", "label"])


@dataclass(kw_only=True)
class Tones(OwnRecordings):
    """Tones in recordings, by a network that is small."""

    def backbone(self, feature_shape, num_classes):
        features = keras.Input((None, *feature_shape[1:]))
        x = features
        for filters, strides in ((8, 2), (16, 2), (24, (1, 2))):
            x = keras.layers.Conv2D(filters, 3, strides, "same", activation="relu")(x)
            x = keras.layers.BatchNormalization(momentum=0.9)(x)
        logits = keras.layers.Dense(num_classes)(keras.layers.GlobalAveragePooling2D()(x))
        return event_head(keras.Model(features, logits), self.pooling)


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """A run, and recordings that it does not know."""
    folder = tmp_path_factory.mktemp("events")
    write_tones(folder / "data", 14)
    truth = write_tones(folder / "others", 3, first=100)
    run = Tones(data=folder / "data", out=folder / "run", folds=0, epochs=14, exported=False).train(verbose=0)
    return run, folder, truth


def found_in(model, folder, truth):
    tables = [
        find_events(detect(model, folder / "others" / path), event_thresholds(model)).assign(path=path)
        for path in truth["path"].unique()
    ]
    return pd.concat(tables, ignore_index=True)


def test_annotated_recordings_train_an_event_head(heard):
    run, folder, _ = heard
    assert run.config["options"]["head"] == "events" and run.config["options"]["labels"] == "several"
    assert run.classifier.frames.step == pytest.approx(0.08)
    known = known_events(run.split)
    written = write_tones(folder / "again", 14).sort_values(["path", "start", "label"], ignore_index=True)
    pd.testing.assert_frame_equal(known, written)


def test_events_are_scored_in_whole_recordings(heard):
    run, _, _ = heard
    events = run.metrics()["events"]
    assert events["event_based"][0]["collar"] == 0.2
    assert events["event_based"][0]["f1"] > 0.8 and events["segment_based"]["f1"] > 0.8
    assert 0.5 < events["psds_located"][0] <= 1
    assert {*events["event_based"][0]["classes"]} == {*TONES}
    assert tuple(events["rule"]["thresholds"]) == run.classifier.event_rule.thresholds


def test_one_recording_that_validates_says_that_none_chooses_its_thresholds(heard, capsys):
    run, _, _ = heard
    rows = run.part("validation")
    one = rows[rows["path"] == rows["path"].iloc[0]]
    for part, is_said in ((one, True), (rows, False)):
        evaluate_events(pipeline_of(run), run, [([""], part)], part, choose=True)
        assert ("no other recordings choose thresholds" in capsys.readouterr().out) == is_said


def test_what_sounds_when_is_found_in_other_recordings(heard):
    """To a frame: begin and end are off by less than 80 ms on average, and by 200 ms at most."""
    run, folder, truth = heard
    found = found_in(load_model(run.folder), folder, truth)
    scores = event_scores(truth, found, [*truth["path"].unique()], [*TONES])
    assert scores["f1"] > 0.85
    nearest = [
        found[(found["path"] == e.path) & (found["label"] == e.label)]["start"].sub(e.start).abs().min()
        for e in truth.itertuples()
    ]
    assert np.median(nearest) < 0.08


def test_the_page_draws_what_is_annotated_and_found(heard):
    run, _, _ = heard
    page = page_of(run, pipeline_of(run))
    scores = run.metrics()["events"]
    assert page.event_tables[0].rows[0][1] == f"{scores['event_based'][0]['f1']:.3f}"
    assert [row[0] for row in page.event_tables[1].rows] == ["high", "low"]
    known = known_events(run.part("validation"))
    for picture in page.event_pictures:
        own = known[known["path"] == picture.name]
        for lane in picture.lanes:
            starts = own["start"][own["label"] == lane.name] * WIDTH / SECONDS
            begins = np.array([begin for begin, _ in lane.annotated])
            np.testing.assert_allclose(begins, starts, atol=0.1)
            points = np.array([point.split() for point in lane.path[1:].split("L")], float)
            x, y = points.T
            for begin, length in lane.annotated:  # where it sounds, the line is above the threshold
                assert y[(x > begin + 10) & (x < begin + length - 10)].max(initial=0) < lane.threshold
    assert [picture.xticks[-1] for picture in page.event_pictures] == [(1.0, str(SECONDS))] * 2
    without = page_of(run)
    assert without.event_tables and not without.event_pictures and "pipeline" in without.events_note


def test_any_hop_finds_the_same(heard):
    run, folder, truth = heard
    path = folder / "others" / truth["path"][0]
    usual, other = (detect(run.classifier, path, hop) for hop in (None, 1.3))
    assert usual["start"].tolist() == other["start"].tolist() and usual["end"].iloc[-1] == SECONDS
    assert usual.filter(regex="^p_").sub(other.filter(regex="^p_")).abs().mean().max() < 0.05


@pytest.mark.slow
def test_the_exported_file_finds_the_same_without_tensorflow(heard):
    run, folder, truth = heard
    path = folder / "others" / truth["path"][0]
    pipeline_of(run).export(run)
    expected = detect(run.classifier, path)
    code = """
import sys
from tfspec.inference import detect, load_model
model, recording, table = sys.argv[1:]
detect(load_model(model), recording).to_csv(table)
assert "tensorflow" not in sys.modules
"""
    command = [sys.executable, "-c", code, run.folder / "export/model.tflite", path, folder / "lite.csv"]
    subprocess.run(command, check=True)  # a forked process has imported TensorFlow already
    received = pd.read_csv(folder / "lite.csv", index_col=0)
    pd.testing.assert_frame_equal(received, expected, atol=1e-3, check_exact=False)


def test_a_review_of_what_was_found_trains(heard, tmp_path):
    """From a run to a table, to a person's answers, to the next training; no score counts them."""
    run, folder, _ = heard
    review = tmp_path / "review.csv"
    command = ["detect", run.folder, folder / "others", "--out", tmp_path / "found.csv", "--review", review]
    main([*map(str, command)])
    table = pd.read_csv(review)
    is_owner = table["label"] == "high"
    table.assign(accepted=np.where(is_owner, "yes", "no")).to_csv(review, index=False)
    steps = Tones(data=folder / "data", review=review, folds=2)
    split = checked_split(steps)[1]
    known, judged = (split[split["only_trains"] == is_judged] for is_judged in (False, True))
    alone = checked_split(replace(steps, review=None))[1]
    pd.testing.assert_series_equal(known["fold"], alone["fold"])  # as it would be without a review
    assert len(judged) > 5 and (judged["fold"] == -1).all()
    assert set(judged["high"].dropna()) == {1} and set(judged["low"].dropna()) == {0}
    for parts in folds_of(split).values():
        held_out = parts[parts["part"] == "validation"]
        assert not held_out["only_trains"].any() and known_events(held_out) is not None
        assert (parts["part"][judged.index] == "train").all()
    assert steps.on_data(folder / "others").review is None


def test_a_review_of_held_out_groups_does_not_train_there(heard, tmp_path):
    """A pattern joins judged recordings to others of their group, which keep together."""
    _, folder, _ = heard
    (tmp_path / "new").mkdir()
    sound = np.zeros(SECONDS * RATE)
    rows = "path,start,end,label,accepted\n"
    for number in (2, 77):  # of 2 there is another recording in the data
        soundfile.write(tmp_path / "new" / f"r{number}_b.wav", sound, RATE)
        rows += f"new/r{number}_b.wav,1,2,high,no\n"
    (tmp_path / "review.csv").write_text(rows)
    given = {"data": folder / "data", "review": tmp_path / "review.csv", "groups": r"^(r\d+)"}
    split = checked_split(Tones(**given, folds=3))[1]
    fold = split["fold"][split["group"] == "r2"]
    assert fold.nunique() == 1 and (split["fold"][split["group"] == "r77"] == -1).all()
    for number, parts in folds_of(split).items():
        own = parts[parts["only_trains"] & (parts["group"] == "r2")]["part"]
        assert (own == ("unanswered" if number == fold.iloc[0] else "train")).all()
        assert (parts["part"][parts["group"] == "r77"] == "train").all()
    whole = checked_split(Tones(**given, folds=0))[1]
    assert shared_groups(whole) == [] and (whole["part"][whole["group"] == "r77"] == "train").all()


def test_a_run_teaches_another_one(heard, tmp_path, capsys, monkeypatch):
    """Windows of unlabelled recordings, in training alone and at their weight, whose frames are right."""
    run, folder, truth = heard
    others = shutil.copytree(folder / "others", tmp_path / "others")
    shutil.copy(folder / "data" / "r5.wav", others / "copy.wav")
    (others / "data").symlink_to(folder / "data")
    sound, _ = soundfile.read(folder / "data" / "r3.wav")
    soundfile.write(others / "r3_b.wav", sound[: 8 * RATE], RATE)
    given = {"data": folder / "data", "unlabelled": others, "teacher": run.folder, "folds": 2}
    steps = Tones(**given, pseudo_weight=0.25, groups=r"^(r\d+)", out=tmp_path / "run")
    monkeypatch.setattr("tfspec.experiment.pipeline.fit_members", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        steps.train(verbose=1)
    assert "Pseudo-labels: " in (said := capsys.readouterr().out) and " are not used." in said
    monkeypatch.setattr("tfspec.pipelines.self_taught.sure_windows", lambda *_: 1 / 0)
    split = Run(tmp_path / "run").split  # what goes on reads it there
    taught = split[split["only_trains"]]
    names = taught["path"].map(lambda path: PurePath(path).name)
    assert {*names} == {*truth["path"], "r3_b.wav"}  # none of the data, nor a copy
    assert (taught["loss_weight"] == 0.25).all() and (split["loss_weight"] == 1).sum() == len(split) - len(
        taught
    )
    assert steps.training(split, ["high", "low"]).weights.tolist() == split["loss_weight"].tolist()
    own = split["group"] == "r3"
    assert split["fold"][own].nunique() == 1 and (taught["fold"][~own] == -1).all()
    for cell, name, begin in zip(taught["events"], names, taught["start"], strict=True):
        events = truth[truth["path"] == name]
        for start, end, label, value in json.loads(cell):
            times = events[events["label"] == label][["start", "end"]] - begin
            inside = times["end"].clip(upper=end) - times["start"].clip(lower=start)
            if len(events):
                assert abs(inside.clip(lower=0).sum() - value * (end - start)) < 0.35


def test_a_teacher_must_fit(heard, monkeypatch):
    run, folder, _ = heard
    given = {"data": folder / "data", "unlabelled": folder / "others"}
    with pytest.raises(UserError, match="--unlabelled and --teacher"):
        Tones(**given)
    with pytest.raises(UserError, match="holds no recordings but"):
        Tones(data=folder / "data", unlabelled=folder / "data", teacher=run.folder).manifest()
    nothing = Sure(pd.DataFrame({"start": [], "end": [], "high": []}), float(SECONDS))
    with monkeypatch.context() as patched, pytest.raises(UserError, match="lower --confidence"):
        patched.setattr("tfspec.pipelines.self_taught.sure_windows", lambda *_: nothing)
        Tones(**given, teacher=run.folder).manifest()
    rows = "file,labels,part,group\nr1.wav,high;low,test,r1.wav\nr2.wav,high;low,train,r2.wav\n"
    (folder / "data" / "rows.csv").write_text(rows)
    with pytest.raises(UserError, match="trained on 1 group of those held out here"):
        Tones(**{**given, "data": folder / "data" / "rows.csv"}, teacher=run.folder, head="clip").manifest()
    (folder / "data" / "rows.csv").write_text("file,label\nr1.wav,high\nr2.wav,low\n")
    with pytest.raises(UserError, match="labels of the same kind"):
        Tones(**{**given, "data": folder / "data" / "rows.csv"}, teacher=run.folder, head="clip").manifest()
    (folder / "data" / "rows.csv").unlink()


def test_a_calibrated_model_finds_the_same_events(heard):
    run, folder, truth = heard
    model = calibrated_model(run, {"tempered": {"temperature": 0.5}})
    received, expected = (found_in(each, folder, truth) for each in (model, run.classifier))
    # To a frame of 80 ms: what is averaged over the windows that hold a frame is not the same
    pd.testing.assert_frame_equal(
        received.drop(columns="score"), expected.drop(columns="score"), atol=0.081, rtol=0
    )
    assert (received["score"] > expected["score"]).all()  # as it is twice as sure


def test_a_review_goes_with_annotations(tmp_path):
    for name in ("yes", "no"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "1.wav", np.zeros(RATE), RATE)
    with pytest.raises(UserError, match="annotated recordings"):
        OwnRecordings(data=tmp_path, review=tmp_path / "review.csv").manifest()


def test_a_run_of_an_earlier_version_says_what_is_in_slices(heard, tmp_path):
    run, _, _ = heard
    options = {
        name: value for name, value in run.config["options"].items() if name not in ("head", "pooling")
    }
    old = Run.create(tmp_path / "old", {**run.config, "options": options})
    assert pipeline_of(old).head == "clip" and pipeline_of(run).head == "events"


def test_slices_are_there_on_request(heard):
    run, _, _ = heard
    steps = OwnRecordings(data=run.folder.parent / "data", head="clip")
    manifest = steps.manifest()
    assert "events" not in manifest and steps.settled(manifest).head == "clip"


def test_only_what_keeps_the_time_of_events_changes_them():
    for head in ("clip", "events"):
        own = OwnRecordings(data="any", sample_rate=RATE, clip_seconds=2.0, head=head)
        made = own.augmentation()
        assert made.features.layers[0].bin_factor == 1.1
        assert all(layer.keeps_time for layer in made.layers) == (head == "events")
        assert not replace(own, augment=()).augmentation().layers


def test_events_do_not_go_with_all_else(heard):
    run, _, _ = heard
    steps = OwnRecordings(data=run.folder.parent / "data", head="events")
    manifest = steps.manifest()
    with pytest.raises(UserError, match="--labels one"):
        replace(steps, labels="one").settled(manifest)
    with pytest.raises(UserError, match="--head clip"):
        replace(steps, start_from=run.folder).settled(manifest)


def test_an_event_that_windows_tell_of_is_one_event(tmp_path):
    """Times on a grid of 8 kHz, whose fifth decimals are 5."""
    soundfile.write(tmp_path / "a.wav", np.zeros(60 * RATE), RATE)
    begins = np.arange(1, 58, 0.5) + 3 / 8000
    pd.DataFrame([begins, begins + 0.25, ["owl"] * len(begins)]).T.to_csv(
        tmp_path / "a.txt", sep="\t", header=False, index=False
    )
    rows = inspect_own_recordings(tmp_path, Columns(), 4.0, with_events=True)
    known = known_events(rows)
    np.testing.assert_allclose(known["start"].astype(float), begins, atol=1e-6)


def test_what_nobody_knows_is_not_scored(tmp_path):
    """An annotation without a label is at 10 s, and an owl whose times were swapped at 15 s.

    What is found there is neither right nor wrong."""
    soundfile.write(tmp_path / "a.wav", np.zeros(20 * RATE), RATE)
    (tmp_path / "a.txt").write_text("2\t3\towl\n10\t12.5\t\n11\t12\twren\n16\t15\towl\n")
    rows = inspect_own_recordings(tmp_path, Columns(), 4.0, with_events=True)
    rows = rows[rows["problem"].isna()]
    found = RecordingFrames({"a.wav": 20.0}, {"a.wav": np.zeros((200, 2))}, 0.1)
    for begin, end in ((20, 30), (100, 125), (150, 160)):
        found.probabilities["a.wav"][begin:end] = 1
    left = without_unknown(found, rows, known_events(rows), ["owl", "wren"])
    made = events_above(left, ["owl", "wren"], (0.5, 0.5))
    assert made[["start", "label"]].values.tolist() == [
        [2.0, "owl"], [2.0, "wren"], [11.0, "wren"], [15.0, "wren"],
    ]  # fmt: skip


def test_of_what_was_looked_for_alone_nothing_else_is_known(tmp_path):
    """The competition's boxes say what is heard, or is not, in them; of the rest nobody knows."""
    (tmp_path / "train").mkdir()
    soundfile.write(tmp_path / "train" / "a.wav", np.random.default_rng(0).normal(0, 0.1, 40 * RATE), RATE)
    header = "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max\n"
    (tmp_path / "train_tp.csv").write_text(f"{header}a,3,1,10,100,11,200\n")
    (tmp_path / "train_fp.csv").write_text(f"{header}a,3,1,20,100,21,200\n")
    rows = inspect_own_recordings(tmp_path, Columns(), 4.0, with_events=True)
    told = [json.loads(cell) for cell in rows["events"]]
    assert known_events(rows) is None  # no score can be made of it
    assert set(rows["3"]) == {0, 1} and all(told)
    for start, statements in zip(rows["start"], told, strict=True):
        for begin, end, label, value in statements:
            assert label == "3" and [begin + start, end + start] == ([10, 11] if value else [20, 21])
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    shutil.copy(tmp_path / "train_tp.csv", tmp_path / "test_tp.csv")
    both = inspect_own_recordings(tmp_path, Columns(), 4.0, with_events=True)
    assert both.groupby("part")["path"].unique().map(list).to_dict() == {
        "train": ["train/a.wav"],
        "test": ["test/a.wav"],
    }
    complete = inspect_own_recordings(tmp_path, Columns(), 4.0)
    assert len(complete) > len(rows) and "events" not in complete
