"""``insml train``: make and keep the network for a study."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from insml.errors import InsmlError

if TYPE_CHECKING:
    from insml.learn.ensemble import Network


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from insml.cli.arguments import add_study, add_work

    parser = subparsers.add_parser("train", help="train the network for a study",
                                   description="Simulate training images and train. An interrupted run goes on where it "
                                               "stopped.")
    add_study(parser)
    add_work(parser)
    parser.add_argument("--data", type=Path, metavar="DIR",
                        help="images made by 'insml dataset'; otherwise they are simulated")
    parser.add_argument("--network", default="slice-stack", help="slice-stack, dense, pooled, alexnet or resnext")
    parser.add_argument("--method", default="duq", help="how it says what its answer is worth: ddu, dropout, duq, laplace, "
                        "mean-field, radial, sde-net, sngp, softmax or swag")
    parser.add_argument("--epochs", type=int, help="instead of the study's")
    parser.add_argument("--seed", type=int, help="instead of the study's")
    parser.add_argument("--members", type=int, default=1, metavar="N", help="an ensemble of so many, with the seeds from "
                        "the given one on (default: 1, one network)")
    parser.add_argument("--processes", type=int, default=0, metavar="N", help="members that are trained at once, each with "
                        "its share of the threads and 3 GB for the manganite (default: one per thread)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto (default): cuda where there is one")
    parser.add_argument("--precision", default="float32", help="float32 (default), or bfloat16 in training steps, "
                        "for GPUs and processors with instructions for it; several times slower on others")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the network, safetensors")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from insml.cli.arguments import progress_bars, study
    from insml.extras import need_torch

    need_torch("training")
    from insml.datasets.shards import DataSet
    from insml.learn import TrainingSettings
    from insml.learn.train_ensemble import train_ensemble
    from insml.learn.trained import train_network

    question = study(args)
    rules = question.training
    settings = TrainingSettings(network=args.network, method=args.method, epochs=args.epochs or rules.epochs,
                                seed=rules.seed if args.seed is None else args.seed,
                                device=args.device, precision=args.precision)
    if args.members < 1:
        raise InsmlError(f"--members: expected at least 1, found {args.members}")
    network: Network
    data = None if args.data is None else DataSet.open(args.data).read()
    with progress_bars(Console(stderr=True)) as progress:
        if args.members == 1:
            network = train_network(question, data=data, settings=settings, cache=args.cache, threads=args.threads,
                                    progress=progress)
        else:
            processes = args.processes or min(args.members, args.threads or os.cpu_count() or 1)
            network = train_ensemble(question, args.members, data=data, settings=settings, cache=args.cache,
                                     threads=args.threads, processes=processes, progress=progress)
    network.save(args.out)
    print(f"written: {args.out} ({network.description})")
    return 0
