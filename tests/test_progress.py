"""How far a training came: what a run says of it, and what to remove where that cannot be used."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tfspec.base.errors import UserError
from tfspec.experiment.members import Member, check_finished
from tfspec.experiment.run import Run
from tfspec.training import Progress

HISTORY = [{"epoch": 0, "loss": 1.0}, {"epoch": 1, "loss": 0.5}]


def interrupted(folder: Path, state: str, progress: str) -> Path:
    """Make what a kill in the third epoch leaves, the state damaged."""
    for name in (state, progress, "best.keras"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"{")
    return folder


def removed_as_told(message: str):
    """Remove what a message says that is to be removed."""
    (told,) = re.findall(r"remove (.*) to train this model anew$", message)
    for path in told.split(" and "):
        Path(path).unlink()


@pytest.mark.parametrize(
    "parts", [("state-2.keras", "progress.json"), ("state/backbone.keras", "state/progress.json")]
)
@pytest.mark.parametrize("damaged", ["state", "progress"])
def test_a_training_begins_anew_once_what_is_damaged_is_removed(tmp_path, parts, damaged):
    """Also of an earlier version, where the best model so far was taken for that of a finished training."""
    folder = interrupted(tmp_path, *parts)
    if damaged == "state":
        document = {"history": HISTORY, "state": parts[0]}
        (folder / parts[1]).write_text(json.dumps(document))
    with pytest.raises(UserError) as error:
        Progress.load(folder).backbone()
    assert ("cannot be loaded" if damaged == "state" else "progress.json is damaged") in str(error.value)
    removed_as_told(str(error.value))
    assert Progress.load(folder) == Progress(folder)


def test_an_infinite_loss_is_not_the_lowest(tmp_path):
    losses = [np.inf, np.nan, 3.0, -np.inf, 2.0]
    progress = Progress(
        tmp_path, history=[{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(losses)]
    )
    assert progress.lowest() == 4
    assert Progress(tmp_path, history=progress.history[:2]).lowest() is None


def test_a_state_without_what_names_it_is_no_finished_training(tmp_path):
    (tmp_path / "best.keras").touch()
    assert Progress.load(tmp_path).finished  # of an earlier version
    (tmp_path / "state-1.keras").touch()
    assert not Progress.load(tmp_path).finished


def test_a_finished_training_whose_best_model_is_gone_says_what_to_do(tmp_path):
    Progress(tmp_path).save(finished=True)
    with pytest.raises(UserError, match=r"best\.keras is gone: put it back, or remove") as error:
        Progress.load(tmp_path)
    removed_as_told(str(error.value))
    assert Progress.load(tmp_path) == Progress(tmp_path)


def test_models_that_were_not_joined_or_are_no_longer_are_not_finished(tmp_path):
    run, members = Run.create(tmp_path, {"pipeline": "", "options": {}}), {"seed_0": Member(None, 0, None)}
    (tmp_path / "seed_0").mkdir()
    for folder in (tmp_path / "seed_0", tmp_path):
        with pytest.raises(UserError, match="is not finished: `tfspec resume"):
            check_finished(run, members)
        (folder / "best.keras").touch()
    check_finished(run, members)
