"""Pictures: they can be drawn whatever the labels are called, and show what they were given."""

import io
import itertools
import warnings

import librosa
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from rich.console import Console

from tfspec.frontends import Spectrogram
from tfspec.report import figures as report
from tfspec.report.axes import in_units
from tfspec.report.clips import clip_figure
from tfspec.report.figures import Picture
from tfspec.scores.calibration import score_distributions
from tfspec.scores.classes import score_classes
from tfspec.scores.several import score_several

WARBLER = "Setophaga_coronata_yellow-rumped_warbler"
LONG = [WARBLER, f"{WARBLER}_song", "owl"]
USED = (report.BLUE, report.ORANGE)
NAMES = ["$\\frac$", "<script>alert(1)</script>", "[red]x[/red]"]


@pytest.fixture
def scores():
    return score_classes(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]), NAMES)


def _png(figure):
    stream = io.BytesIO()
    figure.savefig(stream)
    return stream.getvalue()


def test_confusion_matrix_shows_counts_and_untrusted_names(scores):
    figure = report.confusion_matrix_figure(scores)
    assert _png(figure).startswith(b"\x89PNG")
    texts = sorted(text.get_text() for text in figure.axes[0].texts)
    assert texts == ["1", "1", "1", "1"]
    assert figure.axes[0].get_yticklabels()[1].get_text() == f"{NAMES[1][:24]}…"


def test_calibration_shows_every_tenth():
    shares = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    scores = score_distributions(shares, np.array([[0.95, 0.05], [0.6, 0.4], [0.35, 0.65]]), np.ones(2) / 2)
    figure = report.calibration_figure(scores)
    assert _png(figure).startswith(b"\x89PNG")
    np.testing.assert_allclose(figure.axes[0].lines[1].get_xydata(), [[0.625, 0.75], [0.95, 1.0]])
    assert figure.axes[0].get_title() == "calibration error 0.100"


def test_score_table_prints_names_as_they_are(scores):
    stream = io.StringIO()
    Console(file=stream, width=120).print(report.score_table(scores))
    for name in NAMES:
        assert name in stream.getvalue()


def test_spectrogram_axes_are_seconds_and_hertz():
    figure = report.spectrogram_figure(np.zeros((5, 3)), np.arange(5) / 10, np.arange(3) * 100.0, "$x")
    axes = figure.axes[0]
    assert axes.get_xlabel() == "time in s"
    assert axes.get_ylabel() == "frequency in Hz"
    assert axes.get_xlim() == pytest.approx((-0.05, 0.45))
    assert axes.get_ylim() == pytest.approx((-50, 250))
    _png(figure)


def test_the_other_figures_can_be_drawn():
    columns = ("loss", "val_loss", "accuracy", "val_accuracy")
    history = pd.DataFrame({name: [0.5, 0.4] for name in columns}).assign(member=["fold_0", "fold_1"])
    for figure in (
        report.history_figure(history),
        report.waveform_figure(np.zeros(100), 10, "$"),
        report.view_figure(Picture(np.zeros((4, 5))), "$", {"$": 0.2, "b": 0.8}, ["$"]),
    ):
        assert len(_png(figure)) > 1000


def test_history_shows_every_metric_loss_first():
    pairs = [f"{part}{name}" for part in ("", "val_") for name in ("accuracy", "kappa", "loss")]
    history = pd.DataFrame({name: [0.5, 0.4] for name in pairs}).assign(member="", seconds=1.0)
    assert [axes.get_title() for axes in report.history_figure(history).axes] == ["loss", "accuracy", "kappa"]
    recent = report.history_figure(history.assign(recent_loss=[0.3, 0.2])).axes
    assert [len(axes.lines) for axes in recent] == [3, 2, 2]
    assert list(recent[0].lines[1].get_ydata()) == [0.3, 0.2]


@pytest.mark.parametrize("number", [1, 3, 5])
def test_each_of_few_members_has_a_line_style_of_its_own(number):
    members = [f"seed_{member}" for member in range(number)]
    history = pd.DataFrame({"loss": 0.5, "val_loss": 0.4, "member": members})
    axes = report.history_figure(history).axes[0]
    styles = [[line.get_linestyle() for line in axes.lines if line.get_color() == colour] for colour in USED]
    assert [len(set(each)) for each in styles] == [number if number < 5 else 1] * 2
    said = [text.get_text() for text in axes.get_legend().get_texts()]
    assert said == ["training", "validation", *(members if number == 3 else [])]


def test_the_axis_of_a_waveform_says_what_was_measured():
    axes = report.waveform_figure(np.zeros(9), 1, "sleep", "acceleration in g").axes[0]
    assert axes.get_ylabel() == "acceleration in g"


def test_single_examples_stand_under_their_titles():
    examples = {f"${i}": [Picture(np.full((4, 5), i), "hours", "mel band")] for i in range(5)}
    figure = report.examples_figure(examples)
    assert _png(figure).startswith(b"\x89PNG")
    assert [axes.get_title() for axes in figure.axes] == [rf"\${i}" for i in range(5)] + [""] * 3
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("hours", "mel band")


def test_a_view_has_the_true_class_in_green_and_a_wrong_one_in_orange():
    probabilities = {"$a": 0.1, "b": 0.7, "c": 0.2}
    figure = report.view_figure(Picture(np.zeros((4, 5))), "x.wav", probabilities, ["c"])
    _png(figure)
    bars = figure.axes[1]
    assert bars.get_title(loc="left") == "true: c\npredicted: b"
    colours = [to_hex(patch.get_facecolor()) for patch in bars.patches]
    assert colours == [to_hex(name) for name in ("lightgrey", report.ORANGE, report.GREEN)]


