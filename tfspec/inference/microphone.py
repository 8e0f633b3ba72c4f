"""What a microphone hears, by way of the package sounddevice, which the extra `microphone` installs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfspec.base.errors import UserError
from tfspec.base.progress import remark


def microphone_blocks(sample_rate: int, num_samples: int) -> Iterator[np.ndarray]:
    """Listen to the microphone that the system has chosen, until interrupted.

    Args:
        sample_rate: samples per second.
        num_samples: of a block.

    Yields:
        (num_samples,) float32 in −1…1, as soon as they are there.

    Raises:
        UserError: sounddevice or PortAudio is not installed, or there is no microphone for this rate.
    """
    try:
        import sounddevice
    except ImportError:
        raise UserError("A microphone needs sounddevice: pip install 'tfspec[microphone]'") from None
    except OSError:  # which sounddevice raises
        raise UserError("A microphone needs the library PortAudio: apt install libportaudio2") from None
    try:
        with sounddevice.InputStream(
            samplerate=sample_rate, blocksize=num_samples, channels=1, dtype="float32"
        ) as stream:
            while True:
                block, overflowed = stream.read(num_samples)
                if overflowed:
                    remark("Samples were lost: the model takes longer than the sound.")
                yield block[:, 0]
    except sounddevice.PortAudioError as error:
        raise UserError(f"The microphone cannot be used at {sample_rate} Hz: {error}") from None
