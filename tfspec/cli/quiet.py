"""Imports TensorFlow without its chatter, so that standard error is free for what matters.

TensorFlow's C++ side reports on CPUs and missing GPUs while it is imported, whatever the log level says.
TF_CPP_MIN_LOG_LEVEL=0, or importing TensorFlow first, keeps all of it.
"""

import logging
import os
import sys
from pathlib import Path

SILENT = "3"

if "tensorflow" not in sys.modules and os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", SILENT) == SILENT:
    standard_error = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)

# TensorFlow takes the layers' graphs for one function that it has to trace again and again
logging.getLogger("tensorflow").addFilter(lambda record: "FrontEnd._mono_in_graph" not in record.getMessage())
