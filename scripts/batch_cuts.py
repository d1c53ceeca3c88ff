"""Makes cuts of .sqw files from a list in TOML, as `insml cut` does.

    python scripts/batch_cuts.py LIST.toml [--only OUT ...] [--executor slurm --job-option slurm_partition=NAME ...]

`--help` shows such a list.
"""

from __future__ import annotations

import sys

from insml.cli import main

if __name__ == "__main__":
    sys.exit(main(["cut", *sys.argv[1:]]))
