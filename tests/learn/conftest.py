"""One small network, trained once for all tests of its behaviour."""

import numpy as np
import pytest

from insml.datasets import Corruption, TrainingSet, standardise

pytest.importorskip("torch")

import toy

from insml.learn import Classifier, TrainingSettings, train


@pytest.fixture(scope="session")
def corruption() -> Corruption:
    return Corruption(relative_noise=(0.1, 0.6), background=(0, 0.5), mask_fraction=(0, 0.3))


@pytest.fixture(scope="session")
def toy_set() -> TrainingSet:
    return toy.training_set(320)


@pytest.fixture(scope="session")
def trained(toy_set: TrainingSet, corruption: Corruption) -> Classifier:

    return train(toy_set, corruption, TrainingSettings(epochs=14, seed=1), threads=2)


@pytest.fixture(scope="session")
def fresh(corruption: Corruption) -> tuple[np.ndarray, np.ndarray]:
    """Standardised stacks and labels of images no training has seen."""
    data = toy.training_set(160, seed=99)
    return np.stack([standardise(*corruption.apply(c, 12345, i)) for i, c in enumerate(data.clean)]), data.labels
