"""A square antiferromagnet of few bins: images in milliseconds."""

from pathlib import Path

import numpy as np

import insml.studies
from insml.datasets import TrainingSet
from insml.datasets.shards import DataSet, DataSetPlan
from insml.study import Study, load

_CHANGES = {
    "samples = 16": "samples = 2",
    "start = 16.0, stop = 44.0, n = 14": "start = 16.0, stop = 44.0, n = 6",
    "grid = [2, 7]": "grid = [1, 6]",
}


def small_study(folder: Path, bins: int = 16) -> Study:
    """The bundled study with 6 slices of so many bins along each side, from a file in ``folder``."""
    text = Path(insml.studies.__file__).with_name("square_antiferromagnet.toml").read_text()
    for old, new in {**_CHANGES, "stop = 2.0, n = 40": f"stop = 2.0, n = {bins}"}.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "small.toml"
    path.write_text(text)
    return load(path)


def planted(study: Study, n: int, seed: int) -> DataSet:
    """2 n images without physics that count as simulated for the study: rings that grow with energy, round for the first
    candidate, oval for the second."""
    plan = DataSetPlan(study, n, seed)
    images = range(plan.images)
    rng = np.random.default_rng(seed)
    labels = np.arange(plan.images) % 2
    theta = np.stack([rng.uniform(0.7, 1.1, plan.images), rng.uniform(0.1, 0.2, plan.images), np.zeros(plan.images)], 1)
    x = study.layout.axes[0].centres - 1
    slices = np.linspace(0.2, 1, len(study.layout.slices))[:, None, None]
    clean = np.stack([np.exp(-0.5 * ((np.hypot(x[:, None] / (1 + 0.5 * label), x) - growth * slices) / width) ** 2)
                      for label, (growth, width, _) in zip(labels, theta, strict=True)]).astype(np.float16)
    made = TrainingSet(clean, labels, theta, tuple(tuple(c.names) for c in study.candidates.values()),
                       tuple(study.candidates), study.layout, study.simulation_digest, seed)

    class Planted(DataSet):
        def read(self, *, verify: bool = True) -> TrainingSet:
            return made

    return Planted(plan, Path("planted"), ({"condition": [0 for _ in images]},))
