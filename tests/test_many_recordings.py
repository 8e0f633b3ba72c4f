"""Many recordings searched: gone on with, done anew where something changed, and told on a page."""

import json
import os
import threading
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from tfspec.audio.recorded_at import recorded_at
from tfspec.base.errors import UserError
from tfspec.base.model import usually_takes
from tfspec.cli import main as cli
from tfspec.experiment.heard import Heard
from tfspec.inference.findings import EVENT_COLUMNS, Finding, Findings, model_digest
from tfspec.inference.inputs import find_inputs
from tfspec.inference.many_recordings import Outputs, detect_files
from tfspec.inference.outputs import growing_table
from tfspec.inference.reviews import Review

RATE = 1000
NAMES = ("a/SITE_20210305-060000.wav", "b 20210305_070000.flac", "none.wav")
HOSTILE = "<script>alert(1)</script> \"&' .wav"


class Loud:
    """Finds a class where the mean level of a second is high; counts the windows that it is given."""

    class_names = ("<b>loud</b>", "soft")
    labels, thresholds, sample_rate, signal_shape = "one", None, RATE, (RATE,)
    in_threads = True

    def __init__(self):
        self.windows, self._lock = 0, threading.Lock()

    @property
    def takes(self):
        return usually_takes(self.signal_shape, self.sample_rate)

    def probabilities(self, signal):
        with self._lock:
            self.windows += len(signal)
        loud = np.abs(signal).mean(1, keepdims=True)
        return np.concatenate([loud, 1 - loud], axis=1)


@pytest.fixture
def folder(tmp_path):
    """Recordings of 4 s, loud from 2 s to 3 s, and one that cannot be used."""
    (tmp_path / "in" / "a").mkdir(parents=True)
    samples = np.repeat([0.1, 0.1, 0.9, 0.1], RATE)
    for name in (*NAMES, HOSTILE.replace("/", "")):
        soundfile.write(tmp_path / "in" / name, samples, RATE)
    (tmp_path / "in" / "bad.wav").write_bytes(b"bad")
    return tmp_path / "in"


@pytest.fixture
def model(monkeypatch):
    model = Loud()
    monkeypatch.setattr("tfspec.inference.load_model", lambda path: model)
    return model


def detect(folder: Path, *options) -> int:
    try:
        cli.main(["detect", str(folder.parent / "model"), str(folder), *map(str, options)])
    except SystemExit as stop:
        return stop.code
    return 0


@pytest.fixture
def out(folder, model) -> Path:
    (folder.parent / "model").write_bytes(b"1")
    assert detect(folder, "--out", folder.parent / "events.csv") == 1
    return folder.parent / "events.csv"


def test_a_table_has_the_events_of_all_with_the_time_of_the_day(out, folder):
    table = pd.read_csv(out)
    assert [*table] == ["file", "start", "end", "label", "score", "time"]
    loud = table[table["label"] == "<b>loud</b>"]
    assert len(loud) == 4 and (loud["start"] == 2).all() and (loud["end"] == 3).all()
    times = loud.set_index("file")["time"].fillna("")
    assert times[str(folder / NAMES[0])] == "2021-03-05 06:00:02"
    assert times[str(folder / NAMES[2])] == ""


def test_what_is_done_is_not_done_again(out, folder, model, capsys):
    before, seen = out.read_bytes(), model.windows
    assert detect(folder, "--out", out) == 1
    assert model.windows == seen and out.read_bytes() == before
    assert capsys.readouterr().err.count("bad.wav cannot be used") == 1


