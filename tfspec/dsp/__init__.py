"""Pure functions on tensors: no Keras, no state."""
