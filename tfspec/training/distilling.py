"""Learning from what a trained network answers, beside the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network whose answers are learnt beside the labels.

    The student's loss is (1 − s) · L + s · T² · H, where L is the loss on the labels, and H the cross entropy
    of softmax(student / T) from softmax(teacher / T) (G. Hinton, O. Vinyals, J. Dean, "Distilling the
    knowledge in a neural network", 2015). The teacher hears each example as it was augmented.

    Args:
        network: from the student's features to (batch, classes) logits.
        share: s, what the teacher's answers count.
        temperature: T, which makes both softer, so that also the classes that are not likely tell something.

    Example:
        >>> network = keras.Sequential([keras.Input([2]), keras.layers.Rescaling(2.0)])
        >>> logits = tf.constant([[1.0, 0.0]])
        >>> round(float(Teacher(network, temperature=1.0).loss(logits, 2 * logits)[0]), 4)
        0.3653
    """

    network: keras.Model
    share: float = 0.75
    temperature: float = 2.0

    def loss(self, features: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return (batch,) T² · H for a batch of features and the student's (batch, classes) logits."""
        answers = tf.stop_gradient(tf.cast(self.network(features, training=False), tf.float32))
        softened = tf.nn.softmax(answers / self.temperature)
        student = tf.cast(logits, tf.float32) / self.temperature
        return self.temperature**2 * tf.nn.softmax_cross_entropy_with_logits(softened, student)


class TaughtModel(keras.Model):
    """A compiled model that learns from labels and from a teacher; validation is on the labels alone.

    Args:
        student: compiled with an optimizer, which trains it here too.
        teacher: of the same features and classes.

    Example:
        >>> def network():
        ...     return keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
        >>> (student := network()).compile("adam")
        >>> taught = TaughtModel(student, Teacher(network()))
        >>> taught.compile(student.optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = taught.fit(tf.ones([8, 3]), tf.zeros([8]), verbose=0)
    """

    def __init__(self, student: keras.Model, teacher: Teacher):
        super().__init__()
        teacher.network.trainable = False
        self.student, self.teacher = student, teacher

    def call(self, x, training=None):
        """Do what the student does."""
        return self.student(x, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
        """Return the loss on the labels, in training joined to that on the teacher's answers."""
        of_labels = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return of_labels
        of_teacher = self.teacher.loss(x, y_pred)
        if sample_weight is not None:
            of_teacher *= tf.cast(sample_weight, of_teacher.dtype)
        share, penalties = self.teacher.share, sum(tf.reduce_sum(each) for each in self.losses)
        return (1 - share) * of_labels + share * (tf.reduce_mean(of_teacher) + penalties)
