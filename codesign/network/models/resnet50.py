"""ResNet-50."""

from __future__ import annotations

from codesign.network.blocks import bottleneck, resnet
from codesign.network.layers import Layers
from codesign.network.model import Figure, Model, image


class Resnet50(Model):
    """Sixteen bottleneck residual blocks. Source: He et al., CVPR 2016, table 1."""

    title = "ResNet-50"
    input = image(224)
    published_macs = Figure(4_089_000_000, 1_000_000, "torchvision, ResNet50_Weights, _ops 4.089")
    published_parameters = Figure(25_557_032, 1, "torchvision, ResNet50_Weights, num_params")

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        resnet(layers, bottleneck, (3, 4, 6, 3))
