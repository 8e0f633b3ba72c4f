"""What each augmentation does to one clip: pictures and sounds for docs/augmentation.md."""

from __future__ import annotations

import functools
import tempfile

import numpy as np
import soundfile
import tensorflow as tf
from pictures import (
    RATE,
    Panel,
    Pictures,
    loudest,
    make_clip,
    mel_levels,
    show_features,
    show_levels,
    show_lines,
    show_sound,
    show_waveform,
)

from tfspec import augment

PITCH_FRAME, STRETCH_FRAME = 800, 512


def change(layer: augment.RandomLayer, x: np.ndarray, seed: int = 0, **fixed) -> np.ndarray:
    """Apply a layer to one example, with what it draws from a seed except for what is fixed."""
    drawn = {**layer.sample(1, [seed, 0]), **{name: tf.constant([value]) for name, value in fixed.items()}}
    return layer.apply(tf.constant(x[np.newaxis]), drawn)[0].numpy()


@functools.cache
def before() -> Panel:
    """Show the clip."""
    return show_sound("before", make_clip())


@functools.cache
def before_as_waveform() -> Panel:
    """Show the clip against time alone."""
    return show_waveform("before", make_clip())


@functools.cache
def levels_before() -> Panel:
    """Show the clip's features, which are not heard."""
    return show_levels("before", mel_levels(make_clip()))


def heard(layers: dict[str, tuple[augment.RandomLayer, dict]]) -> list[Panel]:
    """Show the clip and what layers make of it."""
    changed = {caption: change(layer, make_clip(), **fixed) for caption, (layer, fixed) in layers.items()}
    return [before(), *(show_sound(caption, signal) for caption, signal in changed.items())]


def seen(layers: dict[str, tuple[augment.RandomLayer, dict]]) -> list[Panel]:
    """Show the clip and what layers make of it, as waveforms."""
    changed = {caption: change(layer, make_clip(), **fixed) for caption, (layer, fixed) in layers.items()}
    return [before_as_waveform(), *(show_waveform(caption, signal) for caption, signal in changed.items())]


def featured(layers: dict[str, tuple[augment.RandomLayer, dict]]) -> list[Panel]:
    """Show the clip's features and what layers make of them."""
    levels = mel_levels(make_clip())[..., np.newaxis]
    changed = {caption: change(layer, levels, **fixed)[..., 0] for caption, (layer, fixed) in layers.items()}
    return [levels_before(), *(show_levels(caption, values) for caption, values in changed.items())]


def show_noise() -> list[Panel]:
    """Show noises of three colours."""
    return heard(
        {
            "GaussianNoise: as strong at all frequencies": (augment.GaussianNoise(15, 15), {}),
            "PinkNoise: 3 dB less per octave": (augment.PinkNoise(15, 15), {}),
            "ColoredNoise(2): brown, 6 dB less per octave": (augment.ColoredNoise(2, 15, 15), {}),
        }
    )


def show_background() -> list[Panel]:
    """Show a background that is made up, too: rain and a hum."""
    rng = np.random.default_rng(0)
    time = np.arange(5 * RATE) / RATE
    drops = rng.standard_normal(len(time)) * (rng.random(len(time)) < 3e-3)
    rain = 0.1 * np.convolve(drops, np.exp(-np.arange(200) / 20))[: len(time)]
    hum = sum(0.05 * np.sin(2 * np.pi * hertz * time) for hertz in (100, 300, 700))
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(f"{folder}/rain.wav", rain + hum, RATE)
        layer = augment.BackgroundNoise(folder, RATE, 10, 10)
        return heard({"BackgroundNoise: a part of a recording of rain and a hum, 10 dB": (layer, {})})


def show_pitch() -> list[Panel]:
    """Show pitch without timing."""
    layer = augment.PitchShift(frame_length=PITCH_FRAME)
    return heard(
        {
            "PitchShift: 5 semitones lower": (layer, {"semitones": -5}),
            "PitchShift: 4 semitones higher": (layer, {"semitones": 4}),
        }
    )


