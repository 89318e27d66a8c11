"""Connection sensitivity: how much the loss would change if single weights were taken away."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from codesign.accuracy.torch_module import FloatModule
from codesign.accuracy.torch_proxy import BatchProxy, loss_gradients, weights_of


@dataclass(frozen=True)
class Snip(BatchProxy):
    """The sum over all weights of |w dL/dw|, L being the cross entropy of one batch.

    Sources: Lee, Ajanthan and Torr, ICLR 2019 (arXiv 1810.02340), equation 4; Abdelfattah et al.,
    ICLR 2021 (arXiv 2101.08134), section 3.1 (the sum as a score).
    """

    def measured(self, module: FloatModule, images: Tensor, labels: Tensor) -> float:
        """Return the sum."""
        weights = weights_of(module)
        gradients = loss_gradients(module, weights, images, labels)
        pairs = zip(weights, gradients, strict=True)
        return sum(float((weight.detach() * gradient).abs().sum()) for weight, gradient in pairs)
