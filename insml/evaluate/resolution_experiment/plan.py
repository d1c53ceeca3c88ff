"""What a resolution experiment is to do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from insml.datasets.corrupt import Corruption
from insml.errors import InsmlError
from insml.evaluate.resolution_experiment.arms import ARMS, arms_of, check_arms
from insml.learn import uncertainty  # noqa: F401  (registers the methods)
from insml.learn.form import Form
from insml.learn.method import METHODS
from insml.learn.networks import network
from insml.learn.settings import TrainingSettings
from insml.learn.trained import corruption_for
from insml.study import Study

AUGMENTATIONS = ("none", "full")
#: Below it a class cannot be divided into what is trained on, watched and calibrated with.
_LEAST = 6
_KIND, _VERSION = "insml resolution experiment", 1


@dataclass(frozen=True)
class MethodChoice:
    """A method with options, written ``name`` or ``name:option=value,option=value``."""

    text: str
    name: str
    options: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> MethodChoice:
        """Values are read as JSON where they can be, as text otherwise.

        Raises
        ------
        InsmlError : an option without a value.
        """
        name, _, rest = text.partition(":")
        options = {}
        for part in filter(None, rest.split(",")):
            option, equals, value = part.partition("=")
            if not (option and equals and value):
                raise InsmlError(f"method: expected NAME or NAME:OPTION=VALUE,..., found {text!r}")
            try:
                options[option] = json.loads(value)
            except ValueError:
                options[option] = value
        return cls(text, name, options)


@dataclass(frozen=True)
class Cell:
    """One training: of which arm's images, spoilt how, by which network and method, with which seed."""

    augmentation: str
    network: str
    method: str
    arm: str
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return re.sub(r"[^\w.=-]+", "_", f"{self.augmentation}-{self.network}-{self.method}-{self.arm}-{self.seed}")


@dataclass(frozen=True, eq=False)
class Plan:
    """A train-by-test matrix for every network, method and augmentation.

    n, test : images of each candidate to train on, and others to test on, in every arm.
    arms : names of ARMS; empty for all that apply. methods : as :class:`MethodChoice` reads them.
    augmentations : "none", images without noise, as published; "full", as insml trains.
    seeds : trainings of each cell. epochs : None for the study's. seed : of everything that is drawn.
    """

    study: Study
    n: int
    test: int
    arms: tuple[str, ...] = ()
    networks: tuple[str, ...] = ("slice-stack",)
    methods: tuple[str, ...] = ("duq", "softmax")
    augmentations: tuple[str, ...] = AUGMENTATIONS
    seeds: int = 5
    epochs: int | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "arms", tuple(self.arms) or arms_of(self.study))
        check_arms(self.study, self.arms)
        # the matrices of a set of arms are in one order, however they were asked for
        object.__setattr__(self, "arms", tuple(name for name in ARMS if name in self.arms))
        for name, found, least in (("n", self.n, _LEAST), ("test", self.test, 1), ("seeds", self.seeds, 1),
                                   ("seed", self.seed, 0)):
            if found < least:
                raise InsmlError(f"resolution experiment: {name}: expected at least {least}, found {found}")
        for name in ("networks", "methods", "augmentations"):
            given = getattr(self, name)
            if not given or len(set(given)) < len(given):
                raise InsmlError(f"resolution experiment: {name}: expected some, each once, found "
                                 f"{', '.join(given) or 'none'}")
        unknown = [a for a in self.augmentations if a not in AUGMENTATIONS]
        if unknown:
            raise InsmlError(f"augmentation: expected some of {', '.join(AUGMENTATIONS)}, found {', '.join(unknown)}")
        classes = len(self.study.candidates)
        with torch.random.fork_rng(devices=[]):
            for kind in self.networks:
                backbone = network(kind, self.form.layout, classes)
                for method in map(MethodChoice.parse, self.methods):
                    METHODS.make(method.name, backbone, classes, **method.options)
        self.settings(self.cells()[0])  # complains about epochs

    @cached_property
    def form(self) -> Form:
        """In which networks see images, the same in all arms and with both augmentations."""
        return Form.of(self.study.layout, corruption_for(self.study, None).mirror)

    def corruption(self, augmentation: str) -> Corruption:
        """What is done to images in training. Without augmentation nothing is: mirrors are those that images are folded
        by."""
        if augmentation == "full":
            return corruption_for(self.study, None)
        return Corruption(relative_noise=(0.0, 0.0), background=(0.0, 0.0), scale_jitter=0.0, mask_fraction=(0.0, 0.0),
                          mirror=self.form.mirrors, clip_probability=0.0, hot_pixels=0.0, slice_dropout=(0.0, 0.0))

    def settings(self, cell: Cell) -> TrainingSettings:
        method = MethodChoice.parse(cell.method)
        return TrainingSettings(
            network=cell.network, method=method.name, method_options=method.options, seed=cell.seed,
            epochs=self.study.training.epochs if self.epochs is None else self.epochs,
            # without noise every draw of an image is the same
            draws=1 if cell.augmentation == "none" else TrainingSettings.draws)

    def cells(self) -> list[Cell]:
        """All trainings, those of one arm after the other."""
        return [Cell(augmentation, kind, method, arm, self.seed + s) for arm in self.arms
                for augmentation in self.augmentations for kind in self.networks for method in self.methods
                for s in range(self.seeds)]

    def header(self) -> dict[str, Any]:
        """What images and trainings depend on; a folder holds one of these. More networks, methods, augmentations or seeds
        are more trainings on the same images."""
        header = {"kind": _KIND, "version": _VERSION, "study": self.study.name, "digest": self.study.digest,
                  "candidates": list(self.study.candidates), "arms": list(self.arms), "images_per_candidate": self.n,
                  "test_images_per_candidate": self.test, "seed": self.seed,
                  "epochs": self.settings(self.cells()[0]).epochs, "corruption": self.corruption("full").to_dict()}
        return dict(json.loads(json.dumps(header)))
