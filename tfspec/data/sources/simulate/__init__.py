"""Data of one's own making, in the layouts of the experiments: each is seeded, and can be learned."""

from typing import TYPE_CHECKING

from tfspec.base.lazy import lazy

if TYPE_CHECKING:
    from tfspec.data.sources.simulate.clips import write_clips
    from tfspec.data.sources.simulate.mixtures import write_mixtures
    from tfspec.data.sources.simulate.radio import (
        BATCH,
        PICTURE_SHAPE,
        RADIO_CLASSES,
        check_snr,
        kept_radio_pictures,
        radio_batches,
        radio_pictures,
        radio_signals,
        spectrogram_pictures,
    )
    from tfspec.data.sources.simulate.soundscapes import write_soundscapes
    from tfspec.data.sources.simulate.stream import write_stream
    from tfspec.data.sources.simulate.wrist import write_wrist

__all__ = [
    "BATCH",
    "PICTURE_SHAPE",
    "RADIO_CLASSES",
    "check_snr",
    "kept_radio_pictures",
    "radio_batches",
    "radio_pictures",
    "radio_signals",
    "spectrogram_pictures",
    "write_clips",
    "write_mixtures",
    "write_soundscapes",
    "write_stream",
    "write_wrist",
]

_WRITERS = {
    f"write_{name}": f"{__name__}.{name}:write_{name}"
    for name in ("clips", "mixtures", "soundscapes", "stream", "wrist")
}
_RADIO = [name for name in __all__ if name not in _WRITERS]

__getattr__, __dir__ = lazy(__name__, {**{name: f"{__name__}.radio:{name}" for name in _RADIO}, **_WRITERS})
