from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from tfspec.data.groups import proposals
from tfspec.data.sources.simulate import write_clips
from tfspec.data.sources.simulate.calls import make_species
from tfspec.data.sources.simulate.clips import SAMPLE_RATE, _place, clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("simulate") / "clips"
    write_clips(folder, num_clips=36, num_species=3, num_places=4)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.flac"))


@pytest.mark.slow
def test_species_and_places_take_turns(folder):
    heard = [(name.split("/")[0], name.split("/")[1][:7]) for name in names(folder)]
    assert {each: heard.count(each) for each in heard} == {
        (species, f"place{place:02}"): 3 for species in ("whistle", "trill", "cry") for place in range(1, 5)
    }
    sound = soundfile.info(folder / names(folder)[0])
    assert (sound.samplerate, sound.duration, sound.channels) == (SAMPLE_RATE, 2, 1)


def test_the_places_are_taken_for_the_groups(folder):
    found = names(folder)
    first = proposals(found, [name.split("/")[0] for name in found])[0]
    assert not first.counts
    assert first.groups.nunique() == 4


def test_the_first_clips_are_the_same_whatever_their_number(folder, tmp_path):
    write_clips(tmp_path / "few", num_clips=6, num_species=3, num_places=4)
    for name in names(tmp_path / "few"):
        assert (tmp_path / "few" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("species", make_species(6, seed=0), ids=lambda species: species.kind)
def test_a_species_is_heard_where_its_call_lies_and_the_place_elsewhere(species):
    """Welch's spectra of twenty clips of one place, against that of the place alone."""
    hertz, alone = scipy.signal.welch(_place(1, seed=0), SAMPLE_RATE, nperseg=1024)
    clips = np.stack([clip(species, 1, 0, number) for number in range(20)])
    _, heard = scipy.signal.welch(clips, SAMPLE_RATE, nperseg=1024)
    above = 10 * np.log10(heard.mean(0) / alone)
    octaves = np.abs(np.log2(hertz[1:] / species.hertz))
    assert above[1:][octaves < 0.25].max() > np.median(above[1:][octaves > 2.5]) + 10
