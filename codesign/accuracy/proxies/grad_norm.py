"""The size of the first step: the norms of the loss's gradients."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from codesign.accuracy.torch_module import FloatModule
from codesign.accuracy.torch_proxy import BatchProxy, loss_gradients, weights_of


@dataclass(frozen=True)
class GradNorm(BatchProxy):
    """The sum over layers of the Euclidean norm of dL/dw, L being the cross entropy of one batch.

    Source: Abdelfattah et al., ICLR 2021 (arXiv 2101.08134), section 3.1.
    """

    def measured(self, module: FloatModule, images: Tensor, labels: Tensor) -> float:
        """Return the sum."""
        gradients = loss_gradients(module, weights_of(module), images, labels)
        return sum(float(gradient.norm()) for gradient in gradients)
