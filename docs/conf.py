"""How the site is made: Markdown pages by MyST, the reference from the docstrings, nothing from elsewhere."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "programs"))

from tfspec._version import __version__

project = "tfspec"
author = "The tfspec developers"
copyright = "The tfspec developers, Apache-2.0"
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 3
exclude_patterns = ["build", "programs", "results"]
highlight_language = "none"

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
default_role = "literal"

html_theme = "furo"
html_title = f"tfspec {release}"
html_copy_source = False
