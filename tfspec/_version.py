"""The version, read by setup.cfg without importing TensorFlow."""

__version__ = "0.2.0"
