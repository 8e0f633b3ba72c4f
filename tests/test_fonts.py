"""Labels of any script are drawn by a font that has it, or by a sign and one line."""

import io
import warnings
from importlib.resources import files

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from tfspec.report import fonts
from tfspec.report.figures import Picture, examples_figure

CUNEIFORM = "\U00012000"


@pytest.fixture
def one_font(tmp_path, monkeypatch):
    """A machine that has, besides matplotlib's own fonts, one with a single cuneiform sign."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0)), pen.lineTo((0, 700)), pen.lineTo((500, 0)), pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "wedge"])
    builder.setupCharacterMap({ord(CUNEIFORM): "wedge"})
    builder.setupGlyf(dict.fromkeys([".notdef", "wedge"], pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", "wedge"], (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Wedges", "styleName": "Regular"})
    builder.setupOS2(), builder.setupPost()
    builder.save(tmp_path / "wedges.ttf")
    brought = str(files("matplotlib") / "mpl-data")  # among them boxes for all characters
    own = [font for font in font_manager.fontManager.ttflist if font.fname.startswith(brought)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    for cached in (fonts._family_of, fonts._say_missing):
        cached.cache_clear()
    yield tmp_path / "wedges.ttf"
    for cached in (fonts._family_of, fonts._say_missing):
        cached.cache_clear()


def drawn(label: str):
    figure = examples_figure({label: [Picture(np.eye(3))]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO())
    return figure.axes[0].title


def test_a_script_is_drawn_by_the_font_that_has_it(one_font):
    font_manager.fontManager.addfont(one_font)
    title = drawn(f"ä {CUNEIFORM}")
    assert title.get_text() == f"ä {CUNEIFORM}" and title.get_fontfamily() == ["DejaVu Sans", "Wedges"]


def test_what_no_font_has_is_a_sign_and_said_once(one_font, capsys):
    assert drawn(CUNEIFORM * 2).get_text() == "\ufffd" * 2
    drawn(CUNEIFORM + "\U00012001")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("No font of this machine has all cuneiform characters")
    assert drawn("\U0001f438").get_text() == "\ufffd"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("No font of this machine has all symbols")
