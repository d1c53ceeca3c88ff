"""Replaces the signal of every pixel of an .sqw file by that of a model, with no error; runs, detectors and bins stay.

    python scripts/simulate_sqw.py IN.sqw OUT.sqw MODEL.py [--fwhm MEV] [--parameters P ...]
    python scripts/simulate_sqw.py IN.sqw OUT.sqw CANDIDATE [--study STUDY] [--set NAME=MEV ...] --fwhm MEV

MODEL.py is Python that is run. It defines one of
    model                        an insml.SpinModel; its modes are broadened by a Gaussian of --fwhm
    dispersion(h, k, l, p)       energies, or (energies, weights); the same
    sqw(h, k, l, energy, p)      intensities
where p are --parameters. CANDIDATE is of a study, its parameters those of the study or --set. The instrument's resolution
is not in it: insml.horace.tobyfit(w).set_fun(...).simulate() has that.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from insml import SpinModel
from insml.cli.arguments import add_study, progress_bars, study
from insml.errors import InsmlError, ModelError
from insml.horace import read_sqw
from insml.operations.evaluate import disp2sqw_eval, sqw_eval


def chosen(args: argparse.Namespace) -> tuple[str, Any]:
    """What the model is, by the name it has in MODEL.py."""
    if args.model.endswith(".py"):
        if not Path(args.model).is_file():
            raise ModelError(f"{args.model}: expected a file, found none")
        found = runpy.run_path(args.model)
        names = [n for n in ("model", "dispersion", "sqw") if n in found]
        if len(names) != 1:
            found_names = " and ".join(names) or "none"
            raise ModelError(f"{args.model}: expected one of model, dispersion and sqw, found {found_names}")
        return names[0], found[names[0]]
    question = study(args)
    if args.model not in question.candidates:
        raise ModelError(f"CANDIDATE: expected MODEL.py or one of {', '.join(question.candidates)}, found {args.model}")
    candidate = question.candidates[args.model]
    values = dict(candidate.reference)
    for text in args.set:
        name, _, number = text.partition("=")
        try:
            values[name] = float(number)
        except ValueError:
            raise ModelError(f"--set: expected NAME=MEV, found {text!r}") from None
    return "model", SpinModel.from_dict(candidate.model(values))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="IN.sqw")
    parser.add_argument("out", type=Path, metavar="OUT.sqw")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--fwhm", type=float, help="of a Gaussian in energy, meV")
    parser.add_argument("--parameters", nargs="+", type=float, default=[])
    parser.add_argument("--set", action="append", default=[], metavar="NAME=MEV")
    add_study(parser)
    args = parser.parse_args()
    try:
        kind, model = chosen(args)
        data = read_sqw(args.source)
        if kind != "sqw" and args.fwhm is None:
            raise ModelError("--fwhm: expected the width of modes in meV, found none")
        with progress_bars(Console(stderr=True)) as told:
            if kind == "sqw":
                w = sqw_eval(data, model, args.parameters, filename=args.out, progress=told)
            else:
                w = disp2sqw_eval(data, model, args.parameters, args.fwhm, filename=args.out, progress=told)
    except InsmlError as error:
        print(f"simulate_sqw: error: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {len(w.pixels)} pixels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
