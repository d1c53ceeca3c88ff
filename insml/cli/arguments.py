"""Arguments and progress that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from insml.errors import InsmlError

if TYPE_CHECKING:
    from rich.console import Console

    from insml.jobs import Executor
    from insml.study import Study

Report = Callable[[str, int, int], None]


def add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", metavar="FILE", help="study file (TOML) or the name of one that comes with insml: "
                        "manganite (default), square_antiferromagnet")


def add_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 (default): one per core; simulations "
                        "and fits do not depend on it, a training in its rounding")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where training images and networks are kept "
                        "(default: INSML_CACHE, else the user's cache folder)")


def add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", type=Path, metavar="FILE", help="a network or an ensemble that 'insml train' made "
                        "(default: the one that comes with the study, else one is trained)")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--executor", choices=("local", "slurm", "processes"), default="local", help="local (default): in "
                        "this process; slurm: an array of jobs; processes: of this machine")
    parser.add_argument("--job-folder", type=Path, default=Path("insml_jobs"), metavar="DIR", help="what jobs are asked "
                        "and say (default: insml_jobs); all machines must see it")
    parser.add_argument("--job-option", action="append", default=[], metavar="NAME=VALUE", help="of submitit, such as "
                        "timeout_min=60, cpus_per_task=8, mem_gb=16, slurm_partition=short")


def executor(args: argparse.Namespace) -> Executor:
    """Of :func:`add_jobs`.

    Raises
    ------
    InsmlError : an option without a value; as of :func:`insml.jobs.executor_of`.
    """
    from insml.jobs import executor_of

    options: dict[str, int | float | str] = {}
    for text in args.job_option:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise InsmlError(f"--job-option: expected NAME=VALUE, found {text!r}")
        options[name] = int(value) if value.isdecimal() else value
    return executor_of(args.executor, args.job_folder, **options)


def study(args: argparse.Namespace) -> Study:
    from insml.study import bundled, load

    if args.study is None:
        return bundled("manganite")
    path = Path(args.study)
    return bundled(args.study) if path.suffix == "" and not path.exists() else load(path)


@contextmanager
def progress_bars(console: Console) -> Iterator[Report]:
    """One bar for each kind of work that reports; without a known total it pulses and counts."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.completed:>6.0f}"),
               TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done, total=total or None)

        yield report