def test_numbers_stand_on_the_axes_of_examples_at_the_left_and_below():
    drawn = Picture(np.zeros((129, 61)), "time", "frequency")
    picture = in_units(drawn, Spectrogram(256, 128), (8000,), 8000)
    figure = report.view_figure(picture, "x.wav", {"a": 1.0})
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time in s", "frequency in Hz")
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0", "1000", "2000", "3000", "4000"]
    assert axes.get_yticks() == pytest.approx([0, 32, 64, 96, 128])  # bins of 31.25 Hz
    seconds = [float(text.get_text()) for text in axes.get_xticklabels()]
    # Frames are 16 ms apart, and the middle of the first is at 16 ms
    assert axes.get_xticks() == pytest.approx(np.divide(seconds, 0.016) - 1)

    grid = report.examples_figure({"a": [picture] * 2, "b": [picture] * 2}).axes
    left = [axes.yaxis.get_tick_params()["labelleft"] for axes in grid]
    below = [axes.xaxis.get_tick_params()["labelbottom"] for axes in grid]
    assert list(zip(left, below, strict=True)) == [(True, False), (False, False), (True, True), (False, True)]
    assert len(_png(grid[0].figure)) > 1000


def test_axes_count_samples_where_nobody_knows_the_rate():
    drawn = Picture(np.zeros((129, 61)), "time", "frequency")
    picture = in_units(drawn, Spectrogram(256, 128), (8000,), None)
    assert (picture.xlabel, picture.ylabel) == ("time in samples", "frequency in cycles per sample")
    assert [text for _, text in picture.xticks] == ["2000", "4000", "6000"]
    assert [float(text) for _, text in picture.yticks] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_classes_that_hold_at_once_have_two_bars_each_and_their_examples():
    truth, probabilities = np.array([[1, 1, 0], [0, 1, 0]]), np.array([[0.9, 0.4, 0.1], [0.2, 0.3, 0.1]])
    scores = score_several(truth, probabilities, probabilities > 0.35, NAMES)
    axes = report.classes_figure(scores).axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([1, 0, 0, 1, 2 / 3, 0])
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [r"\$\frac\$ (1)", "<script>alert(1)</script… (2)", "[red]x[/red] (0)"]


def test_several_examples_are_a_row_a_class_in_one_scale():
    examples = {"$a": [Picture(np.zeros((4, 5)))] * 2, "b": [Picture(np.ones((4, 6)))] * 12}
    figure = report.examples_figure(examples)
    grid = np.reshape(figure.axes, (2, 10))
    assert [[len(axes.images) for axes in row] for row in grid] == [[1] * 2 + [0] * 8, [1] * 10]
    assert [row[0].get_ylabel() for row in grid] == [r"\$a", "b"]
    assert {axes.images[0].get_clim() for axes in figure.axes if axes.images} == {(0, 1)}


def test_a_clip_is_drawn_as_waveform_spectrogram_and_mel_spectrogram():
    """By librosa, told torchaudio's convention: HTK's mel scale, no area norm, mirrored at both ends."""
    clip = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    clip[:8000] *= 1e-5
    frames = {"n_fft": 512, "win_length": 400, "hop_length": 160, "pad_mode": "reflect"}
    power = np.abs(librosa.stft(clip, **frames)) ** 2
    bands = librosa.filters.mel(sr=16000, n_fft=512, n_mels=80, htk=True, norm=None)
    figure = clip_figure(clip, 16000)
    waveform, spectrogram, mel = figure.axes[:3]
    for axes, expected in (
        (spectrogram, librosa.power_to_db(power, top_db=None)),
        (mel, librosa.power_to_db(bands @ power, top_db=80)),
    ):
        image = np.asarray(axes.collections[0].get_array()).reshape(expected.shape)
        np.testing.assert_allclose(image, expected, atol=0.01)
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("time in s", "frequency in Hz")
        assert axes.get_xlim() == pytest.approx((0, 1.01), abs=0.02)
        assert axes.get_ylim() == pytest.approx((0, 8000), abs=150)  # half a band
    assert waveform.get_xlim()[1] == pytest.approx(1, abs=0.06)
    assert len(_png(figure)) > 1000


def _texts_of_long_names():
    """Figures that write long names, and the texts that do."""
    right, picture = np.arange(3), Picture(np.zeros((4, 5)))
    several = score_several(np.eye(3), np.eye(3), np.eye(3) > 0, LONG)
    matrix = report.confusion_matrix_figure(score_classes(right, right, LONG))
    yield matrix, matrix.axes[0].get_yticklabels()
    yield matrix, matrix.axes[0].get_xticklabels()
    classes = report.classes_figure(several)
    yield classes, classes.axes[0].get_yticklabels()
    titled = report.examples_figure({name: [picture] for name in LONG})
    yield titled, [axes.title for axes in titled.axes[:3]]
    rows = report.examples_figure({name: [picture] * 2 for name in LONG})
    yield rows, [axes.yaxis.label for axes in rows.axes[::2]]
    path = f"{WARBLER}/{WARBLER}_2021-03-05.wav"
    view = report.view_figure(picture, path, dict.fromkeys(LONG, 1 / 3), LONG[:1], LONG[1:])
    yield view, [view.axes[0].title, *view.axes[1].get_yticklabels(), view.axes[1]._left_title]


def test_long_names_are_within_the_figure_told_apart_and_not_over_each_other():
    for figure, texts in _texts_of_long_names():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in texts]
        assert all(figure.bbox.padded(1).containsx(x) for box in boxes for x in box.intervalx)
        assert all(figure.bbox.padded(1).containsy(y) for box in boxes for y in box.intervaly)
        assert len({text.get_text() for text in texts}) == len(texts)
        if not texts[0].get_rotation() % 90:
            assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
