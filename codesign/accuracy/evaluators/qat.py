"""Quantisation-aware training: learn in real numbers, then learn through the integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import ClassVar, Self

import torch

from codesign.accuracy.dataset import Split
from codesign.accuracy.evaluator import calibration_images
from codesign.accuracy.torch_evaluator import TorchEvaluator
from codesign.accuracy.torch_training import Distillation, learn_integers
from codesign.network.equalise import equalise
from codesign.network.network import FloatNetwork, Network
from codesign.network.scales import choose_scales


@dataclass(frozen=True)
class Qat(TorchEvaluator):
    """Train with batch normalisation, fuse it, choose scales, fine-tune with rounded weights.

    Weights to start from replace the first training; only fine-tuning is left.
    Source: Jacob et al., CVPR 2018, section 3.
    """

    fine_tune_epochs: int = 8
    fine_tune_learning_rate: float = 0.01
    distill: float = 0.0
    """Share of the loss that is to imitate the real weights that fine-tuning starts from."""
    temperature: float = 4.0
    """Divides the scores that are imitated; higher ones show more of the wrong classes."""

    least: ClassVar[Mapping[str, float]] = {
        **TorchEvaluator.least,
        "fine_tune_epochs": 1,
        "fine_tune_learning_rate": 1e-6,
        "distill": 0.0,
        "temperature": 0.01,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.distill > 1:
            raise ValueError(f"distill is a share, at most 1, got {self.distill}")

    def tuning_epochs(self) -> int:
        """Return the epochs through the integers."""
        return self.fine_tune_epochs

    def tuned_for(self, share: float) -> Self:
        """Return this evaluator with fewer of them."""
        return replace(self, fine_tune_epochs=ceil(share * self.fine_tune_epochs))

    def quantized(self, floats: FloatNetwork, split: Split, generator: torch.Generator) -> Network:
        """Choose scales, and learn through the integers that they make."""
        balanced = equalise(floats) if self.equalise else floats
        images = calibration_images(split, self.calibration_images)
        scales = choose_scales(balanced, images, self.scales, self.method())
        tuning = self.recipe(self.fine_tune_epochs, self.fine_tune_learning_rate)
        taught = Distillation(floats, self.distill, self.temperature) if self.distill else None
        return learn_integers(balanced, scales, split, tuning, generator, taught)
