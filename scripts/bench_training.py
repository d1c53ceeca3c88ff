"""Time of spoiling an image and of a training step: float32, bfloat16 and torch.compile, on the manganite's stacks.

    python scripts/bench_training.py [--networks dense slice-stack] [--method softmax] [--steps 5] [--batch 32]

On one thread, in CPU-seconds, which are those of the clock where nothing else runs. Steps of all ways take turns; ratios
are of medians, against plain float32. A step is forward, backward and optimiser; images are numbers at random. First steps
are in seconds of the clock: torch.compile runs a C++ compiler then.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from insml.datasets import Corruption, TrainingSet
from insml.learn import TrainingSettings
from insml.learn.batches import Loader, split
from insml.learn.form import Form
from insml.learn.trained import corruption_for
from insml.learn.trainer import Trainer
from insml.study import Study, bundled

WAYS = ("float32", "bfloat16", "float32, compiled", "bfloat16, compiled")


def spoiling(study: Study, form: Form, images: int = 200) -> float:
    """CPU-seconds of drawing what separates a measurement from a simulation, and of the form networks see."""
    corruption = corruption_for(study, None)
    # bright in few places, as a simulation is
    clean = (np.random.default_rng(1).random(study.layout.stack_shape) ** 6).astype(np.float16)
    form(*corruption.apply(clean, 1, images))
    begun = time.process_time()
    for i in range(images):
        form(*corruption.apply(clean, 1, i))
    return (time.process_time() - begun) / images


def main() -> None:
    parser = argparse.ArgumentParser(description="time of a training step")
    parser.add_argument("--networks", nargs="+", default=["dense", "slice-stack"])
    parser.add_argument("--method", default="softmax")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()
    torch.set_num_threads(1)
    study = bundled("manganite")
    form = Form.of(study.layout, (study.training.mirror, study.training.mirror))
    rng = np.random.default_rng(0)
    # the trainer wants images of each candidate to divide; steps get others
    few = TrainingSet(np.ones((12, *study.layout.stack_shape), np.float32), np.arange(12) % 2, np.zeros((12, 1)),
                      (("J",), ("J",)), tuple(study.candidates), study.layout, "", 0)
    print(f"spoiling an image: {1e3 * spoiling(study, form):.1f} ms")
    x = torch.from_numpy(rng.standard_normal((args.batch, *form.layout.stack_shape), np.float32))
    images = torch.arange(args.batch) % 12
    print(f"{args.method}, {args.batch} stacks {form.layout.stack_shape}, torch {torch.__version__}")
    for network in args.networks:
        settings = TrainingSettings(network=network, method=args.method, batch=args.batch, epochs=1000, device="cpu")
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        with ThreadPoolExecutor(1) as pool:
            trainers = {}
            for way in WAYS:
                own = replace(settings, precision=way.partition(",")[0])
                trainer = Trainer(few, own, split(few.labels, 2, 0.1, 0.15, 1), Loader(few, Corruption(), form, 1, pool),
                                  lambda done, total, message: None)
                if "compiled" in way:
                    trainer.method.backbone.compile()
                begun = time.perf_counter()
                trainer._step(0, x.clone(), images)
                print(f"  {network}, {way}: first step {time.perf_counter() - begun:.1f} s", flush=True)
                trainers[way] = trainer
        for step in range(1, args.steps + 1):
            for way, trainer in trainers.items():
                begun = time.process_time()
                trainer._step(step, x.clone(), images)
                seconds[way].append(time.process_time() - begun)
        plain = float(np.median(seconds["float32"]))
        for way, times in seconds.items():
            one = float(np.median(times))
            print(f"{network:12s} {way:20s} {1e3 * one:8.0f} ms a step {args.batch / one:7.1f} images/s {one / plain:6.2f}",
                  flush=True)


if __name__ == "__main__":
    main()
