"""The contract of zero-cost proxies, for every member of the folder, and their definitions."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from codesign import load
from codesign.accuracy.dataset import Split
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.proxies.grad_norm import GradNorm
from codesign.accuracy.proxies.jacob_cov import JacobCov
from codesign.accuracy.proxies.naswot import Naswot
from codesign.accuracy.proxies.snip import Snip
from codesign.accuracy.proxies.synflow import Synflow
from codesign.accuracy.proxy import Proxy
from codesign.accuracy.torch_module import random_weights
from codesign.errors import InputError
from codesign.network.cell import Cell
from codesign.network.families.convnet import Convnet
from codesign.network.families.nasbench201 import Nasbench201
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.dense import Dense
from codesign.network.tensor import Tensor

NAMES = load.names("accuracy.proxies")
BATCHED = [name for name in NAMES if name != "synflow"]
TRAIN = Digits().load().train
FAMILY = Convnet(Tensor((1, 8, 8), 8, signed=False), 10)
SEEDS = range(20)
PUBLISHED = Path(__file__).parents[2] / "shared" / "data" / "nasbench201" / "zero_cost_491.csv"


def graph_of(**changes):
    point = {choice.name: choice.values[1] for choice in FAMILY.space().choices}
    return FAMILY.decode(point | {"layers": 3} | changes)


def member(name, **options):
    return load.build(load.member("accuracy.proxies", Proxy, name), options, "proxy")


def perceptron(inputs=4, hidden=3, classes=2):
    """Return a network of two dense layers with a ReLU between them."""
    nodes = (
        Node("hidden", Dense(inputs, hidden, 8), (INPUT,), Tensor((hidden,), 8, signed=False)),
        Node(
            "scores", Dense(hidden, classes, 8), ("hidden",), Tensor((classes,), 24, signed=True), 0
        ),
    )
    return Graph("perceptron", Tensor((inputs, 1, 1), 8, signed=False), nodes)


def weights_of(graph, seed):
    drawn = random_weights(graph, torch.Generator().manual_seed(seed)).parameters
    return [drawn[name].weights for name in ("hidden", "scores")]


def normalised(values):
    """Return the batch-normalised columns, and their spread."""
    spread = np.sqrt(values.var(axis=0) + 1e-5)
    return (values - values.mean(axis=0)) / spread, spread


def batch(count=8, inputs=4):
    random = np.random.default_rng(0)
    images = random.random((count, inputs, 1, 1)).astype(np.float32)
    return Split(images, random.integers(2, size=count))


def weight_gradients(weights, split):
    """Return dL/dw of both layers by the rules of differentiation, written out."""
    first, second = weights
    images = split.images.reshape(len(split), -1).astype(np.float64)
    raw, spread = normalised(images @ first.T)
    hidden = np.maximum(raw, 0)
    scores = hidden @ second.T
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wrong = (shares - np.eye(2)[split.labels]) / len(split)
    back = (wrong @ second) * (raw > 0)
    back = (back - back.mean(axis=0) - raw * (back * raw).mean(axis=0)) / spread
    return back.T @ images, wrong.T @ hidden


def test_the_issue_proxies_are_there():
    assert {"synflow", "jacob_cov", "naswot", "snip", "grad_norm"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_score_is_a_number_that_depends_on_its_arguments_alone(name):
    first, other, again = (
        member(name).score(graph_of(**changes), TRAIN, 3) for changes in ({}, {"width0": 32}, {})
    )
    assert math.isfinite(first)
    assert first == again
    assert first != other
    assert first != member(name).score(graph_of(), TRAIN, 4)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_that_sees_nothing_has_a_score(name):
    dark = replace(TRAIN, images=np.zeros_like(TRAIN.images))
    assert math.isfinite(member(name).score(graph_of(), dark, 0))


@pytest.mark.parametrize("name", NAMES)
def test_widths_of_integers_decide_nothing(name):
    narrow = {c.name: 2 for c in FAMILY.space().choices if "bits" in c.name}
    wide = dict.fromkeys(narrow, 8)
    scores = {member(name).score(graph_of(**bits), TRAIN, 0) for bits in (narrow, wide)}
    assert len(scores) == 1


@pytest.mark.parametrize("name", BATCHED)
def test_too_few_images_are_refused(name):
    with pytest.raises(InputError, match="images is at least 2, got 1"):
        member(name, images=1)


def test_synflow_looks_at_no_image():
    other = TRAIN.take(np.arange(100, 200))
    assert Synflow().score(graph_of(), TRAIN, 0) == Synflow().score(graph_of(), other, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_synflow_adds_what_passes_each_layer(seed):
    graph = perceptron()
    first, second = (np.abs(weights) for weights in weights_of(graph, seed))
    # R = 1' W2 W1 1 is linear in each layer, so each adds all of it
    flow = len(weights_of(graph, seed)) * (second @ first @ np.ones(4)).sum()
    assert Synflow().score(graph, batch(), seed) == pytest.approx(math.log1p(flow), rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_snip_and_grad_norm_are_those_of_the_written_out_gradients(seed):
    graph, split = perceptron(), batch()
    weights = weights_of(graph, seed)
    gradients = weight_gradients(weights, split)
    pairs = list(zip(weights, gradients, strict=True))
    snip = sum(np.abs(weight * gradient).sum() for weight, gradient in pairs)
    norms = sum(np.linalg.norm(gradient) for _, gradient in pairs)
    assert Snip(images=8).score(graph, split, seed) == pytest.approx(snip, rel=1e-5)
    assert GradNorm(images=8).score(graph, split, seed) == pytest.approx(norms, rel=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_naswot_counts_where_units_agree(seed):
    graph, split = perceptron(hidden=24), batch(count=4)
    first, _ = weights_of(graph, seed)
    active = normalised(split.images.reshape(4, -1) @ first.T)[0] > 0
    agree = (active[:, None] == active[None]).sum(axis=2)
    sign, wanted = np.linalg.slogdet(agree)
    assert sign > 0
    assert Naswot(images=4).score(graph, split, seed) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_jacob_cov_is_that_of_single_differences(seed):
    graph, split = perceptron(hidden=16), batch(count=3)
    first, second = weights_of(graph, seed)

    def total(images):
        return (np.maximum(normalised(images @ first.T)[0], 0) @ second.T).sum()

    images = split.images.reshape(3, -1).astype(np.float64)
    jacobian, step = np.zeros_like(images), 1e-6
    for place in np.ndindex(images.shape):
        change = np.zeros_like(images)
        change[place] = step
        jacobian[place] = (total(images + change) - total(images - change)) / (2 * step)
    eigenvalues = np.maximum(np.linalg.eigvalsh(np.corrcoef(jacobian)), 0) + 1e-5
    wanted = -(np.log(eigenvalues) + 1 / eigenvalues).sum()
    assert JacobCov(images=3).score(graph, split, seed) == pytest.approx(wanted, rel=1e-2)


@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"needs {PUBLISHED}")
def test_synflow_ranks_cells_as_the_published_column_does():
    with PUBLISHED.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == "cifar10"][::33]
    family = Nasbench201(Tensor((3, 32, 32), 8, signed=False), 10)
    graphs = [family.decode(family.point(Cell.parse(row["ops"]))) for row in rows]
    scores = [Synflow().score(graph, TRAIN, 0) for graph in graphs]
    assert spearmanr(scores, [float(row["synflow"]) for row in rows]).statistic >= 0.95
