"""Whether the differentiable strategy does what the hardware's weight asks for.

    python -m benchmarks.differentiable [zcu104]

Digits, small `convnet`s of 8 bits on one board. It prints how well the price list foretells the
latency of other networks; the largest difference between the gradient of the expected latency by
autograd and by finite differences; and for five weights, each twice the one before, the expected
latency, and the latency and validation accuracy (in real numbers, inherited) of networks drawn.
Ends with exit code 1 if a tighter weight does not lower the expected latency every time, or the
gradient is wrong.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from math import exp
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.torch_differentiable import Descent, Learner, expected
from codesign.accuracy.torch_gates import gated
from codesign.accuracy.torch_training import Recipe
from codesign.candidate import Target
from codesign.flow.learned import priced
from codesign.flow.prepare import INPUT_BITS, target_for
from codesign.flow.sections import Hardware
from codesign.network.families.convnet import Convnet
from codesign.network.tensor import Tensor
from codesign.search.distribution import Distribution
from codesign.search.effects import Effects

WEIGHTS = (0.025, 0.05, 0.1, 0.2, 0.4)
SEEDS = range(3)
DRAWN = 15
PRICED = 200
ERROR = 1e-6
"""Largest difference of gradients of the expected logarithm."""
STEP = 1e-5

Reals = NDArray[np.float64]


def main(board: str = "zcu104") -> bool:
    """Print the tables; return whether they are as they should be."""
    family = Convnet(
        Tensor((1, 8, 8), INPUT_BITS, signed=False),
        10,
        layers=(2, 3),
        weight_bits=(8,),
        activation_bits=(8,),
    )
    target = target_for(board, Hardware(), ())
    begun = time.perf_counter()
    effects = priced(family, target, {"quantity": "latency_s", "priced": PRICED}, 0)
    seconds = time.perf_counter() - begun
    print(f"digits x {board}: {effects.points} networks priced, {seconds:.0f} s")
    print(f"  variance of the logarithms of others' latency explained  {effects.explained:.2f}")
    error = gradient_error(effects)
    print(f"  gradient of the expectation, largest error               {error:.1e}")
    fell = [ladder(family, target, effects, seed) for seed in SEEDS]
    print(f"a tighter weight lowers the expected latency every time: {sum(fell)} of {len(fell)}")
    return all(fell) and error < ERROR


def ladder(family: Convnet, target: Target, effects: Effects, seed: int) -> bool:
    """Print what each weight gives; return whether the expected latency falls every time."""
    digits = Digits().load()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "part"
        learner = Learner.trained(family, digits.train, Recipe(60, 64, 0.02), seed, checkpoint)
    trained = time.perf_counter() - begun
    print(f"seed {seed}: supernet {trained:.0f} s; of {DRAWN} networks drawn, medians")
    begun = time.perf_counter()
    distributions = learner.learned(effects, WEIGHTS, Descent(200, 0.05, 1.0), seed)
    seconds = time.perf_counter() - begun
    print(
        f"  {'weight':>8}{'expected':>12}{'drawn':>12}{'accuracy':>10}, learned in {seconds:.0f} s"
    )
    figures = []
    for weight, found in zip(WEIGHTS, distributions, strict=True):
        figures.append(effects.expected(found.shares))
        latency, share = drawn(learner, target, found, digits.validation)
        wanted = f"{exp(figures[-1]) * 1e6:.2f} us"
        print(f"  {weight:8g}{wanted:>12}{latency * 1e6:9.2f} us{share:10.1%}")
    return all(later < earlier for earlier, later in pairwise(figures))


def drawn(
    learner: Learner, target: Target, found: Distribution, split: object
) -> tuple[float, float]:
    """Return the median latency [s] on best designs, and the median share of images right."""
    random = np.random.default_rng(0)
    images, labels = (torch.from_numpy(getattr(split, name)) for name in ("images", "labels"))
    latencies, shares = [], []
    for _ in range(DRAWN):
        graph = learner.family.decode(learner.space.decode(found.drawn(random)))
        latencies.append(target.judged(graph).values["latency_s"])
        if learner.shared.extents.cover(graph):
            with torch.no_grad():
                answers = gated(learner.shared, images, graph, ())
            shares.append(float((answers.argmax(dim=1) == labels).double().mean()))
    return statistics.median(latencies), statistics.median(shares)


def gradient_error(effects: Effects) -> float:
    """Return the largest difference of autograd's gradient to that of finite differences."""
    random = np.random.default_rng(0)
    logits = [random.standard_normal(n) for n in effects.space.shape]
    learning = [torch.tensor(own, requires_grad=True) for own in logits]
    value = expected(effects, [functional.softmax(own, dim=0) for own in learning])
    slopes = torch.autograd.grad(value, learning)
    errors = []
    for place, own in enumerate(logits):
        for index in range(len(own)):
            slope = _difference(effects.expected, logits, place, index)
            errors.append(abs(float(slopes[place][index]) - slope))
    return max(errors)


def _difference(
    of_shares: Callable[[list[Reals]], float], logits: list[Reals], place: int, index: int
) -> float:
    values = []
    for sign in (1, -1):
        moved = [own.copy() for own in logits]
        moved[place][index] += sign * STEP
        raised = [np.exp(own) for own in moved]
        values.append(of_shares([own / own.sum() for own in raised]))
    return (values[0] - values[1]) / 2 / STEP


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
