"""Tests of pipeline depths: by hand, and against what public schedule reports print."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.hardware.board import Family
from codesign.hardware.chain import Chain, Operator, Step, Times, streamed, summed
from codesign.hardware.pace import Pace
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import Activation, Loop, ceil_log2
from codesign.network.tensor import Tensor

ZYNQ: Family = "zynq_7000"
ULTRASCALE: Family = "zynq_ultrascale_plus"


def depth(family: Family, clock_mhz: float, *steps: Step) -> int:
    return int(Pace(family, clock_mhz * 1e6).stages(Chain(steps)))


def test_operators_share_a_cycle_until_the_next_does_not_fit() -> None:
    """7.3 ns of 10 hold three additions of 16 bits of 2.07 ns each, and no fourth."""
    for count, stages in ((0, 1), (1, 1), (3, 1), (4, 2), (6, 2), (7, 3)):
        assert depth(ZYNQ, 100, Step(Operator.ADD, 16, count)) == stages
    assert depth(ZYNQ, 100, Step(Operator.ADD, 64, 2)) == 1  # 2 x 3.51 ns
    assert depth(ZYNQ, 100, Step(Operator.ADD, 64, 2), Step(Operator.SELECT)) == 2


def test_what_is_longer_than_a_cycle_takes_one() -> None:
    """At 400 MHz 1.825 ns are left, in which no FIFO of 7 series answers."""
    assert depth(ZYNQ, 400, Step(Operator.READ), Step(Operator.WRITE)) == 2


def test_a_product_takes_the_registers_of_its_slice_at_every_clock() -> None:
    for clock_mhz in (50, 100, 300):
        assert depth(ULTRASCALE, clock_mhz, Step(Operator.MULTIPLY)) == 4


def test_faster_clocks_and_slower_devices_take_no_fewer_stages() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        steps = tuple(
            Step(Operator(int(random.integers(8))), int(random.integers(1, 40)))
            for _ in range(random.integers(1, 12))
        )
        depths = [depth(ULTRASCALE, clock_mhz, *steps) for clock_mhz in (50, 100, 200, 300, 400)]
        assert depths == sorted(depths)
        assert depth(ZYNQ, 200, *steps) >= depths[2]


def test_a_whole_space_at_once_is_what_its_points_are() -> None:
    pace = Pace(ULTRASCALE, 300e6)
    lanes, extra = np.array([[1, 2], [9, 64], [4096, 3]]), np.array([[0], [2], [0]])

    def chain(lanes: Times, extra: Times) -> Chain:
        return streamed(*summed(ceil_log2(lanes), 16, 20), extra=extra)

    every = np.asarray(pace.stages(chain(lanes, extra)))
    assert every.shape == lanes.shape
    for row, column in np.ndindex(lanes.shape):
        own = chain(int(lanes[row, column]), int(extra[row, 0]))
        assert every[row, column] == pace.stages(own)


def test_a_loop_has_the_stages_of_its_pace() -> None:
    loop = Loop("nest", {"t": 10}, streamed())
    fast, slow = (loop.at(Pace(ULTRASCALE, mhz * 1e6)) for mhz in (300, 200))
    assert (fast.stages, slow.stages) == (3, 2)
    assert fast.gap == slow.gap + 1


def matrix(lanes: int, sum_bits: int, thresholds: int, stores_weights: bool) -> tuple[Step, ...]:
    """A matrix of FINN: weights from a memory or a stream, products, sums, thresholds."""
    output = Tensor((1,), (thresholds + 1).bit_length() - 1, signed=False)
    compares = Requantiser(sum_bits, 16, output, Activation.COMPARATOR)
    products = summed(ceil_log2(lanes), sum_bits - 2, sum_bits)
    return (Step(Operator.CONTROL), *products[not stores_weights :], *compares.steps)


@pytest.mark.parametrize(
    ("family", "lanes", "sum_bits", "thresholds", "stores_weights", "printed"),
    [
        (ZYNQ, 9, 15, 7, False, 8),
        (ZYNQ, 9, 16, 7, False, 8),
        (ZYNQ, 9, 17, 7, False, 8),
        (ZYNQ, 9, 18, 7, False, 8),
        (ZYNQ, 8, 17, 7, False, 8),
        (ZYNQ, 9, 19, 254, False, 11),
        (ULTRASCALE, 3, 17, 255, True, 7),
        (ULTRASCALE, 3, 13, 15, True, 6),
    ],
)
def test_published_matrices(
    family: Family,
    lanes: int,
    sum_bits: int,
    thresholds: int,
    stores_weights: bool,
    printed: int,
) -> None:
    """`D` of FINN's matrix units at 100 MHz, Vitis HLS 2022.2.

    Source: schedule reports of windy07/PDS_YOLO (Zynq: SIMD 9, 9, 9, 9, 8, 9 of `top_MVAU_hls_*`)
    and of CNStanLee/EF-US-Engine-Free-... and CNStanLee/LSTM_HLS (ZCU104). Their trees, of which
    slices add two levels, their wide comparisons and their AXI ports are not ours.
    """
    own = depth(family, 100, *matrix(lanes, sum_bits, thresholds, stores_weights))
    assert abs(own - printed) <= 0.2 * printed


def test_published_copies() -> None:
    """`D` of 14 loops that read a word and write it, xc7z020 at 100 MHz, Vitis HLS 2023.2.

    Source: schedule reports of DMDung2k3/FPGA-based-Accelerator-for-CNN-Lenet-5 (FIFO to FIFO,
    AXI4-Stream to FIFO and back).
    """
    assert Pace(ZYNQ, 100e6).stages(streamed()) == 2