@pytest.mark.parametrize("change", ["recording", "model", "threshold", "hop", "finding", "cut finding"])
def test_what_has_changed_is_done_anew(out, folder, model, change):
    seen, options = model.windows, ()
    of_one = seen // 4
    findings = sorted((out.parent / ".events.csv.findings").iterdir())
    if change == "recording":
        soundfile.write(folder / NAMES[2], np.full(4 * RATE, 0.9), RATE)
    elif change == "model":
        (folder.parent / "model").write_bytes(b"2")
    elif change == "threshold":
        options = ("--threshold", 0.7)
    elif change == "hop":
        options = ("--hop-seconds", 0.5)
    elif change == "finding":
        findings[0].unlink()
    else:
        findings[0].write_text(findings[0].read_text()[:-9])
    assert detect(folder, "--out", out, *options) == 1
    expected = of_one if change in ("recording", "finding", "cut finding") else seen
    assert model.windows == seen + expected
    if change == "recording":
        table = pd.read_csv(out)
        assert (table.loc[table["file"] == str(folder / NAMES[2]), "label"] == "<b>loud</b>").all()


def test_files_of_each_recording_that_are_lost_are_written_again(folder, model):
    (folder.parent / "model").write_bytes(b"1")
    options = ("--out", folder.parent / "out")
    assert detect(folder, *options) == 1
    written = {path for path in (folder.parent / "out").rglob("*.*") if path.suffix in (".csv", ".txt")}
    assert len(written) == 4 * 4 and (folder.parent / "out" / "summary.html").is_file()
    (lost,) = (path for path in written if path.name == "none.raven.txt")
    lost.unlink()
    seen = model.windows
    assert detect(folder, *options) == 1
    assert lost.exists() and model.windows == seen + seen // 4


def test_files_that_another_command_has_written_are_written_again(folder, model):
    (folder.parent / "model").write_bytes(b"1")
    options = ("--out", folder.parent / "out")
    assert detect(folder, *options) == 1
    events = next((folder.parent / "out").rglob(f"{Path(NAMES[0]).stem}.events.csv"))
    before = events.read_bytes()
    one = ("detect", folder.parent / "model", folder / NAMES[0], *options, "--threshold", 1)
    cli.main([*map(str, one)])
    assert detect(folder, *options) == 1
    assert events.read_bytes() == before and len(before.splitlines()) > 1


def test_what_somebody_has_corrected_is_not_overwritten(folder, model, capsys):
    (folder.parent / "model").write_bytes(b"1")
    options = ("--out", folder.parent / "out")
    assert detect(folder, *options) == 1
    track = next((folder.parent / "out").rglob(f"{Path(NAMES[0]).stem}.audacity.txt"))
    track.write_text("1.0\t2.0\towl\n")
    capsys.readouterr()
    assert detect(folder, *options, "--threshold", 0.9) == 1
    assert "audacity.txt has been edited since detect wrote it: move it" in capsys.readouterr().err
    assert track.read_text() == "1.0\t2.0\towl\n"


def test_what_was_interrupted_while_its_files_were_written_is_done_anew(folder, model, capsys, monkeypatch):
    (folder.parent / "model").write_bytes(b"1")
    options = ("--out", folder.parent / "out")
    assert detect(folder, *options) == 1

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Findings, "save", interrupted)
        assert detect(folder, *options, "--threshold", 0.9) == 130
    (track,) = (folder.parent / "out").rglob("none.audacity.txt")
    capsys.readouterr()
    assert detect(folder, *options, "--threshold", 0.7) == 1
    assert "edited" not in capsys.readouterr().err
    track.write_text("1.0\t2.0\towl\n")
    assert detect(folder, *options) == 1
    assert "none.audacity.txt has been edited" in capsys.readouterr().err


def test_results_are_not_written_among_recordings_nor_over_one_another(folder, model, capsys):
    (folder.parent / "model").write_bytes(b"1")
    for place in (folder, folder / "deep"):
        assert detect(folder, "--out", place) == 2
        assert "annotations the results would be taken for" in capsys.readouterr().err
    assert detect(folder, "--out", folder.parent / "a.csv", "--review", folder.parent / "a.csv") == 2
    assert "--out and --review are one file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["events.xlsx", "events.TXT", "events.json"])
