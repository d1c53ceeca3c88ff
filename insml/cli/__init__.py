"""The command line. One module here is one command: it has ``add_parser(subparsers)`` and ``run(args) -> int``.

Every command module is imported at each start, so it imports what is heavy inside ``run``.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata

from insml.errors import InsmlError

#: Exit status of a command that met bad input; 0 is success, 1 a reader of the output that went away, 130 Ctrl-C.
BAD_INPUT = 2

#: Modules of this package, in the order of the help text.
COMMANDS = ("report", "info", "cut", "classify", "explain", "fit", "simulate", "dataset", "train", "evaluate",
            "resolution_experiment")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; bad input is one line on standard error, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # a terminal that knows ASCII alone shows "?" for a plus-minus rather than end the run
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    args = _parser().parse_args(argv)
    try:
        status = args.run(args)
        sys.stdout.flush()
    except (InsmlError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # what is still buffered must not be written to the closed pipe at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        complain(error)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("insml: interrupted", file=sys.stderr)
        return 130
    return int(status)


def complain(error: Exception) -> None:
    """Print one error as one line on standard error."""
    print(f"insml: error: {' '.join(str(error).split())}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="insml", description="Single-crystal inelastic neutron scattering, from "
                                     "measured runs to exchange parameters.")
    parser.add_argument("--version", action="version", version=f"insml {metadata.version('insml')}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        import_module(f"{__name__}.{command}").add_parser(subparsers)
    return parser
