"""How functions go into the graphs of a dataset."""

import tensorflow as tf

as_it_is = tf.autograph.experimental.do_not_convert
"""Has a function traced without AutoGraph, which would rewrite it and all that it calls: seconds a process.

Nothing here needs it, and what Keras traces in training goes without, too.
"""
