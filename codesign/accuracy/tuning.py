"""Training through the integers that starts from given weights: what may be asked, and doing it."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.accuracy.dataset import Labelled
from codesign.network.network import FloatNetwork, Network
from codesign.network.scales import Scales

_LEAST = {"epochs": 0, "batch": 1, "learning_rate": 1e-9, "temperature": 0.01, "threads": 1}


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a trained network learns to live with its rounding."""

    epochs: int = 0
    batch: int = 64
    learning_rate: float = 1e-3
    """The highest of one cycle."""
    distill: float = 0.0
    """Share of the loss that is to imitate the real weights."""
    temperature: float = 4.0
    """Divides the scores that are imitated."""
    shift: int = 0
    """Images move by up to so many pixels at random."""
    flip: bool = False
    """Whether half of the images, at random, are mirrored left to right."""
    threads: int = 1

    def __post_init__(self) -> None:
        for option, least in _LEAST.items():
            if getattr(self, option) < least:
                raise ValueError(f"{option} is at least {least:g}, got {getattr(self, option)}")
        if not 0 <= self.distill <= 1:
            raise ValueError(f"distill is a share, 0 to 1, got {self.distill:g}")
        if self.shift < 0:
            raise ValueError(f"shift is at least 0, got {self.shift}")

    def tuned(self, network: FloatNetwork, scales: Scales, split: Labelled, seed: int) -> Network:
        """Return the integers that are learned at given scales.

        The answer depends on the arguments and options alone, to the bit.

        Args:
            network: the real weights to start from, and to imitate.
            scales: of its tensors and weights.
            split: images in the shape that the network reads, and their classes.
            seed: of the order of images, and how they vary.
        """
        import torch  # slow to import, and an extra

        from codesign.accuracy.torch_training import Distillation, Recipe, learn_integers, threads

        recipe = Recipe(self.epochs, self.batch, self.learning_rate, self.shift, self.flip)
        taught = Distillation(network, self.distill, self.temperature) if self.distill else None
        generator = torch.Generator().manual_seed(seed)
        with threads(self.threads):
            return learn_integers(network, scales, split, recipe, generator, taught)
