"""tfspec: from raw signals to trained, measured, exported classifiers by way of spectrograms.

Importing this package registers its layers and models with Keras, so that `keras.saving.load_model` reads
what it saved.
"""

from tfspec.cli import quiet as _quiet  # noqa: F401, I001  first, before anything imports TensorFlow
from tfspec import augment, data, frontends, models
from tfspec import training as _training  # noqa: F401  whose metric is registered, too
from tfspec._version import __version__
from tfspec.base.errors import UserError
from tfspec.training import losses, optimizers

__all__ = ["UserError", "__version__", "augment", "data", "frontends", "losses", "models", "optimizers"]
