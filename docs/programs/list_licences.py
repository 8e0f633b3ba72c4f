"""List the licences of what tfspec needs, directly or not, from the metadata of what is installed.

python docs/programs/list_licences.py docs/licences.md
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageMetadata, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

HEAD = """# Licences

What `pip install tfspec` brings along, without the extras, and the licence that each package's
own metadata names. `make licences` writes this page.

| package | licence |
|---|---|
"""


def needed(name: str, found: dict[str, PackageMetadata]) -> None:
    """Collect the metadata of a package and of all that it requires here."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in found:
        return
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return
    found[key] = package.metadata
    for requirement in map(Requirement, package.requires or []):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed(requirement.name, found)


def licence_of(metadata: PackageMetadata) -> str:
    """Say the licence as an expression, by classifiers, or by its field's first line."""
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [
        each.split(" :: ")[-1] for each in metadata.get_all("Classifier") or [] if each.startswith("License")
    ]
    named = [each for each in classifiers if each != "OSI Approved"]
    first_line = (metadata.get("License") or "not said").strip().splitlines()[0]
    return ", ".join(named) or first_line


if __name__ == "__main__":
    packages: dict[str, PackageMetadata] = {}
    needed("tfspec", packages)
    del packages["tfspec"]
    rows = [f"| {name} | {licence_of(packages[name])} |\n" for name in sorted(packages)]
    Path(sys.argv[1]).write_text(HEAD + "".join(rows), "utf-8")
