"""How differently a network answers to small changes of different images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codesign.accuracy.torch_module import FloatModule
from codesign.accuracy.torch_proxy import BatchProxy

_FLOOR = 1e-5


@dataclass(frozen=True)
class JacobCov(BatchProxy):
    """Minus the sum of log(v + k) + 1 / (v + k) over the eigenvalues v of a correlation, k = 1e-5.

    The correlation, `[N, N]`, is that of the N images' gradients: of the sum of all scores, by
    the image's own pixels. Images without a gradient count as alike.

    Source: Mellor et al., arXiv 2006.04647 version 1, section 4.1 (Jacobian covariance), as in
    Abdelfattah et al., ICLR 2021 (arXiv 2101.08134), section 3.1.
    """

    def measured(self, module: FloatModule, images: Tensor, labels: Tensor) -> float:
        """Return the score."""
        images = images.requires_grad_()
        (gradients,) = torch.autograd.grad(module(images).sum(), images)
        rows = gradients.flatten(1).numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = np.nan_to_num(np.corrcoef(rows), nan=1.0)
        values = np.maximum(np.linalg.eigvalsh(correlation), 0.0) + _FLOOR
        return float(-(np.log(values) + 1 / values).sum())
