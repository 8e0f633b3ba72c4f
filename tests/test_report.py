"""The page of a run, without a browser."""

import base64
import dataclasses
import html.parser
import io
import json
import re
import shlex

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import soundfile
from PIL import Image
from reported import KINDS, WORDS, one, several, with_clips, write_parity, write_run

from tfspec.base.errors import UserError
from tfspec.cli import main as cli
from tfspec.cli.parsing import parse
from tfspec.experiment.comparing import compare
from tfspec.experiment.reference import reference_to
from tfspec.experiment.repeating import repeating_command
from tfspec.experiment.reporting import page_of, write_report
from tfspec.experiment.run import Run
from tfspec.pipelines import OwnRecordings, RadioSignals
from tfspec.report.answers import Answers, matrix_of
from tfspec.report.charts import HEIGHT, WIDTH, line_chart
from tfspec.report.curves import class_charts, curves_of
from tfspec.report.event_pictures import event_picture
from tfspec.report.media import picture_address, sound_address
from tfspec.report.page import Clip, Page, written
from tfspec.report.tables import group_table, score_table

VOID = {"meta", "link", "br", "image", "path", "circle", "input"}


class Parsed(html.parser.HTMLParser):
    """Tags, their attributes and the text of a page; fails where tags are not closed in order."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.text, self._open = [], [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_whole_and_asks_nothing_of_a_network(tmp_path, kind):
    run = KINDS[kind](tmp_path / "run")
    text = written(with_clips(page_of(run)))
    page = Parsed(text)
    assert len(text) < 5_000_000
    assert [attributes.keys() for attributes in page.all("script")] == [{"type", "id"}, set()]
    addresses = [value for _, found in page.tags for name, value in found.items() if name in ("src", "href")]
    assert {address.partition(":")[0] if address[0] != "#" else "#" for address in addresses} == {"data", "#"}
    assert not re.search(r"https?://", text)
    (policy,) = (
        each["content"] for each in page.all("meta") if "content" in each and "default-src" in each["content"]
    )
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert all(each["aria-label"] for each in page.all("svg") if "role" in each)
    assert all(each["aria-label"] for each in page.all("button"))
    assert not any(name.startswith("on") or name == "style" for _, found in page.tags for name in found)


def test_names_are_text_and_nothing_else(tmp_path):
    run = KINDS["hostile"](tmp_path / "run")
    page = Parsed(written(page_of(run)))
    assert {tag for tag, _ in page.tags} <= VOID | {
        *(
            "html",
            "head",
            "title",
            "style",
            "body",
            "header",
            "h1",
            "h2",
            "h3",
            "p",
            "nav",
            "ul",
            "li",
            "a",
            "main",
        ),
        *(
            "section",
            "div",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "dl",
            "dt",
            "dd",
            "button",
            "span",
            "pre",
        ),
        *("figure", "figcaption", "svg", "text", "g", "details", "summary", "script"),
    }
    text = "\n".join(page.text)
    for name in ("<script>alert(1)</script>", "\"'&`", "日本", "</style><b>", "x" * 60 + "…", "/data/<b>&"):
        assert name in text


def test_the_lists_hold_each_example_once_and_the_scores_matrix(tmp_path):
    run = KINDS["one"](tmp_path / "run")
    page = page_of(run)
    lists = json.loads(re.search(r'id="lists">(.*?)</script>', written(page))[1])
    assert sorted(place for its in lists["places"].values() for place in its) == list(range(60))
    counts = [[cell.count for cell in cells] for _, cells in page.matrix.rows]
    assert counts == run.metrics()["confusion_matrix"]
    assert all(key in lists["places"] for key in ("0-0", "1-1"))


def test_several_labels_are_found_missed_and_made_up_as_scikit_learn_counts(tmp_path):
    answers = several(["dog", "cat"], 80, groups=0)
    run = write_run(tmp_path / "run", answers)
    found = page_of(run).answers
    for place, (_, cells) in enumerate(matrix_of(found).rows):
        known = ~np.isnan(answers.truth[:, place])
        (_, wrong), (missed, right) = sklearn.metrics.confusion_matrix(
            answers.truth[known, place], found.predicted[known, place]
        )
        assert [cell.count for cell in cells] == [right, missed, wrong]


def test_mistakes_are_the_surest_and_doubt_is_the_smallest_margin():
    truth = np.eye(2)[[0, 0, 0, 1]]
    probabilities = np.array([[0.1, 0.9], [0.4, 0.6], [0.51, 0.49], [0.05, 0.95]])
    answers = Answers(["no", "yes"], list("abcd"), truth, probabilities, probabilities > 0.5)
    assert answers.surest_mistakes(5) == [0, 1]
    assert answers.most_doubtful(2, without=[1]) == [2, 0]


def test_many_classes_and_examples_stay_small():
    names, rng = [f"species {number} {'long ' * 20}" for number in range(300)], np.random.default_rng(0)
    truth, probabilities = np.eye(300)[rng.integers(0, 300, 10_000)], rng.dirichlet(np.ones(300), 10_000)
    predicted = probabilities == probabilities.max(axis=1, keepdims=True)
    answers = Answers(
        names, [f"{name} {'long ' * 20}" for name in range(10_000)], truth, probabilities, predicted
    )
    curves, note = curves_of(answers)
    page = Page("many", [], None, {}, None, [], answers, matrix_of(answers), curves=curves, curves_note=note)
    assert len(written(page)) < 2_500_000  # clips may take as much
    assert len(page.matrix.rows) == 31 and "270 classes" in page.matrix.left_out
    assert len(curves) == 40 and "260 classes" in note
    assert sum(cell.count for _, cells in page.matrix.rows for cell in cells) == 10_000


def test_classes_that_are_joined_may_be_mixed_up_among_one_another():
    truth = np.eye(70)
    wrong, some = np.roll(truth, 1, axis=1), truth.copy()
    some[:25] = wrong[:25]
    for answered, is_right in ((wrong, False), (some, True), (truth, True)):
        names = [f"c{number}" for number in range(70)]
        rows = matrix_of(Answers(names, names, truth, answered, answered > 0.5)).rows
        assert rows[-1][0] == "all others" and rows[-1][1][-1].is_right == is_right


def test_a_photograph_keeps_its_shape_and_a_spectrogram_fills_the_room():
    spectrogram = Clip(0, "a", "", "", "", "", "", "")
    assert spectrogram.room == (0, 0, 300, 190)
    assert dataclasses.replace(spectrogram, aspect=0.5).room == (102.5, 0, 95, 190)
    assert dataclasses.replace(spectrogram, aspect=3.0).room == (0, 45, 300, 100)


def test_an_accuracy_and_its_interval_are_said_in_one_unit(tmp_path):
    page = page_of(KINDS["one"](tmp_path / "run"))
    lead, trust = page.sentences[0], page.sentences[-1]
    assert lead.endswith("%.") and re.search(r"an accuracy between [\d.]+% and [\d.]+%", trust)


def test_the_worst_groups_come_first_and_not_all_of_them():
    groups = pd.DataFrame(
        {"group": [f"g{n}" for n in range(250)], "examples": 2, "accuracy": np.arange(250) / 250}
    )
    table, chart = group_table(groups.sample(frac=1, random_state=0), "accuracy")
    assert [row[0] for row in table.rows] == [f"g{n}" for n in range(200)] and "50 best groups" in table.note
    assert chart.said == "accuracy of 250 groups, from 0.000 to 0.996"
    assert [text for _, text in chart.xticks] == ["50", "100", "150", "200", "250"]
    assert chart.yticks[0] == (0.0, "0") and chart.yticks[-1] == (1.0, "1")
    table, chart = group_table(groups[:4], "accuracy")
    assert len(table.rows) == 4 and chart is None
    table, chart = group_table(groups.assign(examples=1), "accuracy")
    assert not table.rows and chart is None and "group of its own" in table.note


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (0, "Not every example"),
        (1, "All examples that are scored are of one group"),
        (2, "So few groups hardly tell"),
        (5, "Another set of 5 groups"),
    ],
)
def test_an_interval_is_shown_only_over_several_groups(tmp_path, groups, said):
    run = write_run(tmp_path / "run", one(["dog", "cat"], 40, groups))
    page = page_of(run)
    assert any(said in sentence for sentence in page.sentences)
    assert ("–" in page.scores.rows[0][1]) == (groups > 1)


def test_groups_that_nobody_knows_are_unknown_in_every_row_of_a_part():
    numbers = dict.fromkeys(["accuracy", "balanced_accuracy", "macro_f1", "kappa"], 0.5)
    scores = {
        "labels": "one",
        "groups": 0,
        "examples": 4,
        **numbers,
        "recordings": {"examples": 2, **numbers},
    }
    rows = score_table({"test part": scores}).rows
    assert [row[-2:] for row in rows] == [["4", "unknown"], ["2", "unknown"]]


def test_charts_lie_where_their_numbers_say():
    chart = line_chart("t", "x", "y", {"a": [([0, 1, 2], [0.0, np.nan, 4.0])]})
    assert chart.lines[0].dots == [(0.0, HEIGHT), (WIDTH, 0.0)]
    assert [text for _, text in chart.yticks] == ["0", "1", "2", "3", "4"]
    holds, probabilities = np.array([0, 0, 1, 1, 1]) > 0, np.array([0.1, 0.6, 0.4, 0.8, 0.9])
    roc, precision, thresholds, _ = class_charts(holds, probabilities)
    assert f"{sklearn.metrics.roc_auc_score(holds, probabilities):.3f}" in roc.said
    assert f"{sklearn.metrics.average_precision_score(holds, probabilities):.3f}" in precision.said
    assert "0.857" in thresholds.said  # three of three found, one wrong: 2 · 3 / (4 + 3)


def test_pictures_and_sounds_can_be_read_again(rng):
    def inside(address):
        return io.BytesIO(base64.b64decode(address.partition(",")[2]))

    pixels = np.asarray(Image.open(inside(picture_address(np.eye(3)[:2]))).convert("RGB"))
    yellow, violet = (253, 231, 36), (68, 1, 84)
    assert tuple(pixels[1, 0]) == yellow and tuple(pixels[0, 1]) == yellow and tuple(pixels[0, 0]) == violet
    assert Image.open(inside(picture_address(rng.normal(size=(1000, 5000))))).size == (256, 160)
    tone = 0.5 * np.sin(np.arange(12 * 16000) * 2 * np.pi * 440 / 16000)
    for rate, kind in ((16000, "MP3"), (16001, "WAV")):
        sound, found_rate = soundfile.read(inside(sound_address(tone, rate)))
        assert found_rate == rate and len(sound) / rate == pytest.approx(10, abs=0.1)
        assert sound.std() == pytest.approx(tone.std(), rel=0.05)
        assert soundfile.info(inside(sound_address(tone, rate))).format == kind


def test_a_run_of_an_earlier_version_has_a_page_and_a_command_that_repeats_it(tmp_path):
    run = KINDS["shares"](tmp_path / "run")
    write_parity(run)
    path = write_report(run)
    text = path.read_text("utf-8")
    assert path == run.folder / "report.html"
    page = page_of(run)
    assert page.command == "tfspec train '/home/a b/own.py' '--data=/data/<b>&' --epochs=3 --augment gain"
    assert "pipeline, which reads them, is not there" in text
    assert page.exported.rows[1][4:6] == ["123 kB", "1.2 ms"]
    assert [row[0] for row in page.members.rows][:2] == ["seed_0", "seed_1"]


def test_scores_of_an_earlier_version_say_less_and_do_no_harm(tmp_path):
    run = KINDS["one"](tmp_path / "run")
    kept = {name: run.metrics()[name] for name in ("accuracy", "examples", "per_class", "confusion_matrix")}
    (run.folder / "metrics.json").write_text(json.dumps(kept))
    (run.folder / "groups.csv").unlink()
    page = page_of(run)
    assert page.sentences[0].startswith(f"{round(60 * kept['accuracy'])} of 60 examples")
    assert page.groups is None and Parsed(written(page))


@pytest.mark.parametrize(
    "made",
    [
        RadioSignals(
            num_train=8, snr=(0.3, 0.8), augment=(), keep="last", patience=None, drop_remainder=True
        ),
        OwnRecordings(
            data="a b/'$x", groups="-?(.)", classes=("dog", "a;b"), clip_seconds=1.5, learning_rate=1e-7
        ),
    ],
    ids=lambda made: made.name,
)
def test_the_command_that_repeats_a_run_makes_the_same_pipeline(tmp_path, made):
    made = dataclasses.replace(made, out=tmp_path / "run")
    run = Run.create(made.out, {**reference_to(made), "options": made.options()})
    tfspec, train, name, *options = shlex.split(repeating_command(run, made))
    assert (tfspec, train, name) == ("tfspec", "train", made.name)
    again = parse(type(made), options, "tfspec", {})
    assert again.options() == {**made.options(), "out": None}


def test_shares_are_shown_as_shares(tmp_path):
    run = KINDS["shares"](tmp_path / "run")
    page = page_of(run)
    assert any("Kullback-Leibler divergence" in each for each in page.sentences)
    row = run.predictions.iloc[0]
    largest = max(WORDS, key=lambda name: row[f"true_{name}"])
    assert page.answers.true_of(0).startswith(f"{largest} {row[f'true_{largest}']:.1%}")
    whole = dataclasses.replace(page.answers, shares=np.eye(3)[page.answers.shares.argmax(axis=1)])
    assert whole.true_of(0) == f"{largest} 100.0%"
    assert all(re.fullmatch(r"\d+\.\d", count) for row in page.classes.rows for count in row[1:3])
    assert not any("Kullback" in each for each in page_of(KINDS["one"](tmp_path / "other")).sentences)


def test_names_fit_beside_the_lanes_of_a_recording():
    names = [f"Setophaga_coronata_yellow-rumped_{sound}" for sound in ("call", "song")]
    times = pd.DataFrame({"start": 0.0, "end": 1.0, "label": names})
    heard = pd.DataFrame(np.eye(2), [0.5, 1.5], names)
    drawn = event_picture("a.wav", np.zeros(16000), 8000, heard, times, times, [0.5, 0.5])
    assert [lane.name for lane in drawn.lanes] == ["Setophaga_co…-rumped_call", "Setophaga_co…-rumped_song"]


def test_numbers_of_many_runs_are_whole_in_a_narrow_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tfspec.cli.printing.console._width", 80)
    runs = [KINDS["several"](tmp_path / f"recordings_of_night_{number}").folder for number in range(5)]
    cli.main(["compare", *map(str, runs)])
    said = capsys.readouterr().out
    assert len(re.findall(r"\(0\.\d{3}–[01]\.\d{3}\)", said)) == 5 * 4
    assert max(map(len, said.splitlines())) <= 80


def test_values_of_options_are_whole_in_a_narrow_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tfspec.cli.printing.console._width", 80)
    runs = [KINDS["several"](tmp_path / f"recordings_of_night_{number}") for number in range(2)]
    data = [f"/recordings/of/the/nights/of/a/whole/summer/of/which/there/are/many/{i}" for i in range(2)]
    for run, path in zip(runs, data, strict=True):
        (run.folder / "config.json").write_text(
            json.dumps({**run.config, "options": {**run.config["options"], "data": path}})
        )
    cli.main(["compare", *(str(run.folder) for run in runs)])
    said = capsys.readouterr().out.splitlines()
    expected = ["data", *(f"  {run.folder.name}: {path}" for run, path in zip(runs, data, strict=True))]
    place = said.index("data")
    assert said[place : place + 3] == expected


def test_what_cannot_be_shown_or_compared_is_said(tmp_path):
    run, other = KINDS["one"](tmp_path / "run"), KINDS["several"](tmp_path / "other")
    with pytest.raises(UserError, match=r"test part of .* was not scored"):
        page_of(run, part="test")
    for folders, said in (
        ([run.folder], "At least two runs"),
        ([run.folder, run.folder], "given twice"),
        ([run.folder, other.folder], "cannot be compared with runs of several"),
    ):
        with pytest.raises(UserError, match=said):
            compare(folders)
    with pytest.raises(UserError, match="was not scored"):
        compare([run.folder, other.folder], "test")
