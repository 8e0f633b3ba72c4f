"""Where the command line begins."""

from tfspec.cli.commands import main

__all__ = ["main"]
