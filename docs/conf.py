"""How the site is made: Markdown pages by MyST, the reference from the docstrings, nothing from elsewhere."""

import re

from tfspec._version import __version__

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


def escape_shapes(app, what, name, obj, options, lines):
    """Keep stars such as those of (batch, *shape) from beginning an emphasis, except in code."""
    for number, line in enumerate(lines):
        parts = line.split("`")
        parts[::2] = [re.sub(r"(?<![\w*\\])\*(?=\w)|(?<!\w)\|", r"\\\g<0>", part) for part in parts[::2]]
        if not line.lstrip().startswith((">>>", "...")):
            lines[number] = "`".join(parts)


def setup(app):
    """Register what is done to docstrings, after napoleon has read them."""
    app.connect("autodoc-process-docstring", escape_shapes, priority=900)
