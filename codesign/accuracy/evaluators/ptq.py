"""Post-training quantisation: learn in real numbers, then round."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from codesign.accuracy.dataset import Split
from codesign.accuracy.evaluator import calibration_images
from codesign.accuracy.torch_evaluator import TorchEvaluator
from codesign.network.network import FloatNetwork, Network
from codesign.network.quantize import post_training


@dataclass(frozen=True)
class Ptq(TorchEvaluator):
    """Train with batch normalisation, fuse it, choose scales and round; no fine-tuning.

    Weights to start from replace the training: then nothing is trained at all. It serves wide
    types (6 bits and up); narrower ones need `correct_bias`, or `qat`.
    """

    correct_bias: bool = False
    """Whether every bias loses the mean error that rounding causes on the calibration images."""

    def quantized(self, floats: FloatNetwork, split: Split, generator: torch.Generator) -> Network:
        """Choose scales and round."""
        images = calibration_images(split, self.calibration_images)
        method = replace(self.method(), correct_bias=self.correct_bias)
        return post_training(floats, images, self.scales, method)
