"""Families of parameters, of which one of a kind always runs and the others by `make slow`."""

from collections.abc import Iterable

import pytest


def others_slow(family: Iterable, *chosen) -> list:
    """Return a family's values for `pytest.mark.parametrize`, all but the chosen ones marked slow."""
    family = list(family)
    assert all(one in family for one in chosen)
    return [one if one in chosen else _slow(*(one if isinstance(one, tuple) else [one])) for one in family]


def _slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)
