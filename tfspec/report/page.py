"""The page of a run: one file of HTML that asks nothing of any network.

What it shows is plain data, `Page`; the template writes it, and escapes all text.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfspec.report.answers import Answers, Matrix
from tfspec.report.charts import HEIGHT, WIDTH, Chart, Tick
from tfspec.report.curves import ClassCurves
from tfspec.report.event_pictures import LANE, PICTURE, EventPicture
from tfspec.report.event_pictures import WIDTH as LANE_WIDTH

LISTED = 50
"""Examples of a cell that are listed at most."""
LIST_BYTES = 1_000_000
"""Of all lists; where they would take more, each is shorter."""


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first cell of a row names it.

    Args:
        header: of each column.
        rows: of as many cells.
        note: what is to be said of it.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Clip:
    """An example to be looked at, and listened to where it is a sound.

    Args:
        place: among the predictions.
        name: of the example.
        true: the classes that hold.
        predicted: those that were found.
        said: the likeliest classes and their probabilities.
        picture: address of the picture.
        xlabel: what runs across.
        ylabel: what runs up.
        xticks: what is written below.
        yticks: what is written on the left.
        sound: address of the sound, "" for none.
        aspect: width by height that the picture keeps; None to fill the room there is.
    """

    place: int
    name: str
    true: str
    predicted: str
    said: str
    picture: str
    xlabel: str
    ylabel: str
    xticks: Sequence[Tick] = ()
    yticks: Sequence[Tick] = ()
    sound: str = ""
    aspect: float | None = None

    @property
    def room(self) -> tuple[float, float, float, float]:
        """Where the picture is: left, top, width and height."""
        width, height = float(WIDTH), float(HEIGHT)
        if self.aspect is not None:
            width, height = min(width, height * self.aspect), min(height, width / self.aspect)
        return (WIDTH - width) / 2, (HEIGHT - height) / 2, width, height

    @property
    def described(self) -> str:
        """What the picture shows, for who cannot see it."""
        return f"Features of {self.name}: true {self.true}, predicted {self.predicted}"


@dataclass(frozen=True)
class Page:
    """What the page of a run shows.

    Args:
        title: names the run.
        sentences: what the run came to, in words.
        scores: one row a part, and each way to predict it.
        facts: what was trained on what, by what it is.
        classes: one row a class.
        history: the learning curves.
        answers: what was predicted, None where nothing was held out.
        matrix: what was mixed up.
        mistakes: the surest wrong answers.
        doubtful: the answers that came closest to being others.
        clips_note: why there are no clips, or what was left out.
        curves: of the classes.
        curves_note: which are left out.
        event_tables: how well events are found, in all and of each class.
        event_pictures: recordings in which they are drawn.
        events_note: why there are none.
        groups: the scores of each group.
        group_chart: the same as a chart.
        members: one row a model.
        exported: one row a file.
        streams: one row a stream that a detector was scored on.
        stream_chart: false rejects against false accepts of each.
        options: what the pipeline was told and has chosen.
        environment: versions and processor.
        command: what repeats the run.
    """

    title: str
    sentences: Sequence[str]
    scores: Table | None
    facts: Mapping[str, str]
    classes: Table | None
    history: Sequence[Chart]
    answers: Answers | None = None
    matrix: Matrix | None = None
    mistakes: Sequence[Clip] = ()
    doubtful: Sequence[Clip] = ()
    clips_note: str = ""
    curves: Sequence[ClassCurves] = ()
    curves_note: str = ""
    event_tables: Sequence[Table] = ()
    event_pictures: Sequence[EventPicture] = ()
    events_note: str = ""
    groups: Table | None = None
    group_chart: Chart | None = None
    members: Table | None = None
    exported: Table | None = None
    streams: Table | None = None
    stream_chart: Chart | None = None
    options: Table | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    command: str = ""

    @property
    def lists(self) -> dict[str, Any]:
        """The examples behind each number of the matrix, for the script of the page."""
        if self.matrix is None or self.answers is None:
            return {}
        most = LISTED
        while len(json.dumps(found := self._lists(most))) > LIST_BYTES and most > 1:
            most //= 2
        return found

    def _lists(self, most: int) -> dict[str, Any]:
        assert self.matrix is not None and self.answers is not None
        places = {
            f"{row}-{column}": cell.places[:most]
            for row, (_, cells) in enumerate(self.matrix.rows)
            for column, cell in enumerate(cells)
            if cell.count
        }
        named = sorted({place for each in places.values() for place in each})
        examples = {place: [self.answers.names[place], self.answers.said_of(place)] for place in named}
        return {"places": places, "examples": examples}


def written(page: Page) -> str:
    """Write a page of a run as HTML.

    Args:
        page: what it shows; all of it is escaped.

    Returns:
        The document.

    Example:
        >>> page = Page("a <b> & c", ["All is well."], None, {}, None, [])
        >>> "<h1>a &lt;b&gt; &amp; c</h1>" in written(page)
        True
    """
    return write_template("run.html", page=page)


def write_template(name: str, **values: Any) -> str:
    """Write a template with the house's style and script, which the page allows by their checksums alone.

    Args:
        name: of the template.
        **values: what it shows.
    """
    environment = _environment()
    style, script = (_source(each) for each in ("style.css", "script.js"))
    return environment.get_template(name).render(
        style=style, script=script, style_sum=_checksum(style), script_sum=_checksum(script), **values
    )


@functools.cache
def _environment():
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfspec.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "chart_width": WIDTH,
        "chart_height": HEIGHT,
        "lane_width": LANE_WIDTH,
        "lane_height": LANE,
        "picture_height": PICTURE,
    }
    return environment


def _source(name: str) -> str:
    """Return a file of the templates that is written as it stands."""
    loader = _environment().loader
    return loader.get_source(_environment(), name)[0]


def _checksum(text: str) -> str:
    """Return how a Content-Security-Policy names what it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
