"""Calibration: each member against its definition, and what all of them have to be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign import load
from codesign.errors import InputError
from codesign.network.calibration import FOLDER, calibration
from codesign.network.calibrations.entropy import Entropy
from codesign.network.calibrations.min_max import MinMax
from codesign.network.calibrations.mse import Mse
from codesign.network.calibrations.percentile import Percentile
from codesign.network.floats import execute_floats, walk_floats
from codesign.network.graph import Graph, Node
from codesign.network.histogram import BINS, observe
from codesign.network.network import FloatNetwork
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.table import Table
from codesign.network.saturation import without_tails
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

NAMES = load.names(FOLDER)
TYPES = [Tensor((1,), bits, signed) for bits in (2, 4, 8) for signed in (False, True)]
BASES = (None, 1.0, 0.3)


def histogram(values, signed=True):
    """Return the histogram of the images of a network."""
    images = np.asarray(values, np.float64).reshape(-1, 1, 1, 1)
    entry = Tensor((1, 1, 1), 8, signed)
    node = Node("pool0", Pool2d("max", Window((1, 1))), ("input",), entry)
    return observe(FloatNetwork(Graph("g", entry, (node,)), {}), images)["input"]


def values_of(seed, signed=True, count=4001):
    random = np.random.default_rng(seed)
    values = random.standard_t(3, size=count) * 10.0 ** random.integers(-3, 4)
    return values if signed else np.maximum(values, 0.0)


@pytest.mark.parametrize("seed", range(6))
def test_a_histogram_holds_what_numpy_counts(seed):
    values = values_of(seed)
    seen = histogram(values)
    assert seen.counts.sum() == len(values)
    assert (seen.low, seen.high) == pytest.approx((values.min(), values.max()), rel=1e-6)
    edges = (np.arange(2 * BINS + 2) - BINS - 0.5) * seen.width
    wanted, _ = np.histogram(values, edges)
    # what lies on an edge may fall to either side
    assert np.abs(seen.counts - wanted).sum() <= 10
    middles, counts = seen.held()
    assert counts @ middles / len(values) == pytest.approx(values.mean(), abs=seen.width / 2)


def test_grey_levels_and_zero_are_exact():
    levels = np.arange(256) / 255
    middles, counts = histogram(levels, signed=False).held()
    np.testing.assert_allclose(middles, levels, atol=1e-7)
    assert (counts == 1).all()


def test_values_are_walked_in_batches_and_dropped():
    entry = Tensor((600, 80, 60), 8, signed=False)
    pools = [Node(f"pool{n}", Pool2d("max", Window((1, 1))), ("input",), entry) for n in range(2)]
    network = FloatNetwork(Graph("g", entry, tuple(pools), ("pool0", "pool1")), {})
    images = np.random.default_rng(0).random((4, *entry.shape), np.float32)
    seen = observe(network, images)
    assert seen["pool0"].counts.sum() == images.size
    assert seen["pool0"].high == images.max()
    walked = {name: values.dtype for name, values in walk_floats(network, images[:1], np.float32)}
    assert walked == dict.fromkeys(["input", "pool0", "pool1"], np.dtype(np.float32))


def test_the_issue_calibrations_are_there():
    assert set(NAMES) == {"entropy", "min_max", "mse", "percentile"}
    assert calibration("percentile", {"percentile": 99.0}) == Percentile(99.0)
    with pytest.raises(InputError, match="did you mean entropy"):
        calibration("entropie")
    with pytest.raises(InputError, match="percentile"):
        calibration("percentile", {"percentile": 20.0})


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("tensor", TYPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_steps_scale_with_the_values_and_keep_to_the_base(name, tensor, base):
    member = calibration(name)
    values = values_of(1, tensor.signed)
    step = member.step(histogram(values, tensor.signed), tensor, base)
    assert 0 < step <= np.abs(values).max()
    if base is not None:
        assert math.log2(step / base) == pytest.approx(round(math.log2(step / base)), abs=1e-9)
    doubled = member.step(histogram(2 * values, tensor.signed), tensor, base)
    assert doubled == pytest.approx(2 * step, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("values", [[1e-20, 0], [3.0], [-2.0, -2.0], [1e25, 1.0], [0.5, -0.25]])
def test_few_huge_and_tiny_values_have_a_step(name, values):
    seen = histogram(values)
    for tensor in (*TYPES, Tensor((1,), 1, signed=True), Tensor((1,), 1, signed=False)):
        for base in BASES:
            assert 0 < calibration(name).step(seen, tensor, base) < np.inf


@pytest.mark.parametrize("tensor", TYPES, ids=str)
def test_min_max_clips_nothing_and_wastes_nothing(tensor):
    values = values_of(3, tensor.signed)
    step = MinMax().step(histogram(values, tensor.signed), tensor, None)
    low, high = values.min() / step, values.max() / step
    assert low >= tensor.low * (1 + 1e-6)
    assert high <= tensor.high * (1 + 1e-6)
    assert high == pytest.approx(tensor.high) or low == pytest.approx(tensor.low)
    power = MinMax().step(histogram(values, tensor.signed), tensor, 1.0)
    # one step may be missing at the upper end
    assert values.max() / power <= tensor.high + 1
    assert values.max() / power > (tensor.high + 1) / 2 or values.min() / power < tensor.low / 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.sampled_from([90.0, 99.0, 99.9, 100.0]))
def test_percentiles_are_those_of_numpy(seed, percentile):
    values = values_of(seed)
    seen = histogram(values)
    low, high = Percentile(percentile).limits(seen)
    shares = [100 - percentile, percentile]
    wanted = np.percentile(values, shares, method="inverted_cdf")
    np.testing.assert_allclose([low, high], wanted, atol=seen.width)
    tensor = Tensor((1,), 8, signed=True)
    step = Percentile(percentile).step(seen, tensor, None)
    assert step == pytest.approx(max(wanted[1] / 127, wanted[0] / -128), abs=seen.width)


def test_a_percentile_of_zero_falls_back_to_the_range():
    values = np.zeros(100000)
    values[0] = 5.0
    assert Percentile(99.0).step(histogram(values), Tensor((1,), 8, True), None) == 5.0 / 127


@pytest.mark.parametrize("base", [None, 1.0])
@pytest.mark.parametrize("tensor", TYPES, ids=str)
def test_mse_is_near_the_least_error_of_a_search(tensor, base):
    values = values_of(5, tensor.signed)

    def error(step):
        rounded = np.clip(np.rint(values / step), tensor.low, tensor.high) * step
        return ((rounded - values) ** 2).mean()

    largest = max(values.max() / tensor.high, values.min() / (tensor.low or -1))
    steps = largest * np.geomspace(1, 1 / 16, 500)
    if base is not None:
        exponent = math.ceil(math.log2(largest))
        steps = 2.0 ** np.arange(exponent - 4, exponent + 1)
    found = Mse().step(histogram(values, tensor.signed), tensor, base)
    assert error(found) <= 1.02 * min(error(step) for step in steps)


def direct_divergence(values, counts, step, tensor):
    """Bin by bin, as the slides tell it: reference P, its rounded Q, and the sum of P log P / Q."""
    bins = [(v, n) for v, n in zip(values, counts, strict=True) if v != 0]
    within = [(v, n) for v, n in bins if tensor.low <= round(v / step) <= tensor.high]
    p = [float(n) for _, n in within]
    for value, count in bins:
        if round(value / step) < tensor.low:
            p[0] += count
        elif round(value / step) > tensor.high:
            p[-1] += count
    levels = {}
    for value, count in within:
        levels.setdefault(round(value / step), []).append(count)
    q = [sum(levels[round(v / step)]) / len(levels[round(v / step)]) for v, _ in within]
    total_p, total_q = sum(p), sum(q)
    return sum(
        a / total_p * math.log((a / total_p) / (b / total_q)) for a, b in zip(p, q, strict=True)
    )


@pytest.mark.parametrize("base", [None, 1.0])
@pytest.mark.parametrize("tensor", [t for t in TYPES if t.bits > 2], ids=str)
def test_entropy_is_the_least_of_the_direct_definition(tensor, base):
    seen = histogram(values_of(7, tensor.signed, count=20000), tensor.signed)
    values, counts = seen.held()
    largest = max(seen.high / tensor.high, seen.low / (tensor.low or -1))
    steps = largest * np.geomspace(1.0, 1 / 16, 97)
    if base is not None:
        exponent = math.ceil(math.log2(largest))
        steps = 2.0 ** np.arange(exponent, exponent - 5, -1)
    wanted = [direct_divergence(values, counts, step, tensor) for step in steps]
    found = Entropy().step(seen, tensor, base)
    nearest = np.abs(steps - found).argmin()
    assert steps[nearest] == pytest.approx(found)
    assert wanted[nearest] == pytest.approx(min(wanted), rel=1e-9)


def test_entropy_clips_outliers_that_min_max_keeps():
    values = np.random.default_rng(0).normal(size=50000)
    values[:5] = 40.0
    tensor, seen = Tensor((1,), 8, signed=True), histogram(values)
    assert Entropy().step(seen, tensor, None) < 0.5 * MinMax().step(seen, tensor, None)
    for member in (Mse(), Percentile(99.9)):
        assert member.step(seen, tensor, None) < MinMax().step(seen, tensor, None)


def graph_with_a_table(function, *others):
    entry = Tensor((4, 5, 5), 8, signed=True)
    pool = Node("pool0", Pool2d("max", Window((1, 1))), ("input",), entry)
    table = Table(function, (), (0, 0), (0, 0)).typed([entry], replace(entry, signed=False))
    nodes = (pool, Node("table0", table, ("pool0",), replace(entry, signed=False), 0))
    return FloatNetwork(Graph("g", entry, nodes, ("table0", *others)), {})


def test_a_sigmoid_does_not_ask_for_values_that_it_cannot_tell_apart():
    images = np.random.default_rng(0).normal(size=(50, 4, 5, 5)) * 12
    network = graph_with_a_table("sigmoid")
    seen = observe(network, images)
    narrowed = without_tails(network.graph, seen, {"table0": 1 / 255})
    # the input is read by the pool as well, which passes nothing on unchanged
    assert narrowed.keys() == {"pool0"}
    limit = math.log(2 * 255 - 1)  # where the sigmoid is half a step from 1
    assert narrowed["pool0"].high == pytest.approx(limit, abs=0.05)
    assert narrowed["pool0"].low == pytest.approx(-limit, abs=0.05)
    assert narrowed["pool0"].counts.sum() == images.size
    answering = graph_with_a_table("sigmoid", "pool0")
    assert without_tails(answering.graph, seen, {"table0": 1 / 255}) == {}


def test_wrong_images_are_refused():
    network = graph_with_a_table("sigmoid")
    with pytest.raises(InputError, match="no images"):
        observe(network, np.zeros((0, 4, 5, 5)))
    with pytest.raises(InputError, match="'input' takes values"):
        observe(network, np.full((1, 4, 5, 5), np.nan))


def test_huge_values_are_observed_in_double_precision():
    network = graph_with_a_table("sigmoid")
    images = np.random.default_rng(0).normal(size=(3, 4, 5, 5)) * 1e60
    seen = observe(network, images)
    assert seen["pool0"].high == execute_floats(network, images)["pool0"].max()
