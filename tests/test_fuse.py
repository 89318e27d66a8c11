"""Fusing is compared with torch's own batch normalisation."""

import numpy as np
import pytest
import torch

from codesign.network.fuse import BatchNorm, fuse
from codesign.network.network import FloatParameters


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dense", [False, True])
def test_a_fused_layer_computes_what_layer_and_normalisation_did(dense, bias):
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 0.5

    layer = torch.nn.Linear(27, 5) if dense else torch.nn.Conv2d(3, 5, 3)
    layer = layer.double()
    layer.weight.data, layer.bias.data = drawn(*layer.weight.shape), drawn(5) * bias
    norm = (torch.nn.BatchNorm1d if dense else torch.nn.BatchNorm2d)(5, eps=1e-3).double().eval()
    norm.weight.data, norm.bias.data, norm.running_mean = drawn(5), drawn(5), drawn(5)
    norm.running_var = drawn(5) + 0.6
    inputs = drawn(4, 27) if dense else drawn(4, 3, 6, 6)
    with torch.no_grad():
        wanted = norm(layer(inputs))

    fused = fuse(
        FloatParameters(layer.weight.detach().numpy(), layer.bias.detach().numpy()),
        BatchNorm(
            gain=norm.weight.detach().numpy(),
            offset=norm.bias.detach().numpy(),
            mean=norm.running_mean.numpy(),
            variance=norm.running_var.numpy(),
            epsilon=norm.eps,
        ),
    )
    layer.weight.data, layer.bias.data = map(torch.from_numpy, (fused.weights, fused.bias))
    with torch.no_grad():
        np.testing.assert_allclose(layer(inputs), wanted, atol=1e-12)
