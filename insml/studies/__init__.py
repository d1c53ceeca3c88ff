"""Studies that come with insml; each TOML file here is what a user would write."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from insml.errors import InsmlError
from insml.study import Study


def example(study: Study) -> Path:
    """The simulated, noisy measurement that comes with a study (made by scripts/make_fixtures.py)."""
    file = resources.files("insml.studies") / f"{study.name}_example.nxs"
    if not file.is_file():
        raise InsmlError(f"INPUT: expected a measured file, found none, and the study {study.name!r} has no example")
    return Path(str(file))
