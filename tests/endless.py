"""A stream that never ends."""

import io


class Silence(io.RawIOBase):
    """Zeros, as many as are asked for."""

    def readable(self):
        return True

    def readinto(self, buffer):
        buffer[:] = bytes(len(buffer))
        return len(buffer)
