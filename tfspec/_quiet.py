"""Imports TensorFlow without its chatter, so that standard error is free for what matters.

TensorFlow's C++ side reports on CPUs and missing GPUs while it is imported, whatever the log level says.
Setting TF_CPP_MIN_LOG_LEVEL, or importing TensorFlow first, keeps all of it.
"""

import os
import sys

if "tensorflow" not in sys.modules and "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    standard_error = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