def test_a_table_that_cannot_be_written_is_not_taken_for_a_folder(name, folder, model, capsys):
    assert detect(folder, "--out", folder.parent / name) == 2
    assert "must end in .csv, .tsv or .parquet" in capsys.readouterr().err
    assert not (folder.parent / name).exists()


def test_what_is_in_the_way_is_told_before_anything_is_searched(folder, model, capsys):
    (folder.parent / "model").write_bytes(b"1")
    (folder.parent / "out").write_bytes(b"1")
    assert detect(folder, "--out", folder.parent / "out") == 2
    assert "out is no folder, where a folder is to be written" in capsys.readouterr().err
    (folder.parent / "r.csv").mkdir()
    assert detect(folder, "--out", folder.parent / "e.csv", "--review", folder.parent / "r.csv") == 2
    assert "r.csv is a folder, where a file is to be written" in capsys.readouterr().err
    (folder.parent / "e.csv").write_bytes(b"1")
    assert detect(folder, "--out", folder.parent / "e.csv" / "f.csv") == 2
    assert "f.csv cannot be written, as " in capsys.readouterr().err
    assert model.windows == 0


def test_a_folder_may_have_a_dot_in_its_name(folder, model):
    (folder.parent / "model").write_bytes(b"1")
    (folder.parent / "old.json").mkdir()
    for name in ("2024.05", "old.json"):
        assert detect(folder, "--out", folder.parent / name) == 1
        assert (folder.parent / name / "summary.html").is_file()


def test_a_name_that_is_too_long_is_told_and_others_are_done(folder, model, capsys):
    (folder.parent / "model").write_bytes(b"1")
    long = folder / f"{'a' * 240}.wav"
    soundfile.write(long, np.zeros(4 * RATE), RATE)
    assert detect(folder, "--out", folder.parent / "out") == 1
    assert "its name is too long for files that are named after it" in capsys.readouterr().err
    assert next((folder.parent / "out").rglob(f"{Path(NAMES[0]).stem}.events.csv"))


def test_tables_for_raven_and_audacity_beside_a_table_of_all(folder, model, capsys):
    (folder.parent / "model").write_bytes(b"1")
    places = {"--raven": folder.parent / "raven", "--audacity": folder.parent / "labels"}
    given = [each for pair in places.items() for each in pair]
    assert detect(folder, "--out", folder.parent / "e.tsv", *given, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document[str(folder / "bad.wav")]["problem"]
    assert len(document) == 5 and len(pd.read_csv(folder.parent / "e.tsv", sep="\t")) == 4 * 3
    for path, suffix in zip(places.values(), (".raven.txt", ".audacity.txt"), strict=True):
        assert (path / f"a/SITE_20210305-060000{suffix}").read_text().count("\n") == 3 + (suffix[1] == "r")


def test_the_most_doubtful_events_are_reviewed_first_and_answers_kept(folder, model, capsys):
    (folder.parent / "model").write_bytes(b"1")
    review = folder.parent / "review.csv"
    options = ("--out", folder.parent / "e.csv", "--review", review, "--most-doubtful", 6)
    assert detect(folder, *options) == detect(folder, *options) == 1
    table = pd.read_csv(review)
    assert [*table] == ["path", "start", "end", "label", "score", "accepted"]
    doubt = np.abs(np.log(table["score"] / (1 - table["score"])))
    assert len(table) == 6 and doubt.is_monotonic_increasing and table["accepted"].isna().all()
    assert (review.parent / table["path"][0]).is_file()
    review.write_text(review.read_text().replace(",\n", ",yes\n", 1))
    assert detect(folder, *options) == 2
    assert "not an empty review" in capsys.readouterr().err and "yes" in review.read_text()


def test_the_page_escapes_names_and_asks_no_network(out):
    text = out.with_suffix(".html").read_text("utf-8")
    assert "<script" not in text and "<b>loud" not in text
    assert "&lt;b&gt;loud" in text and "%3Cscript%3E" in text
    assert text.count("<audio") >= 4 and len(text) < 5e6
    assert "http" not in text.replace("http-equiv", "")
    assert "hour 6: 900" in text  # one event in 4 s


@pytest.mark.slow
def test_a_page_of_many_stays_small(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-1, 1, 24000 * 8), 24000)
    names = [f"class {i}" for i in range(60)]
    heard = Heard(names, 24000, tmp_path / "page.html")
    rows = pd.DataFrame({"start": 0.0, "end": 8.0, "label": names, "score": 0.9})
    for _ in range(4):
        heard.add(Finding(str(tmp_path / "a.wav"), 8.0, None, rows))
    heard.write([("b.wav", "gone")] * 500, "", "tfspec detect")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert 1e6 < len(text) < 5e6
    assert "300 more files are left out" in text


