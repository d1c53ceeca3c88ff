"""Train the networks that come with insml and put them into the package.

    python scripts/train_weights.py [--cache DIR] [--threads N]

For each bundled study: simulate the training images (a quarter of an hour on 2 cores for the manganite), train (as long
again), calibrate, and write insml/learn/weights/<study>.safetensors. An interrupted run goes on where it stopped. Run
it again whenever a study file or the simulation changes; networks whose study no longer matches are not used.
"""

import argparse
from pathlib import Path

from rich.console import Console

import insml.learn
from insml.cli.arguments import progress_bars
from insml.learn.trained import train_network
from insml.study import bundled


def main() -> None:
    parser = argparse.ArgumentParser(description="train the networks that come with insml")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("studies", nargs="*", default=["manganite", "square_antiferromagnet"])
    args = parser.parse_args()
    folder = Path(insml.learn.__file__).with_name("weights")
    folder.mkdir(exist_ok=True)
    for name in args.studies:
        with progress_bars(Console()) as progress:
            network = train_network(bundled(name), cache=args.cache, threads=args.threads, progress=progress)
        network.save(folder / f"{name}.safetensors")
        print(f"{name}: {network.description}")


if __name__ == "__main__":
    main()
