"""Keywords of which a linear network learns: a pipeline of a user's own that trains in a few seconds."""

from dataclasses import dataclass
from typing import ClassVar

from tfspec.models import linear
from tfspec.pipelines import SpeechCommands


@dataclass(kw_only=True)
class Keywords(SpeechCommands):
    """Classify short recordings."""

    name: ClassVar[str] = "keywords"
    batch_size: int = 5

    def backbone(self, feature_shape, num_classes):
        return linear((None, *feature_shape[1:]), num_classes)