def page_of(folder: Path, findings, names=("owl", "wren")) -> str:
    """The page of some recordings; each is told by its seconds, when it began, and its events."""
    soundfile.write(folder / "a.wav", np.full(4 * RATE, 0.5), RATE)
    heard = Heard(names, RATE, folder / "page.html")
    for seconds, began, rows in findings:
        events = pd.DataFrame(rows, columns=["start", "end", "label", "score"])
        heard.add(Finding(str(folder / "a.wav"), seconds, began, events))
    heard.write([], "Searched.", "tfspec detect")
    return (folder / "page.html").read_text("utf-8")


def test_the_grid_has_the_hours_that_were_recorded_and_none_of_a_single_one(tmp_path):
    owl, began = [(1.0, 2.0, "owl", 0.9)], datetime(2021, 3, 5, 6)
    one = page_of(tmp_path, [(10.0, None, owl)])
    assert "Numbers are events" not in one and "events an hour</text>" not in one
    three = page_of(tmp_path, [(5000.0, None, owl), (9000.0, None, owl)])
    assert three.count('<th scope="col">2</th>') == 1 and '<th scope="col">3</th>' not in three
    assert "counted from the beginning of each." in three
    assert '<th scope="col">23</th>' in page_of(tmp_path, [(10.0, began, owl)])
    assert "last one for all that follow" in page_of(tmp_path, [(30 * 3600.0, None, owl)])


def test_nothing_that_was_heard_has_no_interval_and_lengths_and_rates_are_easy_to_read(tmp_path):
    owls = [(second, second + 0.5, "owl", 0.9) for second in (0.0, 1.0, 2.0)]
    text = page_of(tmp_path, [(4.0, None, owls), (4.0, None, owls)])
    assert "6 events of 1 class in 8.0 seconds of recordings." in text
    assert "<td>2,700</td><td>2,700 – 2,700</td>" in text and "e+0" not in text
    assert '<th scope="row">wren</th><td>0</td><td>0</td><td></td>' in text
    assert "A class that was never heard has no interval, since" in text
    silent = page_of(tmp_path, [(90.0, None, []), (6000.0, None, [])])
    assert (
        "No events in 1.69 hours" in silent and "Searched.</p>\n<p>A lower --threshold finds more." in silent
    )


def test_an_example_ends_where_its_recording_does(tmp_path, monkeypatch):
    lengths = []
    monkeypatch.setattr(
        "tfspec.report.heard.levels_of", lambda samples, rate: lengths.append(len(samples)) or np.eye(3)
    )
    text = page_of(tmp_path, [(4.0, None, [(3.0, 5.0, "owl", 0.9)])])
    assert lengths == [1.5 * RATE] and "time in s after second 2.5" in text


def test_an_iteration_that_ends_early_leaves_recordings_off(folder, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(RATE * 3600), RATE)
    inputs, model = find_inputs([folder / NAMES[2], tmp_path / "long.wav"], "recording"), Loud()
    outputs = Outputs(RATE, None, None, None)
    found = detect_files(model, inputs, Findings(tmp_path / "found", {}), outputs, {"soft": 0.5})
    next(found)
    found.close()
    assert len(list((tmp_path / "found").iterdir())) == 1


