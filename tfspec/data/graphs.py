"""How functions go into the graphs of a dataset, and how these are run."""

import tensorflow as tf

as_it_is = tf.autograph.experimental.do_not_convert
"""Has a function traced without AutoGraph, which would rewrite it and all that it calls: seconds a process.

Nothing here needs it, and what Keras traces in training goes without, too.
"""


def untuned() -> tf.data.Options:
    """Have as many elements made at once as there are threads, 16 at most, instead of tuning that number.

    TensorFlow tunes in a thread that wakes ever more rarely, at last once a minute. It may miss that its
    iterator is over: it is woken just before what it looks at is set. Then whoever ends the iterator, as each
    validation does, waits until it wakes by itself, up to as long again as the iteration took.

    Returns:
        Options for `tf.data.Dataset.with_options`.

    Example:
        >>> data = tf.data.Dataset.range(3).map(lambda x: x, num_parallel_calls=tf.data.AUTOTUNE)
        >>> data.with_options(untuned()).options().autotune.enabled
        False
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
