"""Commands that make their own data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tyro.conf import Positional

from tfspec.base.errors import UserError
from tfspec.base.options import (
    SPEAKER_PATTERN,
    AnyCount,
    ClipSpecies,
    Count,
    Decibels,
    Expression,
    Name,
    PeopleCount,
    Ratio,
    Seed,
    Share,
    SignalCount,
    SlotSeconds,
    SoundscapeSeconds,
    SoundscapeSpecies,
    SplitPart,
    StreamMinutes,
    WordCount,
    WristMinutes,
    WristRate,
)
from tfspec.base.progress import bar, track
from tfspec.base.suggestions import remedy
from tfspec.cli.help import summaries
from tfspec.cli.parsing import parse_call

DEMO_CLIPS, DEMO_EPOCHS = 360, 20


def demo(out: Path | None = None) -> None:
    """Make a folder of sounds, train a classifier on it, score, export and use it: about a minute.

    Args:
        out: run folder to write, beside one of the sounds; runs/demo-TIME if not given.
    """
    from tfspec.cli.summaries import print_run
    from tfspec.data.sources.simulate import write_clips
    from tfspec.pipelines import OwnRecordings

    out = out or Path("runs", time.strftime("demo-%Y%m%d-%H%M%S"))
    sounds = out.with_name(f"{out.name}-sounds")
    write_clips(sounds, DEMO_CLIPS, progress=bar("Simulating sounds"))
    pipeline = OwnRecordings(data=sounds, out=out, folds=0, epochs=DEMO_EPOCHS)
    run = pipeline.train()
    print_run(run, pipeline)
    _use(run.folder / "export" / "model.tflite")
    _tell(f"\nA page to look at and listen to: {run.folder / 'report.html'}")
    _tell(f"The same on sounds of your own, in a folder per class as in {sounds}: tfspec train FOLDER")


def _use(model: Path) -> None:
    """Classify a fresh clip of each species, from a place where nobody has trained or validated."""
    import numpy as np

    from tfspec.data.sources.simulate.calls import make_species
    from tfspec.data.sources.simulate.clips import NUM_SPECIES, clip
    from tfspec.inference import load_model

    tflite, species = load_model(model), make_species(NUM_SPECIES, seed=0)
    clips = np.stack([clip(each, 0, 0, DEMO_CLIPS + number) for number, each in enumerate(species)])
    _tell("\nFresh clips through the TFLite file:")
    for each, row in zip(species, tflite.probabilities(clips), strict=True):
        _tell(f"  {each.kind:8} is taken for {tflite.class_names[row.argmax()]:8} ({row.max():.0%})")


def simulate(arguments: Sequence[str]) -> None:
    """Make data of one's own, to try things out: `tfspec simulate KIND OUT [options]`."""
    kind, *options = arguments or ["--help"]
    if kind in ("-h", "--help"):
        print("usage: tfspec simulate KIND OUT [options], tfspec simulate KIND --help\n")
        print(summaries(KINDS))
    elif kind in KINDS:
        parse_call(KINDS[kind], options, f"tfspec simulate {kind}")()
    else:
        raise UserError(f"Nothing that is simulated is called {kind!r}. {remedy(kind, KINDS)}")


