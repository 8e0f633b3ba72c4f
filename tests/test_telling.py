"""What a training tells: lines for a log, bars for a terminal."""

import pytest

from tfspec.base.progress import at_volume, say
from tfspec.training import Progress
from tfspec.training.telling import TellEpochs

ROW = {"epoch": 8, "accuracy": 0.25, "loss": 1.5, "seconds": 2.04}


def _epoch(tmp_path, row=ROW) -> None:
    progress = Progress(tmp_path, history=[row])
    with TellEpochs(progress, 10, "fold_1") as telling:
        telling.set_params({"steps": 2})
        telling.on_epoch_begin(8)
        telling.on_train_batch_end(0)
        telling.on_train_batch_end(1)
        telling.on_epoch_end(8)


@pytest.mark.parametrize(
    ("others", "scores"),
    [
        ({}, "loss 1.500, accuracy 0.250"),
        ({"val_loss": 0.125, "val_accuracy": 0.5}, "loss 1.500, val_loss 0.125, val_accuracy 0.500"),
        ({"val_loss": float("nan")}, "loss 1.500, val_loss nan"),
    ],
)
def test_a_line_names_the_model_the_epoch_and_its_scores(tmp_path, capsys, others, scores):
    _epoch(tmp_path, ROW | others)
    said = capsys.readouterr()
    assert said.out == f"fold_1: epoch  9 of 10: {scores}, 2.0 s\n"
    assert said.err == ""


def test_in_a_terminal_there_is_a_bar_until_the_epoch_ends(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which rich takes anything for a terminal
    _epoch(tmp_path)
    said = capsys.readouterr()
    assert said.out.startswith("fold_1: epoch  9 of 10: loss")
    assert "fold_1: epoch  9 of 10" in said.err and "\x1b[?25h" in said.err  # the cursor is there again


def test_an_interrupted_epoch_takes_its_bar_away(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with pytest.raises(KeyboardInterrupt), TellEpochs(Progress(tmp_path), 10) as telling:
        telling.set_params({"steps": 2})
        telling.on_epoch_begin(0)
        raise KeyboardInterrupt
    assert capsys.readouterr().err.endswith("\x1b[?25h\r\x1b[1A\x1b[2K")


@pytest.mark.parametrize(
    ("volume", "lines", "bars"), [("quiet", 0, False), ("lines", 2, False), ("verbose", 2, True)]
)
def test_what_is_told_depends_on_the_volume(tmp_path, capsys, monkeypatch, volume, lines, bars):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with at_volume(volume), at_volume("normal" if volume == "quiet" else volume):
        say("a line")
        _epoch(tmp_path)
    said = capsys.readouterr()
    assert said.out.count("\n") == lines
    assert bool(said.err) == bars
