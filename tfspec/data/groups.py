"""Who or what each file comes from, by its name: what an honest split keeps together."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.text import normalized

SEPARATORS = r"_\-. "
"""What parts of a name stand between."""
MOST_PARTS = 8
"""Parts of a name that are looked at."""
FEWEST_GROUPS = 3
FILES_PER_GROUP = 1.1
"""Mean number below which a part of the name says little but which file it is."""
LARGEST_GROUP = 0.6
"""Part of all files beyond which a group leaves too little to train on, or to test."""
DATE = r"(19|20)\d\d[01]\d[0-3]\d"
TIME = r"[0-2]\d[0-5]\d[0-5]\d"
PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclass(frozen=True)
class Proposal:
    """A way to tell from the names which files belong together.

    Args:
        pattern: regular expression that finds the group, as `groups_of` takes it.
        place: which part of the names it is, in words.
        groups: (files,) what it finds.
        counts: whether the groups may be numbers that only count, so that one has to ask.
    """

    pattern: str
    place: str
    groups: pd.Series
    counts: bool

    def __str__(self) -> str:
        """Describe it in one line."""
        sizes = self.groups.value_counts()
        files = (
            f"{sizes.min()} to {sizes.max()} files each"
            if sizes.min() < sizes.max()
            else f"{sizes.max()} files each"
        )
        return f"the {self.place} of the names has {len(sizes)} different values, {files}"


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile the regular expression that finds a group.

    Args:
        pattern: as `groups_of` takes it.

    Raises:
        UserError: it is no regular expression.

    Example:
        >>> compiled("(")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: The group pattern is no regular expression (missing ), ... Received: '('
    """
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise UserError(
            f"The group pattern is no regular expression ({error}). Give one with parentheses round the "
            f"group, such as '^([^_]+)_'. Received: {pattern!r}"
        ) from None


def first_group(match: re.Match[str] | None) -> str:
    """Return what is in the first parentheses of a match that took part and are not empty.

    Args:
        match: None where the pattern was not found.

    Returns:
        The text; "" where there is none.

    Example:
        >>> first_group(re.match("(x)?([a-z]+)_", "ann_1")), first_group(None)
        ('ann', '')
    """
    return next((group for group in match.groups() if group), "") if match else ""


def groups_of(paths: Iterable[str], pattern: str) -> list[str]:
    """Find each file's group by a regular expression.

    Args:
        paths: with forward slashes.
        pattern: searched for in the file's name without its suffix, or in the whole path where it holds a
            slash; its first parentheses that took part are round the group.

    Returns:
        (files,) the groups; "" where the pattern finds none.

    Raises:
        UserError: the pattern is no regular expression.

    Example:
        >>> groups_of(["yes/ann_1.wav", "no/ben/2.wav"], "^([a-z]+)_"), groups_of(["no/ben/2.wav"], "/(.*)/")
        (['ann', ''], ['ben'])
    """
    found = compiled(pattern)

    @functools.cache  # a table may name a recording thousands of times
    def group_of(path: str) -> str:
        return first_group(found.search(normalized(path if "/" in pattern else PurePosixPath(path).stem)))

    return [*map(group_of, paths)]


def proposals(paths: Sequence[str], labels: Sequence[str]) -> list[Proposal]:
    r"""Find what in the names may tell which files belong together, such as a speaker or a recording.

    A part of the name will do that has several values with several files each, of which none holds most
    files, and several in every class. Names of classes, times of day and whatever numbers files through are
    nothing of the kind.

    Args:
        paths: (files,) with forward slashes.
        labels: (files,) the class of each.

    Returns:
        The proposals, the surest first, and of those the one with the fewest groups.

    Example:
        >>> import itertools
        >>> takes = itertools.product(["yes", "no"], ["ann", "ben", "eve"], "01")
        >>> names = [f"{word}/{who}_{take}.wav" for word, who, take in takes]
        >>> [proposal.pattern for proposal in proposals(names, ["yes"] * 6 + ["no"] * 6)]
        ['^([^_\\-. ]+)']
    """
    labels = pd.Series(labels, dtype=object).reset_index(drop=True)
    found = [proposal for proposal in _parts(paths) if _tells_groups(proposal.groups, labels)]
    return sorted(found, key=lambda proposal: (proposal.counts, proposal.groups.nunique()))


def _parts(paths: Sequence[str]) -> Iterator[Proposal]:
    """Go through the parts that all names have, and the folders between class and file."""
    if all("/" in PurePosixPath(path).parent.as_posix() for path in {*paths}):
        inner = "/([^/]+)/[^/]*$"
        yield Proposal(inner, "last folder", pd.Series(groups_of(paths, inner), dtype=object), False)
    for number in range(MOST_PARTS):
        pattern = "^" + rf"[^{SEPARATORS}]+[{SEPARATORS}]+" * number + rf"([^{SEPARATORS}]+)"
        groups = pd.Series(groups_of(paths, pattern), dtype=object)
        if (groups == "").any():
            return
        yield Proposal(pattern, f"{PLACES[number]} part", groups, _counts(groups))


def _tells_groups(groups: pd.Series, labels: pd.Series) -> bool:
    sizes = groups.value_counts()
    if len(sizes) < FEWEST_GROUPS or len(groups) < FILES_PER_GROUP * len(sizes):
        return False
    if sizes.iloc[0] > LARGEST_GROUP * len(groups) or groups.str.fullmatch(TIME).all():
        return False
    return bool((groups.groupby(labels).nunique() > 1).all())


def _counts(groups: pd.Series) -> bool:
    """Say whether the values are numbers or letters with hardly a gap between them, as one numbers things."""
    values = groups.unique()
    if groups.str.fullmatch(DATE).all():
        return False
    if all(value.isascii() and value.isdecimal() for value in values):
        numbers = np.array([*map(int, values)])
    elif all(len(value) == 1 for value in values):
        numbers = np.array([*map(ord, values)])
    else:
        return False
    return bool(2 * len(numbers) > numbers.max() - numbers.min())


def joined_by_copies(groups: pd.Series, copies: pd.Series) -> pd.Series:
    """Join the groups that hold copies of one file.

    Args:
        groups: (files,) names of groups.
        copies: (files,) text that is the same for copies; "" for what is no copy of anything.

    Returns:
        (files,) for each the first name of the groups that its own is joined with.

    Example:
        >>> groups = pd.Series(["ann", "bob", "cat", "bob"])
        >>> joined_by_copies(groups, pd.Series(["1", "1", "2", ""])).tolist()
        ['ann', 'ann', 'cat', 'ann']
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    of_group, names = pd.factorize(groups, use_na_sentinel=False)
    is_known = (copies != "").to_numpy()
    of_copy, contents = pd.factorize(copies[is_known])
    size, pairs = len(names) + len(contents), (of_group[is_known], len(names) + of_copy)
    _, joined = connected_components(coo_array((np.ones(len(of_copy)), pairs), (size, size)), directed=False)
    firsts = pd.Series(names).groupby(joined[: len(names)]).transform("first").to_numpy()
    return pd.Series(firsts[of_group], groups.index)
