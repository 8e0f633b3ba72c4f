"""Decoding against soundfile alone in two threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import soundfile

from tfspec.data.readers import AudioReader


@pytest.fixture(scope="module", params=["wav", "flac"])
def recordings(request, tmp_path_factory):
    """Return 512 one-second recordings of noise at 16 kHz."""
    folder = tmp_path_factory.mktemp(request.param)
    rng = np.random.default_rng(0)
    names = [f"{i}.{request.param}" for i in range(512)]
    for name in names:
        soundfile.write(folder / name, 0.1 * rng.standard_normal(16000), 16000)
    return folder, pd.DataFrame({"path": names})


def _soundfile_alone(folder, rows):
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda name: soundfile.read(folder / name, dtype="float32"), rows["path"]))


def test_decode_at_the_files_rate(recordings, medians):
    """At 0.8 of soundfile's throughput or better: mono, checked for NaN, cut, in one array."""
    folder, rows = recordings
    read = AudioReader(folder, 16000, 16000)
    seconds = medians(ours=lambda: read(rows), soundfile=lambda: _soundfile_alone(folder, rows))
    assert seconds["soundfile"] / seconds["ours"] > 0.8


def test_decode_and_resample(recordings, medians):
    """Reported for scale: the peer does not resample."""
    folder, rows = recordings
    read = AudioReader(folder, 22050, 17640)
    medians(ours=lambda: read(rows), soundfile=lambda: _soundfile_alone(folder, rows))
