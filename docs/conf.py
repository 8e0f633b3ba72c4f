"""How the site is made: Markdown pages by MyST, the reference from the docstrings, nothing from elsewhere."""

import re
import sys
from pathlib import Path

from tfspec._version import __version__

sys.path.insert(0, str(Path(__file__).parent / "programs"))
import pictured_augmentations
import pictured_front_ends
import pictures

project = "tfspec"
author = "The tfspec developers"
copyright = "The tfspec developers, Apache-2.0"
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
exclude_patterns = ["build", "programs", "results"]
highlight_language = "none"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Call arguments", "params_style"), "Output shape"]
default_role = "literal"

html_theme = "furo"
html_title = f"tfspec {release}"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["pictures.css"]

PICTURES = {**pictured_front_ends.PICTURES, **pictured_augmentations.PICTURES}


def escape_shapes(app, what, name, obj, options, lines):
    """Keep stars such as those of (batch, *shape) from beginning an emphasis, except in code."""
    for number, line in enumerate(lines):
        parts = line.split("`")
        parts[::2] = [re.sub(r"(?<![\w*\\])\*(?=\w)|(?<!\w)\|", r"\\\g<0>", part) for part in parts[::2]]
        if not line.lstrip().startswith((">>>", "...")):
            lines[number] = "`".join(parts)


def draw_pictures(app, page, source):
    """Put pictures and players, which are made here, where a page says `<!-- pictures NAME -->`."""
    folder = Path(app.outdir) / "pictures"
    source[0] = re.sub(
        r"<!-- pictures (\w+) -->\n",
        lambda found: pictures.write(PICTURES[found[1]](), folder),
        source[0],
    )


def setup(app):
    """Register what is done to pages, and to docstrings after napoleon has read them."""
    app.connect("source-read", draw_pictures)
    app.connect("autodoc-process-docstring", escape_shapes, priority=900)
