"""Decoding recordings, and finding those that cannot be used."""
