"""Where the command line begins: which command it is, and what becomes of errors."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from tfspec import __version__
from tfspec.base.boundary import NOT_ON_DISK
from tfspec.base.errors import UserError, user_error_in
from tfspec.base.modules import own_errors_told
from tfspec.base.plugins import known_pipelines
from tfspec.base.progress import at_volume
from tfspec.base.quiet import LEVEL, hush_tensorflow
from tfspec.base.suggestions import remedy
from tfspec.base.text import shown
from tfspec.cli.commands import COMMANDS, NESTING, PIPELINE_COMMANDS
from tfspec.cli.help import filled, summaries
from tfspec.cli.parsing import given_columns, parse, parse_call, split_off_preset, split_off_volume

PIPELINE_USAGE = """usage: tfspec {command} DATA|NAME|FILE.py [--preset PRESET] [--show] [options]

DATA is your own: a folder with a folder of recordings, or pictures, per class; a table of files and labels;
a folder of recordings with Raven's or Audacity's annotations; or arrays, X and y. `tfspec check DATA` says
what is wrong with it.

NAME is one of {names}.

FILE.py defines a Pipeline of your own.

PRESET is a named set of options, such as published; options that are given go before its own.

--show prints all options, those that are chosen from DATA too, and does nothing else.

`tfspec {command} DATA --help` lists the options that most people give, --help-all all of them."""

VOLUMES = """--quiet, with any command: tell nothing on the way, only results and errors.

--verbose: Keras's own table and bars, what TensorFlow has to say, and the whole way to an error in a pipeline
of your own. Otherwise there are progress bars in a terminal, and where the output goes to a file, a line an
epoch."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; what a user can put right ends as one line on standard error and exit code 2."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):  # which may take less than Unicode, and never half a character
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _flushed():
            _run(arguments)
    except UserError as error:
        _fail(str(error))
    except BrokenPipeError:  # as of `tfspec … | head`
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        _fail(f"{error.filename or 'Input or output'}: {error.strerror or error}")
    except MemoryError as error:
        _fail(f"Not enough memory. {error}")
    except UnicodeEncodeError as error:
        way = "Rename it" if error.encoding == "utf-8" else "Set PYTHONUTF8=1, or rename it"
        _fail(f"{error.object!r} cannot be written as {error.encoding}. {way}.")
    except KeyboardInterrupt:
        _fail("Interrupted.", code=130)
    except Exception as error:
        if _is_of_tensorflow(error):
            _fail_in_graph(error)
        raise


@contextlib.contextmanager
def _flushed():
    """Write all out while errors can still be told; what cannot be written is not tried again at the end."""
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise


def _is_of_tensorflow(error: Exception) -> bool:
    """Tell an error of TensorFlow's by its name, without importing TensorFlow."""
    kinds = ((kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__)
    return ("tensorflow", "OpError") in kinds


def _fail_in_graph(error: Any) -> None:
    """Tell what a user can put right of what reaches us as the text of a TensorFlow error."""
    from tfspec.distributed.devices import is_lost

    if cause := user_error_in(error.message):
        _fail(str(cause))
    if re.search(NOT_ON_DISK, error.message):
        _fail(error.message)
    if type(error).__name__ == "ResourceExhaustedError":
        _fail(f"Not enough memory. {error.message}")
    if is_lost(error):
        _fail("Another worker has stopped, so this one stops too. Start all again: tfspec resume RUN", code=3)


def _run(arguments: list[str]) -> None:
    volume, arguments = split_off_volume(arguments)
    if volume == "verbose":
        os.environ.setdefault(LEVEL, "0")
    hush_tensorflow()
    with at_volume(volume), own_errors_told():
        _run_command(*(arguments or ["--help"]))


def _run_command(command: str, *options: str) -> None:
    if command in ("-h", "--help"):
        print(_usage())
    elif command == "--version":
        print(__version__)
    elif command in PIPELINE_COMMANDS:
        _run_pipeline(command, [*options])
    elif command in NESTING:
        NESTING[command](options)
    elif command in COMMANDS:
        parse_call(COMMANDS[command], options, f"tfspec {command}")()
    else:
        raise UserError(
            f"No command {command!r}. {remedy(command, (*PIPELINE_COMMANDS, *NESTING, *COMMANDS))}"
        )


def _run_pipeline(command: str, arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(filled(PIPELINE_USAGE.format(command=command, names=", ".join(known_pipelines()))))
        return
    from tfspec.data.sources.recognise import looking_once

    with looking_once():
        _run_with_data(command, *arguments)


def _run_with_data(command: str, name: str, *given_options: str) -> None:
    from tfspec.cli.summaries import print_options
    from tfspec.data.sources.columns import Columns
    from tfspec.experiment.registry import find_pipeline, pipeline_for
    from tfspec.experiment.splitting import checked_split

    try:
        kind, given = pipeline_for(name, Columns(**given_columns(given_options)))
    except UserError:
        if not {"-h", "--help", "--help-all"} & {*given_options}:
            raise
        kind, given = find_pipeline("recordings"), {}  # whose options may be what is needed
    chosen, options = split_off_preset(given_options)
    program = f"tfspec {command} {name} [--preset {{{','.join(kind.all_presets())}}}] [--show]"
    pipeline = parse(kind, options, program, {**given, **kind.preset_options(chosen.preset)})
    if chosen.show:
        print_options(checked_split(pipeline)[0] if given else pipeline)
    else:
        PIPELINE_COMMANDS[command](pipeline)


def _usage() -> str:
    calls = dict(sorted({**COMMANDS, **PIPELINE_COMMANDS, **NESTING}.items()))
    return "\n\n".join(["usage: tfspec COMMAND …, tfspec COMMAND --help", summaries(calls), filled(VOLUMES)])


def _fail(message: str, code: int = 2) -> NoReturn:
    print(f"tfspec: {shown(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(code)
