"""ResNet-34."""

from __future__ import annotations

from codesign.network.blocks import basic, resnet
from codesign.network.layers import Layers
from codesign.network.model import Figure, Model, image


class Resnet34(Model):
    """Sixteen basic residual blocks. Source: He et al., CVPR 2016, table 1."""

    title = "ResNet-34"
    input = image(224)
    published_macs = Figure(3_664_000_000, 1_000_000, "torchvision, ResNet34_Weights, _ops 3.664")
    published_parameters = Figure(21_797_672, 1, "torchvision, ResNet34_Weights, num_params")

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        resnet(layers, basic, (3, 4, 6, 3))
