import numpy as np
import pandas as pd
import pytest

from tfspec.base.errors import UserError
from tfspec.data.sources.reviews import read_review
from tfspec.inference.findings import Finding
from tfspec.inference.reviews import Review


def test_what_a_person_answers_comes_back(tmp_path):
    names = ["wren", "owl, great", 'ta"b', "a\u0308"]
    times = {"start": np.arange(4.0), "end": np.arange(4.0) + 1}
    events = pd.DataFrame({**times, "label": names, "score": [0.5, 0.6, 0.7, 0.8]})
    review = Review(tmp_path / "review.csv", dict.fromkeys(names, 0.5), 10)
    review.add(Finding(str(tmp_path / "in" / "a b.wav"), 60.0, None, events))
    review.write()
    table = pd.read_csv(tmp_path / "review.csv", keep_default_na=False).assign(
        accepted=["yes", "No", "", "1"]
    )
    table.to_csv(tmp_path / "review.csv", index=False)
    back = read_review(tmp_path / "review.csv")
    assert back["label"].tolist() == ["wren", "owl, great", "ä"]
    assert back["is_absent"].tolist() == [False, True, False]
    assert (back["path"] == "in/a b.wav").all() and back["problem"].isna().all()
    assert back[["start", "end"]].values.tolist() == [[0, 1], [1, 2], [3, 4]]


def test_rows_that_cannot_be_used_say_why(tmp_path):
    lines = ["a.wav\t1\t2\towl\tmaybe", "a.wav\tx\t2\towl\tyes", "a.wav\t3\t2\towl\tno", "a.wav\t1\t2\t\tyes"]
    path = tmp_path / "review.tsv"
    path.write_text("\n".join(["path\tstart\tend\tlabel\taccepted", *lines]))
    problems = read_review(path)["problem"]
    for problem, said in zip(problems, ["'maybe'", "two numbers", "ends before", "no label"], strict=True):
        assert said in problem
    path.write_text("path\tstart\n")
    with pytest.raises(UserError, match="no column end, label, accepted"):
        read_review(path)
