import numpy as np
import pandas as pd
import pytest
import soundfile

from tfspec.base.errors import UserError
from tfspec.base.frames import Frames
from tfspec.data.frame_targets import FrameTargets
from tfspec.data.sources.reviews import read_review, windows_of_review
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
    assert back["label"].tolist() == ["wren", "owl, great", 'ta"b', "ä"]
    assert back["is_absent"].tolist() == [False, True, False, False]
    assert back["is_answered"].tolist() == [True, True, False, True]
    assert (back["path"] == "in/a b.wav").all() and back["problem"].isna().all()
    assert back[["start", "end"]].values.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]


def write_review(folder, rows):
    lines = [",".join(map(str, row)) for row in [("path", "start", "end", "label", "accepted"), *rows]]
    (folder / "review.csv").write_text("\n".join(lines))
    return folder / "review.csv"


def test_of_what_was_judged_nothing_else_is_known(tmp_path):
    """Frames are 1 where a class was accepted, 0 where it was rejected, and NaN wherever nobody has said."""
    data, others = tmp_path / "data", tmp_path / "others"
    for folder in (data, others):
        folder.mkdir()
        soundfile.write(folder / "a.wav", np.zeros(20 * 8000), 8000)
    path = write_review(
        tmp_path,
        [
            ("others/a.wav", 5, 6, "owl", "yes"),
            ("others/a.wav", 7, 8, "owl", "no"),
            ("others/a.wav", 7, 7.5, "wren", "no"),
            ("data/a.wav", 1, 2, "owl", "yes"),
        ],
    )
    windows = windows_of_review(path, data, 4.0, ["owl", "wren"], ["a.wav"])
    assert {*windows["path"]} == {"../others/a.wav"} and windows["only_trains"].all()
    made = FrameTargets(windows, ["owl", "wren"], Frames(0.25, 0.5, 8))
    known = {"owl": {5.0: 1, 5.5: 1, 7.0: 0, 7.5: 0}, "wren": {7.0: 0}}
    for row, start in enumerate(windows["start"]):
        for place, name in enumerate(["owl", "wren"]):
            expected = [known[name].get(start + frame / 2, np.nan) for frame in range(8)]
            np.testing.assert_array_equal(made[np.array([row])][0, 1:, place], expected)
    whole = windows.set_index("start")
    assert whole.loc[4.0, "owl"] == 1 and whole.loc[4.0, "wren"] == 0 and np.isnan(whole.loc[2.0, "wren"])


def test_a_window_is_not_without_a_class_that_may_be_in_it(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(20 * 8000), 8000)
    judged = [("a.wav", 1, 2, "owl", "no"), ("a.wav", 5, 6, "owl", "no"), ("a.wav", 7, 7.5, "wren", "no")]
    for said in ("", "maybe"):
        path = write_review(tmp_path, [*judged, ("a.wav", 6.5, 7.5, "owl", said)])
        whole = windows_of_review(path, tmp_path, 4.0, ["owl", "wren"])
        whole = whole[whole["problem"].isna()].set_index("start")
        assert whole["owl"].dropna().to_dict() == {0.0: 0, 2.0: 0}  # not answered in those from 4 and 6 s
        assert whole["wren"].dropna().to_dict() == {4.0: 0, 6.0: 0}


def test_a_review_without_an_answer_to_learn_from_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    path = write_review(tmp_path, [("a.wav", 0.1, 0.5, "owl", "")])
    with pytest.raises(UserError, match="no answer"):
        windows_of_review(path, tmp_path, 1.0, ["owl"])
    path = write_review(tmp_path, [("a.wav", 0.1, 0.5, "owl", "yes")])
    with pytest.raises(UserError, match="no answer"):
        windows_of_review(path, tmp_path, 1.0, ["owl"], annotated=["a.wav"])
    with pytest.raises(UserError, match="judges classes that the annotations do not have: owl"):
        windows_of_review(path, tmp_path, 1.0, ["wren"])
    path = write_review(tmp_path, [("a.wav", 5, 6, "owl", "yes"), ("gone.wav", 5, 6, "owl", "no")])
    problems = windows_of_review(path, tmp_path, 1.0, ["owl"])["problem"]
    assert "ends at 1 s" in problems[0] and "no such file" in problems[1]


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


def test_a_spreadsheet_may_have_put_semicolons_and_commas_into_it(tmp_path):
    path = tmp_path / "review.csv"
    text = "path;start;end;label;score;accepted\r\na.wav;1,5;2,25;owl;0,9;Yes \r\na.wav;3;4;owl;0,8;n\r\n"
    path.write_text(text, "utf-8-sig")
    back = read_review(path)
    assert back[["start", "end"]].values.tolist() == [[1.5, 2.25], [3, 4]]
    assert back["is_absent"].tolist() == [False, True] and back["problem"].isna().all()


def test_only_answers_that_can_be_used_are_counted(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", np.zeros(20 * 8000), 8000)
    rows = [(start, start + 1, "owl", said) for start, said in enumerate(["Yes ", "n", "maybe", "no"])]
    path = write_review(tmp_path, [("a.wav", *row) for row in rows] + [("a.wav", 9, 8, "owl", "no")])
    windows_of_review(path, tmp_path, 4.0, ["owl"])
    said = capsys.readouterr().out
    assert "1 events accepted, 2 rejected; 2 cannot be used (row 3: accepted is 'maybe': yes or no; r" in said
