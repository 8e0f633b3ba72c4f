"""Learning a last layer on what a large network makes of recordings, computed once."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from tfspec.augment import Augmentation
from tfspec.base.errors import UserError
from tfspec.base.progress import say
from tfspec.frontends import Embedding
from tfspec.models import Embedder, below_logits, linear, load_embedding, transfer
from tfspec.pipelines.small_data import SmallData

POOLED = {"mobilenet_v2": "block_13_expand_relu"}
"""Layers that know more of sounds than the last ones do, which are about the things in photographs."""


@dataclass(kw_only=True)
class Embedded(SmallData):
    """Base of the tasks that can learn on embeddings."""

    frozen: bool = False
    """Leave a `network` with weights as it is, and train a last layer alone on what it makes of each
    recording, which is computed once."""
    embedding: Path | None = None
    """Network of other people's to learn a last layer on: a .keras or .tflite file or the folder of a
    SavedModel, and beside it a JSON that says what it takes, as docs/embeddings.md describes."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if self.frozen and (self.network == "residual" or self.first_weights is None):
            raise UserError("Only a network with weights can stay as it is: give --network and --weights.")

    @property
    def is_embedded(self) -> bool:
        """Whether the features are embeddings."""
        return self.frozen or self.embedding is not None

    @functools.cached_property
    def embedder(self) -> Embedder | None:
        """The network of other people's."""
        return None if self.embedding is None else load_embedding(self.embedding)

    def settled(self, manifest):
        """Take the sample rate that the network asks for."""
        if self.embedder is None:
            return super().settled(manifest)
        say(f"Sample rate: {self.embedder.sample_rate} Hz, which {self.embedding} takes")
        at_its_rate = replace(self, sample_rate=self.embedder.sample_rate)  # type: ignore[call-arg]
        return super(Embedded, at_its_rate).settled(manifest)

    def embedding_front_end(self, pictures: keras.Layer, num_samples: int) -> keras.Layer:
        """Make the layer from signals to embeddings.

        Args:
            pictures: layer from signals to what a network of keras.applications takes.
            num_samples: of a signal.
        """
        if self.embedder is not None:
            return Embedding(self.embedder.network, self.embedder.window_samples)
        signal = keras.Input((num_samples,))
        features = pictures(signal)
        return Embedding(keras.Model(signal, self._frozen_network(features.shape[1:])(features)), num_samples)

    def _frozen_network(self, feature_shape) -> keras.Model:
        pooled = POOLED.get(self.network)
        return below_logits(transfer(self.network, feature_shape, 2, self.first_weights, last_layer=pooled))

    def augmentation(self):
        """Change nothing where the features are embeddings."""
        return Augmentation() if self.is_embedded else super().augmentation()

    def backbone(self, feature_shape, num_classes):
        """Make a last layer for embeddings, or the network that was asked for."""
        if self.is_embedded:
            return linear(feature_shape, num_classes)
        return super().backbone(feature_shape, num_classes)

    @property
    def knows_something(self):
        """Whether the network that trains begins with what another training has left."""
        return not self.is_embedded and super().knows_something
