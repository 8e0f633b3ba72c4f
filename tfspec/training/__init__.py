"""Training a classifier's backbone, and going on where a killed run stopped."""

from tfspec.training import losses, optimizers
from tfspec.training.distilling import Teacher
from tfspec.training.fitting import fit
from tfspec.training.metrics import CohenKappa, MeanAveragePrecision, PossibleAccuracy, RecentLoss
from tfspec.training.precision import Precision, in_float32, in_precision
from tfspec.training.progress import Progress
from tfspec.training.recipe import Batches, Phase, Training

__all__ = [
    "Batches",
    "CohenKappa",
    "MeanAveragePrecision",
    "Phase",
    "PossibleAccuracy",
    "Precision",
    "Progress",
    "RecentLoss",
    "Teacher",
    "Training",
    "fit",
    "in_float32",
    "in_precision",
    "losses",
    "optimizers",
]