def _radio(
    out: Positional[Path],
    num: SignalCount = 4000,
    seed: Seed = 0,
    snr: tuple[Ratio, Ratio] | None = None,
) -> None:
    """Write a CSV table of simulated radio signals: pixels in columns 0 to 8191, and labels.

    Args:
        out: table to write, replaced if it is there; the four SETI signal classes take turns.
        num: number of signals.
        seed: same seed, same signals.
        snr: range of the signals' amplitude in units of the noise's; each class's published one if not given.
    """
    from tfspec.data.sources.pictures import write_table
    from tfspec.data.sources.simulate import BATCH, radio_batches

    batches = radio_batches(num, seed, snr)
    write_table(out, track(batches, "Simulating signals", -(-num // BATCH)))
    _tell(f"{num} signals: {out}")


def _clips(
    out: Positional[Path],
    num_clips: Count = 300,
    num_species: ClipSpecies = 6,
    num_places: Count = 15,
    seed: Seed = 0,
) -> None:
    """Write a folder of short recordings per species, as `tfspec train FOLDER` takes them.

    Args:
        out: folder to write.
        num_clips: clips of two seconds, of all species together.
        num_species: number of species.
        num_places: number of places that they are recorded at, by which the files are named.
        seed: same seed, same clips.
    """
    from tfspec.data.sources.simulate import write_clips

    write_clips(out, num_clips, num_species, num_places, seed, bar("Simulating clips"))
    _tell(f"{num_clips} clips of {num_species} species: {out}")


def _soundscapes(
    out: Positional[Path],
    num_train: Count = 80,
    num_test: AnyCount = 20,
    seconds: SoundscapeSeconds = 30.0,
    num_species: SoundscapeSpecies | None = None,
    sounds: Path | None = None,
    group_pattern: Expression = SPEAKER_PATTERN,
    seed: Seed = 0,
) -> None:
    """Write recordings in which species call, and tables of the calls, for rainforest.

    Args:
        out: folder to write.
        num_train: recordings to train on, with a call every ten seconds.
        num_test: recordings to test on.
        seconds: length of a recording; 60 were published.
        num_species: number of made-up species, 24 were published; 6 if not given.
        sounds: folder that holds a folder per class of real sounds, which become the species.
        group_pattern: regular expression with a group for what real sounds that are not to be in both parts
            share, matched at the start of file names.
        seed: same seed, same recordings.
    """
    from tfspec.data.sources.simulate import write_soundscapes

    progress = bar("Simulating soundscapes")
    write_soundscapes(out, num_train, num_test, seconds, num_species, sounds, group_pattern, seed, progress)
    _tell(f"{num_train} + {num_test} recordings of {seconds:g} s: {out}")


def _mixtures(
    out: Positional[Path],
    num_train: Count = 2000,
    num_test: AnyCount = 400,
    num_words: WordCount | None = None,
    words: Path | None = None,
    group_pattern: Expression = SPEAKER_PATTERN,
    seed: Seed = 0,
) -> None:
    """Write clips in which two words are said at once, and tables of their shares, for overlapped_speech.

    Args:
        out: folder to write.
        num_train: clips of one second to train on.
        num_test: clips to test on.
        num_words: number of words, said by made-up voices; 30 were published, 10 if not given.
        words: folder that holds a folder per word of real recordings.
        group_pattern: regular expression with a group for the speaker of real words, none of whom is in both
            parts, matched at the start of file names.
        seed: same seed, same clips.
    """
    from tfspec.data.sources.simulate import write_mixtures

    progress = bar("Simulating mixtures")
    write_mixtures(out, num_train, num_test, num_words, words, group_pattern, seed, progress)
    _tell(f"{num_train} + {num_test} clips: {out}")


def _stream(
    out: Positional[Path],
    minutes: StreamMinutes = 10.0,
    classes: tuple[Name, ...] = ("yes", "no"),
    words: Path | None = None,
    background: Path | None = None,
    snr_db: Decibels = 10.0,
    word_seconds: SlotSeconds = 5.0,
    share: Share = 0.5,
    split: Path | None = None,
    part: SplitPart = "test",
    group_pattern: Expression = SPEAKER_PATTERN,
    seed: Seed = 0,
) -> None:
    """Write a long recording in which words are said before noise, and their table, for evaluate-stream.

    Args:
        out: folder to write: stream.wav and events.csv.
        minutes: length of the recording.
        classes: words that are listened for; others are said, too, and labelled _unknown_.
        words: folder that holds a folder per word of real recordings; made-up voices if not given.
        background: folder that holds recordings of noise; made-up noise if not given.
        snr_db: by how much words are louder than the noise.
        word_seconds: from one word to the next, on the average.
        share: of the words that are listened for.
        split: split.csv of a run: only its speakers who are in one part alone are heard.
        part: of the run's split.
        group_pattern: regular expression with a group for the speaker of real words, matched at the start of
            file names.
        seed: same seed, same recording.
    """
    from tfspec.data.sources.simulate import write_stream

    progress = bar("Simulating a stream")
    write_stream(
        out, minutes, classes, words, background, snr_db, word_seconds, share, split, part, group_pattern,
        seed, progress,
    )  # fmt: skip
    _tell(f"{minutes:g} minutes with a word every {word_seconds:g} s: {out}")


def _wrist(
    out: Positional[Path],
    num_people: PeopleCount = 151,
    minutes: WristMinutes = 30.0,
    sample_rate: WristRate = 100,
    seed: Seed = 0,
) -> None:
    """Write windows of what watches feel while people do one thing after another, for capture24.

    Args:
        out: folder to write.
        num_people: number of people; all 151 are needed for the published test part.
        minutes: how long each is observed.
        sample_rate: samples per second; 100 were published.
        seed: same seed, same people.
    """
    from tfspec.data.sources.simulate import write_wrist

    write_wrist(out, num_people, minutes, sample_rate, seed, bar("Simulating people"))
    _tell(f"{num_people} people, {minutes:g} minutes each: {out}")


def _tell(text: str) -> None:
    from tfspec.cli.printing import console

    console.print(text)


KINDS: dict[str, Callable[..., None]] = {
    "clips": _clips,
    "radio": _radio,
    "soundscapes": _soundscapes,
    "mixtures": _mixtures,
    "stream": _stream,
    "wrist": _wrist,
}
"""What can be simulated, each with options of its own."""
