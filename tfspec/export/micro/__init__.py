"""A streaming classifier as C for microcontrollers: float front end, int8 network, detector."""
