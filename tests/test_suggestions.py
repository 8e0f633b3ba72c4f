"""Names that are nearly right, or right in another library. Of the command line, see test_options."""

import inspect

import pytest

from tfspec.augment import FrequencyMask, Gain, PitchShift, TimeMask
from tfspec.base.suggestions import ELSEWHERE
from tfspec.cli.commands.detections import detect
from tfspec.cli.commands.recordings import predict
from tfspec.frontends import MFCC, Decibel, MelSpectrogram, Spectrogram
from tfspec.pipelines import Capture24, OwnRecordings, RadioSignals, Rainforest, SpeechCommands


@pytest.mark.parametrize(
    ("make", "given", "right"),
    [
        (lambda **named: MelSpectrogram(16000, **named), "n_mels", "num_mel_bins"),
        (MelSpectrogram, "sr", "sample_rate"),  # which is missing, too
        (
            lambda **named: MelSpectrogram.preset("librosa", sample_rate=8000, **named),
            "hop_length",
            "frame_step",
        ),
        (MelSpectrogram, "fmax", "upper_hz"),
        (Spectrogram, "n_fft", "fft_length"),
        (Spectrogram, "frame_lenght", "frame_length"),
        (MFCC, "n_mfcc", "num_coefficients"),
        (Decibel, "top_db", "dynamic_range_db"),
        (lambda **named: Gain(-6.0, 6.0, **named), "p", "probability"),
        (Gain, "min_gain_in_db", "min_gain_db"),
        (FrequencyMask, "freq_mask_param", "max_width"),
        (TimeMask, "sed", "seed"),
        (PitchShift, "nmae", "name"),
        (SpeechCommands, "lr", "learning_rate"),
        (RadioSignals, "batch", "batch_size"),
        (Capture24, "cv", "cross_validation"),
        (OwnRecordings, "output", "out"),
    ],
)
def test_a_constructor_names_the_argument_that_was_meant(make, given, right):
    with pytest.raises(TypeError, match=f"has no argument `{given}`. Did you mean `{right}`?"):
        make(**{given: 1})


def test_what_nothing_is_like_is_told_by_python_and_keras():
    with pytest.raises(TypeError, match="unexpected keyword argument 'xyzzy'"):
        SpeechCommands(xyzzy=1)
    with pytest.raises(ValueError, match="xyzzy"):
        Spectrogram(xyzzy=1)


def test_the_right_names_are_those_of_tfspec():
    layers = (MelSpectrogram, MFCC, Decibel, Gain, FrequencyMask)
    pipelines = (SpeechCommands, RadioSignals, Rainforest, Capture24, OwnRecordings)
    known = {name for kind in (*layers, *pipelines) for name in inspect.signature(kind).parameters}
    known |= {name for command in (predict, detect) for name in inspect.signature(command).parameters}
    assert set(ELSEWHERE) <= known | set(inspect.signature(Spectrogram).parameters)
