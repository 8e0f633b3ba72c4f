"""Hold a site that was built to asking nothing of a network: what its pages load lies beside them.

    python docs/programs/check_offline.py docs/build

Links that a reader follows may lead anywhere. Scripts, style sheets, pictures, fonts and sounds may not, and
those that a page names must be there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LOADED = re.compile(
    r"""<(?!a\b)[a-z]+\b[^>]*?\bsrc=["']?\s*((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?=[^>]*rel=["']?(?:stylesheet|preload|icon|preconnect))[^>]*?\bhref=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|url\(["']?((?:https?:)?//[^"')]+)|@import\s+["']((?:https?:)?//[^"']+)""",
    re.IGNORECASE,
)
BESIDE = re.compile(r"""<[a-z]+\b[^>]*?\bsrc="(?!data:|(?:https?:)?//)([^"?#]+)""", re.IGNORECASE)


def find_loaded(site: Path) -> list[str]:
    """List what the pages and style sheets of a site would load from elsewhere."""
    return [
        f"{file.relative_to(site)}: {next(filter(None, found.groups()))}"
        for file in sorted(site.rglob("*"))
        if file.suffix in {".html", ".css"}
        for found in LOADED.finditer(file.read_text("utf-8"))
    ]


def find_missing(site: Path) -> list[str]:
    """List what the pages of a site would load from beside them and is not there."""
    return [
        f"{file.relative_to(site)}: no {path}"
        for file in sorted(site.rglob("*.html"))
        for path in BESIDE.findall(file.read_text("utf-8"))
        if not (file.parent / path).is_file()
    ]


if __name__ == "__main__":
    built = Path(sys.argv[1])
    sys.exit("\n".join(find_loaded(built) + find_missing(built)) or 0)
