"""What a pipeline's manifest and split must be, before anything is made of them."""

import pandas as pd
import pytest
from keywords import Keywords

from tfspec.base.errors import UserError
from tfspec.data.readers import AudioReader
from tfspec.experiment.splitting import checked_split

GOOD = pd.DataFrame({"path": list("abcd"), "label": ["no", "yes"] * 2, "group": ["ann", "ann", "bob", "bob"]})


def split_of(manifest: pd.DataFrame, **columns) -> pd.DataFrame:
    """Split what a pipeline lists, with more columns or others, and tell what it makes of it."""

    class Own(Keywords):
        def manifest(self):
            return manifest

        def split(self, manifest):
            return manifest.assign(**{"part": ["train", "train", "validation", "validation"], **columns})

    return checked_split(Own())[1]


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (GOOD[:0], "The manifest has no examples"),
        (GOOD.set_axis([0, 1, 0, 1]), r"an index of its own; .*\. Received: 0 twice"),
        (GOOD.set_index(["group", "path"], drop=False), r"an index of its own; .*\. Received: 2 levels"),
        (
            GOOD.assign(label=[0, 1, 0, 1]),
            r"`label` of the manifest must be text, as by \.astype\(str\)\. Received: 0$",
        ),
        (GOOD.assign(problem=False), "`problem` of the manifest must be text, .* Received: False"),
        (GOOD.assign(label=["no", "yes", "no", None]), r"1 of 4 examples cannot be used: d \(no label\)"),
        (GOOD.assign(path=["a", None, "c", "d"]), r"1 of 4 examples .* \(no path\)"),
        (GOOD.drop(columns="label"), "neither a column `label` nor a column of numbers for each class"),
        (GOOD.drop(columns="group"), "The split must have the column `group`. Received: path, label, part"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(manifest, said):
    with pytest.raises(UserError, match=said):
        split_of(manifest)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"part": "valid"}, "one of train, validation, test, unanswered. Received: 'valid'"),
        ({"part": "train", "fold": [0.0, 0.0, 0.5, 0.5]}, "must be a whole number. Received: 0.5"),
        ({"part": "train", "fold": list("aabb")}, "must be a whole number. Received: 'a'"),
        ({"path": list("badc")}, "must keep the index of the manifest's rows"),
    ],
)
def test_a_split_that_cannot_be_used_says_why(columns, said):
    with pytest.raises(UserError, match=said):
        split_of(GOOD, **columns)


def test_what_is_no_problem_is_none_and_what_a_split_leaves_out_is_told(capsys):
    class Fewer(Keywords):
        def manifest(self):
            return GOOD.assign(problem="")

        def split(self, manifest):
            return manifest[:3].assign(part=["train", "train", "validation"])

    assert len(checked_split(Fewer())[1]) == 3
    assert "1 example is in no part of the split." in capsys.readouterr().out


def test_recordings_need_paths(tmp_path):
    with pytest.raises(UserError, match="column `path`, which is not there"):
        AudioReader(tmp_path, 8000, 800)(GOOD.drop(columns="path"))
