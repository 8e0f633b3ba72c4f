"""The general task of windows: a sensor's signals of one's own, in arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from tfspec.augment import Augmentation, Compose, Gain, Rotation
from tfspec.base.errors import UserError
from tfspec.base.options import Batch, Count, Hertz, Name, Range, Rate, Ratio
from tfspec.base.progress import bar, say
from tfspec.data.sources.arrays import array_reader, inspect_arrays
from tfspec.pipelines.own_signals import OwnSignals
from tfspec.pipelines.window_spectra import WindowSpectra
from tfspec.report.figures import Picture

FRAMES = (25, 5)
"""How many frames of either length a window holds side by side."""
STEPS = 30
"""Frames of a window."""
SHORTEST = 2 * FRAMES[0]
"""Samples of the shortest window: two a frame."""
SAMPLED = 1000
"""Windows by which the noise is guessed."""
SAMPLED_BYTES = 2**28
"""Of these no more than fit into so much, or one."""
NOISE = 0.1
"""What may be noise, in units of the median window's deviation."""
MOST_NOISE = 1_000_000


@dataclass(kw_only=True)
class OwnWindows(OwnSignals, WindowSpectra):
    """Classify windows of a sensor's samples of one's own: `tfspec train DATA`.

    DATA is an .npz file, or a folder of .npy files: X, (windows, samples) or (windows, samples, channels); y,
    a label a window or a column a class; and maybe groups and times. What is not given is chosen from the
    data, and said.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/a.npz", X=np.zeros([4, 600, 3]), y=[0, 1, 0, 1])
        ...     OwnWindows(data=f"{folder}/a.npz").front_end().compute_output_shape((None, 600, 3))
        (None, 31, 75, 4)
    """

    name: ClassVar[str] = "windows"

    epochs: Count = 16
    batch_size: Batch = 64
    validation_batch_size: Batch = 1024
    learning_rate: Rate = 2e-3
    learning_rate_end: Ratio = 0.0
    smoothing: bool = False

    label_column: Name | None = None
    """Column of annotation-label-dictionary.csv, where one lies beside the arrays."""
    sample_rate: Hertz | None = None
    """Samples per second, where this is known."""
    log_offset: Annotated[float, Range(0, MOST_NOISE)] = 0.0
    """Added to the magnitudes before the logarithm: what is below is noise; 0 for a tenth of the median
    window's deviation."""
    augment: tuple[Literal["gain", "turn"], ...] = ("gain",)
    """What changes the training windows at random: their strength; where they have three axes, how the sensor
    is turned."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if self.sample_rate is None and self.max_hz is not None:
            raise UserError(f"max_hz needs sample_rate, too. Received: max_hz={self.max_hz:g}")
        if self.sample_rate is None and self.smoothing and self.max_gap_seconds is None:
            raise UserError("smoothing needs sample_rate, too, or max_gap_seconds.")

    @property
    def usual_frame_lengths(self):
        """Return a 25th and a fifth of a window, in even numbers, so that their middles are the same."""
        samples = self.reader().signal_shape[0]
        return tuple(2 * max(1, round(samples / number / 2)) for number in FRAMES)

    @property
    def usual_step(self):
        """Return a 30th of a window."""
        return max(1, round(self.reader().signal_shape[0] / STEPS))

    @property
    def kept(self) -> Path:
        """Folder of unpacked arrays that several runs can use."""
        return self.runs_folder / ".arrays"

    def manifest(self):
        """List the windows, and read all to find those that are no numbers."""
        manifest = inspect_arrays(self.data, self.kept, self.label_column, bar("Checking windows"))
        shape = self.reader().signal_shape
        if shape[0] < SHORTEST:
            raise UserError(
                f"A window must have at least {SHORTEST} samples, their channels on the last axis. "
                f"Received: windows of shape {shape}"
            )
        return self.of_classes(manifest)

    def reader(self):
        """Read the windows from the file."""
        return array_reader(self.data, self.kept, self.sample_rate)

    def settled(self, manifest):
        """Choose the frames, and what counts as noise."""
        if self.smoothing and "time" not in manifest:
            raise UserError("smoothing needs to know when a window was: the data have no array of times.")
        if self.smoothing and (manifest["group"] == "").all():
            raise UserError("smoothing needs to know whose a window is: the data have no array of groups.")
        chosen = replace(super().settled(manifest), frame_length=self.frame_lengths, frame_step=self.step)
        if chosen.log_offset:
            return chosen
        reader = self.reader()
        count = min(SAMPLED, len(manifest), reader.windows_in(SAMPLED_BYTES))
        some = manifest.sample(count, random_state=self.seed).sort_index()
        deviations = reader(some).std(axis=1, dtype=np.float64)  # of 1e20, float32 has no square
        noise = NOISE * float(np.median(deviations)) or 1e-6
        if noise > MOST_NOISE:
            raise UserError(
                f"Windows deviate by {noise / NOISE:.3g} from their mean, and {MOST_NOISE / NOISE:.3g} is "
                "the most. Give them in a larger unit."
            )
        say(f"Counted as noise: what is below {noise:.3g} (--log-offset), a tenth of the median deviation")
        return replace(chosen, log_offset=noise)

    def augmentation(self):
        """Change strength and direction, on request."""
        changes = [Gain(-1.3, 1.3)] * ("gain" in self.augment) + [Rotation(20.0)] * ("turn" in self.augment)
        return Augmentation(signals=Compose(changes) if changes else None)

    def picture(self, signal, features):
        """Draw the features as the network sees them."""
        return Picture(features[..., 0].T, "time", "bin")
