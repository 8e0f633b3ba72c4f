"""tfspec: from raw signals to trained, measured, exported classifiers by way of spectrograms.

Importing it imports next to nothing and changes nothing in the process: each name below is imported when it
is asked for. Only where Keras is there already, the layers, models, losses, optimizers and metrics are
imported at once, which registers them: so `import keras, tfspec` is enough for `keras.saving.load_model` to
read what tfspec saved. With tfspec first, `tfspec.load_model` reads it, and so does Keras after
`import tfspec.models`.
"""

import sys
from typing import TYPE_CHECKING

from tfspec._version import __version__
from tfspec.base.lazy import lazy

if TYPE_CHECKING:
    from tfspec import augment, data, frontends, models
    from tfspec.base.errors import UserError
    from tfspec.data import ArrayReader, AudioReader, Epochs, SignalSequence, make_dataset
    from tfspec.experiment.pipeline import Pipeline
    from tfspec.experiment.registry import pipeline_of
    from tfspec.experiment.run import Run
    from tfspec.inference import embed_files, load_model, predict_files
    from tfspec.training import losses, optimizers

__all__ = [
    "ArrayReader",
    "AudioReader",
    "Epochs",
    "Pipeline",
    "Run",
    "SignalSequence",
    "UserError",
    "__version__",
    "augment",
    "data",
    "embed_files",
    "frontends",
    "load_model",
    "losses",
    "make_dataset",
    "models",
    "optimizers",
    "pipeline_of",
    "predict_files",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "ArrayReader": "tfspec.data:ArrayReader",
        "AudioReader": "tfspec.data:AudioReader",
        "Epochs": "tfspec.data:Epochs",
        "Pipeline": "tfspec.experiment.pipeline:Pipeline",
        "Run": "tfspec.experiment.run:Run",
        "SignalSequence": "tfspec.data:SignalSequence",
        "UserError": "tfspec.base.errors:UserError",
        "augment": "tfspec.augment",
        "data": "tfspec.data",
        "embed_files": "tfspec.inference:embed_files",
        "frontends": "tfspec.frontends",
        "load_model": "tfspec.inference:load_model",
        "losses": "tfspec.training.losses",
        "make_dataset": "tfspec.data:make_dataset",
        "models": "tfspec.models",
        "optimizers": "tfspec.training.optimizers",
        "pipeline_of": "tfspec.experiment.registry:pipeline_of",
        "predict_files": "tfspec.inference:predict_files",
    },
)

if "keras" in sys.modules:
    from tfspec import augment, frontends, models
    from tfspec.training import losses, metrics, optimizers  # noqa: F401
