"""CNV, the convolutional network of FINN."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import LINEAR, RELU, Layers, Style, square
from codesign.network.model import Figure, Model, image

_SOURCE = "QONNX, tests/analysis/test_inference_cost.py, FINN-CNV_W2A2, expected_dense"
_RECTIFIED = Style(RELU)


class Cnv(Model):
    """Six unpadded convolutions and three dense layers for CIFAR-10.

    FINN gives it one or two bits; here `weight_bits` and `activation_bits` say how many. The
    publication counts weights alone: there are no biases, and normalisations become thresholds.

    Source: Umuroglu et al., FPGA 2017, section 5.1.
    """

    title = "CNV (FINN)"
    input = image(32)
    published_macs = Figure(59_461_376, 1, f"{_SOURCE}, total_macs")
    published_parameters = Figure(1_542_848, 1, f"{_SOURCE}, total_mem_w_elems")
    norm_numbers = 0

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = INPUT
        for width in (64, 128, 256):
            for _ in range(2):
                maps = layers.conv(maps, width, square(3, padding=0), _RECTIFIED)
            if width < 256:
                maps = layers.pool(maps, "max", square(2, 2))
        vector = layers.dense(maps, 512, _RECTIFIED)
        vector = layers.dense(vector, 512, _RECTIFIED)
        layers.dense(vector, 10, Style(LINEAR))