def test_a_finding_comes_back_as_it_was(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    path.write_bytes(b"...")
    events = pd.DataFrame([[0.5, 1.25, HOSTILE, 1 / 3]], columns=EVENT_COLUMNS)
    findings, began = Findings(tmp_path / "found", {"model": "1"}), datetime(2021, 3, 5, 17, 45)
    findings.save(Finding(str(path), 60.5, began, events), findings.source_of(str(path)))
    back = findings.load(str(path))
    pd.testing.assert_frame_equal(back.events, events)
    assert (back.seconds, back.recorded_at) == (60.5, began)
    assert Findings(tmp_path / "found", {"model": "2"}).load(str(path)) is None


def test_a_model_is_known_by_what_it_holds(tmp_path):
    (tmp_path / "best.keras").write_bytes(b"a")
    digest = model_digest(tmp_path)
    (tmp_path / "history.csv").write_bytes(b"more")
    assert model_digest(tmp_path) == digest
    (tmp_path / "best.keras").write_bytes(b"b")
    assert model_digest(tmp_path) != digest
    with pytest.raises(UserError, match="No model at"):
        model_digest(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "20210305_174500.wav": datetime(2021, 3, 5, 17, 45),
        "SITE_20210305-174500.wav": datetime(2021, 3, 5, 17, 45),
        "s1-20210305T235959Z.flac": datetime(2021, 3, 5, 23, 59, 59),
        "20219905_174500_20210305_010203.wav": datetime(2021, 3, 5, 1, 2, 3),
        "120210305_174500.wav": None,
        "20210305.wav": None,
        "20210229_174500.wav": None,
    }.items(),
)
def test_when_a_recording_began_stands_in_its_name(name, expected):
    assert recorded_at(name) == expected


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("comment", "Recorded at 19:17:30 23/07/2021 (UTC) by AudioMoth", datetime(2021, 7, 23, 19, 17, 30)),
        ("date", "2021-07-23 19:17:30", datetime(2021, 7, 23, 19, 17, 30)),
        ("date", "2021-07-23T19:17:30Z", datetime(2021, 7, 23, 19, 17, 30)),
        ("date", "2021-07-23", None),
        ("comment", "nice", None),
    ],
)
def test_or_in_the_file(tmp_path, field, text, expected):
    with soundfile.SoundFile(tmp_path / "a.wav", "w", RATE, 1) as sound:
        setattr(sound, field, text)
        sound.write(np.zeros(100))
    assert recorded_at(tmp_path / "a.wav") == expected


def test_a_table_grows_piece_by_piece(tmp_path):
    pieces = [pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [3]})]
    with growing_table(tmp_path / "a.tsv") as write:
        for piece in pieces:
            write(piece)
        assert not (tmp_path / "a.tsv").exists()
    assert pd.read_csv(tmp_path / "a.tsv", sep="\t")["a"].tolist() == [1, 2, 3]
    with pytest.raises(UserError, match=r"must end in \.csv, \.tsv or \.parquet"):
        growing_table(tmp_path / "a.json")


def test_parquet_too(folder, model):
    pytest.importorskip("pyarrow")
    (folder.parent / "model").write_bytes(b"1")
    detect(folder, "--out", folder.parent / "e.parquet")
    detect(folder, "--out", folder.parent / "e.csv")
    table = pd.read_parquet(folder.parent / "e.parquet")
    expected = pd.read_csv(folder.parent / "e.csv", parse_dates=["time"])
    pd.testing.assert_frame_equal(table.astype(expected.dtypes), expected)


def test_a_review_of_nothing(tmp_path):
    Review(tmp_path / "review.csv", {"a": 0.5}, 3).write()
    assert (tmp_path / "review.csv").read_text() == "path,start,end,label,score,accepted\n"
    with pytest.raises(UserError, match="must end in"):
        Review(tmp_path / "review.xlsx", {"a": 0.5}, 3)
