"""Training a classifier's backbone, and going on where a killed run stopped."""

from tfspec.training.fitting import fit
from tfspec.training.keeping import Keep
from tfspec.training.metrics import CohenKappa
from tfspec.training.precision import Precision, in_float32, in_precision
from tfspec.training.progress import Phase, Progress

__all__ = ["CohenKappa", "Keep", "Phase", "Precision", "Progress", "fit", "in_float32", "in_precision"]
