"""Networks that learnt to see on ImageNet, as backbones.

Features in 0…1, as `MinMax` returns them, are their pictures: frames are the rows, bins the columns. One
channel is repeated for red, green and blue, which for the first convolution is the same as summing its
kernel over the three. Three channels are red, green and blue. Any other number goes through a 1 × 1
convolution that trains with the head and starts as the mean of the channels.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import applications, layers

from tfspec.base import arguments
from tfspec.base.errors import UserError
from tfspec.base.float_layer import FloatLayer
from tfspec.borrowed import all_layers

# Keras's default of 0.99, and MobileNetV2's 0.999, follow too slowly for some hundred steps of training
MOMENTUM = 0.9
SMALLEST_SIDE = 32  # five halvings


class Network(NamedTuple):
    """What Keras has of a network: how it is made, its input's scale, its weights and their md5."""

    make: Callable[..., keras.Model]
    scale_pixels: Callable
    weights_url: str
    weights_md5: str | None  # Keras knows no checksum for MobileNetV2


STORAGE = "https://storage.googleapis.com"
NETWORKS = {
    "resnet50": Network(
        applications.ResNet50,
        applications.resnet50.preprocess_input,
        f"{STORAGE}/tensorflow/keras-applications/resnet/"
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "efficientnet_b0": Network(
        applications.EfficientNetB0,
        applications.efficientnet.preprocess_input,
        f"{STORAGE}/keras-applications/efficientnetb0_notop.h5",
        "50bc09e76180e00e4465e1a485ddc09d",
    ),
    "mobilenet_v2": Network(
        applications.MobileNetV2,
        applications.mobilenet_v2.preprocess_input,
        f"{STORAGE}/tensorflow/keras-applications/mobilenet_v2/"
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        None,
    ),
}


def transfer(
    network: str,
    feature_shape: Sequence[int | None],
    num_classes: int,
    weights: str | os.PathLike | None = "imagenet",
    dropout: float = 0.2,
    last_layer: str | None = None,
) -> keras.Model:
    """A network of keras.applications under a new head: global mean, dropout, batch norm, dense.

    With weights it comes as `unfreeze` leaves it: everything trains but the base's batch norms. Best train
    the head first, see `freeze`. Without weights everything trains.

    | network | weights below the head | source |
    |---|---|---|
    | resnet50 | 23,587,712 | He et al., Deep residual learning for image recognition, 2016 |
    | efficientnet_b0 | 4,049,571 | Tan and Le, EfficientNet, 2019 |
    | mobilenet_v2 | 2,257,984 | Sandler et al., MobileNetV2, 2018 |

    EfficientNet leaves out blocks at random in training (stochastic depth), even where it is frozen.

    Args:
        network: one of these.
        feature_shape: (frames, bins, channels) of features in 0…1, at least 32 frames and bins; frames may
            be None for any number.
        num_classes: number of logits.
        weights: "imagenet" downloads them once, into Keras's cache; the path of a file with the weights of
            Keras's network without its top (`include_top=False`); None draws them at random.
        dropout: share of the pooled features that is dropped in training.
        last_layer: name of the layer whose maps the head pools; None for the network's own last one. Where
            the base stays frozen, an earlier one may know more of sounds, such as "block_13_expand_relu" of
            mobilenet_v2, whose own last layers are about the things in photographs.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Raises:
        ValueError: there is no such network, or no such layer in it.
        UserError: the features are too small, or the weights cannot be had or are not this network's.

    Example:
        >>> transfer("mobilenet_v2", (563, 128, 1), num_classes=24, weights=None).output_shape
        (None, 24)
    """
    arguments.one_of("network", network, tuple(NETWORKS))
    frames, bins, channels = feature_shape
    if any(side is not None and side < SMALLEST_SIDE for side in (frames, bins)):
        raise UserError(
            f"{network} takes features of at least {SMALLEST_SIDE} frames and {SMALLEST_SIDE} bins. "
            f"Received: {frames} frames and {bins} bins"
        )
    path = None if weights is None else weights_file(network, weights)
    base = NETWORKS[network].make(include_top=False, weights=None, input_shape=(frames, bins, 3))
    if path is not None:
        load_weights(base, network, path)
    else:
        for layer in _batch_norms(base):
            layer.momentum = MOMENTUM
    if last_layer is not None:
        base = keras.Model(base.input, base.get_layer(last_layer).output, name=base.name)
    features = keras.Input(feature_shape, name="features")
    x = features
    if channels not in (1, 3):
        mean = keras.initializers.Constant(1 / features.shape[-1])
        x = layers.Conv2D(3, 1, use_bias=False, kernel_initializer=mean, name="colours")(x)
    x = ImageNetPixels(network, name="pixels")(x)
    x = layers.GlobalAveragePooling2D()(base(x))
    x = layers.Dropout(dropout)(x)
    x = layers.BatchNormalization(momentum=MOMENTUM)(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    backbone = keras.Model(features, logits, name=network)
    if weights is not None:
        unfreeze(backbone)
    return backbone


def freeze(backbone: keras.Model) -> None:
    """Let only the head train; the base's batch norms use the statistics that they have.

    A compiled model must be compiled again, here and after `unfreeze`.

    Args:
        backbone: from `transfer` or `continued`.

    Raises:
        ValueError: it is not from there.

    Example:
        >>> backbone = transfer("mobilenet_v2", (64, 64, 1), num_classes=3, weights=None)
        >>> freeze(backbone)
        >>> sum(weight.shape.num_elements() for weight in backbone.trainable_weights)
        6403
    """
    _base(backbone).trainable = False


def unfreeze(backbone: keras.Model) -> None:
    """Let the base train as well, all but its batch norms.

    Those keep statistics, gain and offset: the other weights were trained with these, and their moving
    statistics would not follow within a short training. The base wants a rate ten to a hundred times lower
    than the head had.

    Args:
        backbone: from `transfer` or `continued`.

    Raises:
        ValueError: it is not from there.

    Example:
        >>> backbone = transfer("mobilenet_v2", (64, 64, 1), num_classes=3, weights=None)
        >>> freeze(backbone)
        >>> backbone.compile(keras.optimizers.Adam(1e-3), "mse")  # and fit the head
        >>> unfreeze(backbone)
        >>> backbone.compile(keras.optimizers.Adam(1e-5), "mse")  # and fit both
    """
    base = _base(backbone)
    base.trainable = True
    for layer in _batch_norms(base):
        layer.trainable = False


@keras.saving.register_keras_serializable("tfspec")
class ImageNetPixels(FloatLayer):
    """Features in 0…1 to the pixels that a network of keras.applications takes.

    They become pictures of 0…255 and then whatever the network's `preprocess_input` makes of them: blue,
    green, red less ImageNet's means for ResNet50, -1…1 for MobileNetV2, no change for EfficientNet, which
    scales by itself.

    Args:
        network: "resnet50", "efficientnet_b0" or "mobilenet_v2".

    Input shape:
        (batch, frames, bins, 1 or 3) in 0…1; one channel is repeated.

    Output shape:
        (batch, frames, bins, 3) float32.

    Raises:
        ValueError: there is no such network.

    Example:
        >>> ImageNetPixels("mobilenet_v2")(tf.constant([[[[0.0], [0.5], [1.0]]]])).numpy()[0, 0].tolist()
        [[-1.0, -1.0, -1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """

    def __init__(self, network: str, **kwargs):
        super().__init__(**kwargs)
        self.network = arguments.one_of("network", network, tuple(NETWORKS))

    def call(self, features):
        """Scale (batch, frames, bins, channels) features."""
        pixels = 255 * tf.cast(features, tf.float32)
        if features.shape[-1] == 1:
            pixels = tf.concat([pixels] * 3, axis=-1)
        return NETWORKS[self.network].scale_pixels(pixels)

    def compute_output_shape(self, input_shape):
        """Return (batch, frames, bins, 3)."""
        return (*input_shape[:-1], 3)


def weights_file(network: str, weights: str | os.PathLike) -> Path:
    """Return the file of a network's weights, before anything is built of it.

    Args:
        network: its name, as in `transfer`.
        weights: as in `transfer`, not None.

    Raises:
        UserError: there is no such file, or it cannot be downloaded.
    """
    path = _downloaded(network) if weights == "imagenet" else Path(weights)
    if not path.is_file():
        raise UserError(
            f'`weights` must be "imagenet", None or a file such as {NETWORKS[network].weights_url}. There is '
            f"no file at {path}."
        )
    return path


def load_weights(base: keras.Model, network: str, path: Path) -> None:
    """Give a network of keras.applications without its top the weights of a file.

    Args:
        base: the network, which takes three channels.
        network: its name, as in `transfer`.
        path: what `weights_file` returns.

    Raises:
        UserError: the weights are not this network's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one for every layer that a wrong file lacks
            base.load_weights(path)
    except Exception as error:  # of Keras, h5py or zipfile, which have no base in common
        raise UserError(
            f"{path} does not hold the weights of {network} without its top: {_first_line(error)} "
            f"Keras's own are at {NETWORKS[network].weights_url}"
        ) from None
    _mend_normalization(base)


def _downloaded(network: str) -> Path:
    """Fetch the ImageNet weights into Keras's own cache, where they may be already."""
    url, md5 = NETWORKS[network].weights_url, NETWORKS[network].weights_md5
    try:
        return Path(keras.utils.get_file(origin=url, file_hash=md5, cache_subdir="models"))
    except Exception as error:  # which is what Keras raises where it cannot connect
        raise UserError(
            f"The ImageNet weights of {network} cannot be downloaded: {_first_line(error)} "
            f"Get {url} by other means and give weights=PATH, or weights=None for random ones."
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".") + "."


def _mend_normalization(base: keras.Model) -> None:
    """Square what EfficientNet's file holds as ImageNet's variance: it is the standard deviation.

    Keras mends that by one more layer, but only in the networks for which it downloads the file itself
    (tensorflow/tensorflow#49930).
    """
    for layer in base.layers:
        if isinstance(layer, layers.Normalization):
            mean, variance, count = layer.get_weights()
            if np.allclose(variance, [0.229, 0.224, 0.225]):
                layer.set_weights([mean, variance**2, count])
                layer.finalize_state()


def _batch_norms(base: keras.Model) -> list[keras.Layer]:
    return [layer for layer in all_layers(base) if isinstance(layer, layers.BatchNormalization)]


def _base(backbone: keras.Model) -> keras.Model:
    for layer in backbone.layers:
        if isinstance(layer, keras.Model):
            return layer
    raise ValueError(f"`backbone` must be one that `transfer` made. Received: {backbone.name}")