def show_time() -> list[Panel]:
    """Show timing without pitch."""
    return heard(
        {
            "TimeStretch: a quarter faster": (
                augment.TimeStretch(1.25, 1.25, frame_length=STRETCH_FRAME),
                {},
            ),
            "TimeShift: 0.5 s later, wrapped round": (augment.TimeShift(1, RATE), {"shift": RATE // 2}),
            "TimeShift(wrap=False): 0.5 s earlier, then silence": (
                augment.TimeShift(1, RATE, wrap=False),
                {"shift": -RATE // 2},
            ),
        }
    )


def show_volume() -> list[Panel]:
    """Show gains."""
    return seen(
        {
            "Gain: −10 dB": (augment.Gain(-10, -10), {}),
            "VolumeControl: a fade that begins at −20 dB": (augment.VolumeControl(-20, -20, ["fade"]), {}),
            "GainDrift: a level that wanders within ±12 dB": (augment.GainDrift(12.0), {"seed": 3}),
        }
    )


def show_filters() -> list[Panel]:
    """Show lines, microphones and rooms."""
    return heard(
        {
            "BandPass: a telephone line, 300 to 3000 Hz": (
                augment.BandPass(RATE, 300, 300, 3000, 3000),
                {},
            ),
            "Shelf: 12 dB more on one side of 1500 Hz": (
                augment.Shelf(RATE, 12, 12, 1500, 1500),
                {"seed": 1},
            ),
            "Reverberation: a room that rings for 0.8 s": (
                augment.Reverberation(RATE, 0.8, 0.8, 0, 0),
                {},
            ),
        }
    )


def show_measured() -> list[Panel]:
    """Show a room that is made up, as if it had been measured: two echoes."""
    response = np.zeros(RATE // 2)
    response[[RATE // 100, RATE * 21 // 100, RATE * 36 // 100]] = 0.5, -0.3, 0.2
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(f"{folder}/walls.wav", response, RATE)
        layer = augment.ImpulseResponse(folder, RATE)
        return heard({"ImpulseResponse: echoes after 0.2 s and 0.35 s": (layer, {})})


def show_faults() -> list[Panel]:
    """Show what recorders and radio links do."""
    return seen(
        {
            "Clipping: at a fifth of the peak": (augment.Clipping(0.2, 0.2), {}),
            "PacketLoss: a third of the packets of 20 ms": (
                augment.PacketLoss(RATE // 50, 0.33, 0.33),
                {},
            ),
        }
    )


def show_polarity() -> list[Panel]:
    """Show a sign turned round, which nobody hears."""
    clip = make_clip()
    turned = change(augment.Polarity(1.0), clip)
    return [show_waveform("before, 20 ms", clip, 0.4, 0.42), show_waveform("Polarity", turned, 0.4, 0.42)]


def show_masks() -> list[Panel]:
    """Show features that are covered or moved."""
    floor = loudest() - 80
    return featured(
        {
            "TimeMask: up to 15 frames, three times": (augment.TimeMask(15, 3, fill=floor), {"seed": 5}),
            "FrequencyMask: up to 12 bands, twice": (augment.FrequencyMask(12, 2, fill=floor), {"seed": 2}),
            "RandomCrop: up to 16 frames and bands away": (augment.RandomCrop(16, fill=floor), {"seed": 2}),
        }
    )


def show_warps() -> list[Panel]:
    """Show features of other voices and microphones."""
    floor = loudest() - 80
    warp = {"time_factor": 1.3, "time_shift": 0.0, "bin_factor": 1.0, "bin_shift": 5.0}
    return featured(
        {
            "Warp: slower, and five bands higher": (augment.Warp(2, 0, 1.1, 6, fill=floor), warp),
            "FrequencyResponse: another microphone": (augment.FrequencyResponse(10.0), {"seed": 4}),
        }
    )


def show_rendering() -> list[Panel]:
    """Show a picture of a spectrum as two other programs would have drawn it."""
    levels = np.maximum(mel_levels(make_clip()), loudest() - 80)
    rows, columns = np.arange(len(levels)), np.arange(levels.shape[1])
    layer = augment.Rendering(max_noise=0.2, fold=0.5, invert=0.5)
    drawn = {"before": levels}
    for place, seed in enumerate((1, 4), start=1):
        drawn[f"Rendering: draw {place}"] = change(layer, levels, seed)
    return [
        show_features(caption, values, rows, columns, "brightness", "column of the picture")
        for caption, values in drawn.items()
    ]


def show_rotation() -> list[Panel]:
    """Show an accelerometer that was put on askew."""
    times = np.arange(100) / 50
    swing = np.sin(2 * np.pi * 1.5 * times)
    still = np.stack([0.3 * swing, 0.1 * swing**2, 1 + 0.1 * swing], axis=1).astype("float32")
    turned = change(augment.Rotation(60.0), still, degrees=40.0)
    names = ("x", "y", "z")
    return [
        show_lines(caption, values, times, "acceleration in g", names, ylim=(-1.2, 1.4))
        for caption, values in {"before": still, "Rotation: by 40 degrees": turned}.items()
    ]


def show_mix_up() -> list[Panel]:
    """Show two clips in one."""
    pair = np.stack([make_clip(), make_clip()[::-1]])
    mixed, _ = augment.MixUp(0.4, 0.4, probability=1)((tf.constant(pair), tf.one_hot([0, 1], 2)))
    captions = ("one, label 1 : 0", "another, label 0 : 1", "MixUp: 0.6 of one, label 0.6 : 0.4")
    return [
        show_sound(caption, each) for caption, each in zip(captions, [*pair, mixed[0].numpy()], strict=True)
    ]


def show_chain() -> list[Panel]:
    """Show draws of one chain."""
    chain = augment.Compose(
        [
            augment.OneOf([augment.GaussianNoise(5, 20), augment.PinkNoise(5, 20)]),
            augment.PitchShift(frame_length=PITCH_FRAME, probability=0.7),
            augment.TimeShift(0.5, RATE),
            augment.VolumeControl(),
        ]
    )
    return heard({f"Compose: draw {seed}": (chain, {"seed": seed}) for seed in (1, 2, 3)})


PICTURES: Pictures = {
    "noise": show_noise,
    "background": show_background,
    "pitch": show_pitch,
    "time": show_time,
    "volume": show_volume,
    "filters": show_filters,
    "measured": show_measured,
    "faults": show_faults,
    "polarity": show_polarity,
    "masks": show_masks,
    "warps": show_warps,
    "rendering": show_rendering,
    "rotation": show_rotation,
    "mix_up": show_mix_up,
    "chain": show_chain,
}
