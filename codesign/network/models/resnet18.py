"""ResNet-18."""

from __future__ import annotations

from codesign.network.blocks import basic, resnet
from codesign.network.layers import Layers
from codesign.network.model import Figure, Model, image


class Resnet18(Model):
    """Eight basic residual blocks. Source: He et al., CVPR 2016, table 1."""

    title = "ResNet-18"
    input = image(224)
    published_macs = Figure(1_814_000_000, 1_000_000, "torchvision, ResNet18_Weights, _ops 1.814")
    published_parameters = Figure(11_689_512, 1, "torchvision, ResNet18_Weights, num_params")

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        resnet(layers, basic, (2, 2, 2, 2))
