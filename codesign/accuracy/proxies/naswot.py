"""How differently the ReLUs of a network answer to different images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codesign.accuracy.torch_module import FloatModule
from codesign.accuracy.torch_proxy import BatchProxy
from codesign.network.floats import rectifies

_FLOOR = 1e-10


@dataclass(frozen=True)
class Naswot(BatchProxy):
    """The logarithm of the determinant of the kernel that counts where ReLUs agree, `[N, N]`.

    An eigenvalue below 1e-10 counts as that, so that images of one and the same code give a
    number, too.

    Source: Mellor et al., ICML 2021 (arXiv 2006.04647 version 3), equations 1 and 2.
    """

    @torch.no_grad()
    def measured(self, module: FloatModule, images: Tensor, labels: Tensor) -> float:
        """Return the logarithm."""
        values = module.values(images)
        kernel = np.zeros((len(images), len(images)))
        for node in module.start.graph:
            if rectifies(node):
                code = (values[node.name] > 0).flatten(1).double()
                kernel += (code @ code.T + (1 - code) @ (1 - code.T)).numpy()
        return float(np.log(np.maximum(np.linalg.eigvalsh(kernel), _FLOOR)).sum())
