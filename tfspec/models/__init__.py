"""Keras models: backbones from features to logits, and the classifier that joins one to its front end."""

from tfspec.models.bc_resnet import bc_resnet
from tfspec.models.bin_statistics import bin_statistics
from tfspec.models.classifier import Classifier
from tfspec.models.continued import below_logits, continued
from tfspec.models.conv2d import conv2d
from tfspec.models.ds_cnn import ds_cnn
from tfspec.models.ds_tc_resnet import SeparableBlock, ds_tc_resnet
from tfspec.models.efficientnet import efficientnet
from tfspec.models.embedding import Embedder, load_embedding
from tfspec.models.ensemble import ensemble
from tfspec.models.events import event_head
from tfspec.models.linear import linear
from tfspec.models.lstm import lstm
from tfspec.models.mac import mac
from tfspec.models.matchboxnet import matchboxnet
from tfspec.models.pyramid import pyramid
from tfspec.models.residual import residual
from tfspec.models.tc_resnet import tc_resnet
from tfspec.models.temperature import at_temperature
from tfspec.models.tflite_graph import load_tflite
from tfspec.models.trace_conv2d import trace_conv2d
from tfspec.models.transfer import freeze, transfer, unfreeze

__all__ = [
    "Classifier",
    "Embedder",
    "SeparableBlock",
    "at_temperature",
    "bc_resnet",
    "below_logits",
    "bin_statistics",
    "continued",
    "conv2d",
    "ds_cnn",
    "ds_tc_resnet",
    "efficientnet",
    "ensemble",
    "event_head",
    "freeze",
    "linear",
    "load_embedding",
    "load_tflite",
    "lstm",
    "mac",
    "matchboxnet",
    "pyramid",
    "residual",
    "tc_resnet",
    "trace_conv2d",
    "transfer",
    "unfreeze",
]
