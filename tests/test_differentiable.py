"""Differentiable search: gates, expected figures, and what tightening the weight does."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from test_effects import SPACE, fitted
from torch.nn import functional

from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.torch_differentiable import Descent, Learner, expected
from codesign.accuracy.torch_gates import Gate, gated, straight_through
from codesign.accuracy.torch_supernet import Extents, SharedWeights
from codesign.accuracy.torch_training import Recipe
from codesign.errors import InputError
from codesign.flow.folder import RunFolder
from codesign.flow.learned import BLOCKS, LEARNED, check_learnable, learned_study, priced
from codesign.flow.prepare import prepare, target_for
from codesign.flow.sections import Hardware
from codesign.flow.settings import load_settings
from codesign.network.families.convnet import Convnet
from codesign.network.tensor import Tensor
from codesign.search.distribution import from_text
from codesign.search.effects import Effects
from codesign.search.strategies.differentiable import Differentiable
from codesign.search.trial import Objective
from codesign.search.variation import drawn

IMAGE = Tensor((1, 8, 8), 8, signed=False)
BITS = {"weight_bits": (8,), "activation_bits": (8,)}
FAMILY = Convnet(
    IMAGE,
    10,
    layers=(1, 2),
    widths=(4, 16),
    kernels=(1, 3),
    downsamples=("none", "max"),
    residuals=(False,),
    **BITS,
)
DIGITS = Digits().load()
WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0)


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    path = tmp_path_factory.mktemp("supernet") / "part"
    return Learner.trained(FAMILY, DIGITS.train, Recipe(20, 32, 0.02), 0, path)


@pytest.fixture(scope="module")
def effects():
    """Of something that is quick to know; it stands for a figure of hardware."""
    space, random = FAMILY.space(), np.random.default_rng(0)
    points = [drawn(space, random) for _ in range(200)]
    macs = [FAMILY.decode(space.decode(point)).macs for point in points]
    return Effects.fitted(space, "macs", points, macs)


def graph_of(**changes):
    point = {choice.name: choice.values[0] for choice in FAMILY.space().choices} | {"layers": 2}
    return FAMILY.decode(point | changes)


def shared_of(*graphs):
    extents = Extents()
    for graph in graphs:
        extents.include(graph)
    return SharedWeights(extents, torch.Generator().manual_seed(0)).double()


def test_closed_gates_change_no_answer_and_only_their_gradient_counts():
    own = graph_of(kernel0=3)
    others = [graph_of(kernel0=1), graph_of(kernel0=3, width0=16), graph_of(kernel0=3, width1=16)]
    shared = shared_of(own, *others)
    images = torch.from_numpy(DIGITS.train.images[:32]).double()
    openings = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in others]
    gates = [Gate(other, opening) for other, opening in zip(others, openings, strict=True)]
    answers = gated(shared, images, own, gates)
    single = shared_of(own, *others).float()
    plain = gated(single, images.float(), own, [])
    assert torch.allclose(plain, single(images.float(), own), atol=1e-5)
    assert torch.equal(answers, gated(shared, images, own, []))
    labels = torch.from_numpy(DIGITS.train.labels[:32])
    loss = functional.cross_entropy(answers, labels)
    found = torch.autograd.grad(loss, openings)
    step = 1e-5
    for place, slope in enumerate(found):
        losses = []
        for sign in (1, -1):
            moved = [
                Gate(other, torch.tensor(sign * step * (i == place), dtype=torch.float64))
                for i, other in enumerate(others)
            ]
            losses.append(functional.cross_entropy(gated(shared, images, own, moved), labels))
        assert float(slope) != 0
        assert float(slope) == pytest.approx(
            float((losses[0] - losses[1]).detach()) / 2 / step, rel=1e-4
        )


def test_an_open_gate_is_the_other_network():
    """Where all that lies behind is shared: the last layer's channels, and whole answers."""
    own, other = graph_of(width1=4), graph_of(width1=16)
    shared = shared_of(own, other)
    images = torch.from_numpy(DIGITS.train.images[:32]).double()
    one = Gate(other, torch.ones((), dtype=torch.float64))
    opened, wanted = (gated(shared, images, *case) for case in ((own, [one]), (other, [])))
    assert torch.allclose(opened, wanted, atol=1e-9)


def test_gates_that_do_not_matter_get_no_gradient():
    own = graph_of()
    opening = torch.zeros((), requires_grad=True)
    images = torch.from_numpy(DIGITS.train.images[:8]).double()
    strange = Convnet(IMAGE, 10, widths=(40,), layers=(2,)).decode(
        {c.name: c.values[0] for c in Convnet(IMAGE, 10, widths=(40,), layers=(2,)).space().choices}
    )
    gates = [Gate(own, opening), Gate(strange, opening)]
    answers = gated(shared_of(own), images, own, gates)
    assert torch.autograd.grad(answers.sum(), opening, allow_unused=True) == (None,)


def test_draws_are_hard_and_their_gradients_soft():
    generator = torch.Generator().manual_seed(0)
    logits = torch.tensor([0.0, 1.0, -1.0], requires_grad=True)
    counted = torch.zeros(3)
    for _ in range(2000):
        one = straight_through(logits, 1.0, generator)
        assert sorted(one.tolist()) == pytest.approx([0, 0, 1])
        counted += one.detach()
    wanted = functional.softmax(logits.detach(), dim=0)
    assert torch.allclose(counted / 2000, wanted, atol=0.04)
    (slope,) = torch.autograd.grad(one[0], logits)
    assert float(slope.abs().sum()) > 0
    assert float(slope.sum()) == pytest.approx(0, abs=1e-6)


def test_the_gradient_of_the_expected_figure_is_that_of_finite_differences():
    """Of the closed form in numpy, conditional choices included."""
    effects, random = fitted(), np.random.default_rng(0)
    logits = [random.standard_normal(n) for n in SPACE.shape]

    def closed(values):
        raised = [np.exp(own) for own in values]
        return effects.expected([own / own.sum() for own in raised])

    learning = [torch.tensor(own, requires_grad=True) for own in logits]
    value = expected(effects, [functional.softmax(own, dim=0) for own in learning])
    value.backward()
    assert float(value.detach()) == pytest.approx(closed(logits))
    step = 1e-6
    for place, own in enumerate(logits):
        for index in range(len(own)):
            moved = [[v.copy() for v in logits] for _ in range(2)]
            moved[0][place][index] += step
            moved[1][place][index] -= step
            slope = (closed(moved[0]) - closed(moved[1])) / 2 / step
            assert float(learning[place].grad[index]) == pytest.approx(slope, abs=1e-7)


def test_tightening_the_weight_lowers_the_expected_figure_every_time(learner, effects):
    descent = Descent(60, 0.1, 1.0)
    found = learner.learned(effects, WEIGHTS, descent, 0)
    figures = [effects.expected(one.shares) for one in found]
    assert all(later < earlier for earlier, later in pairwise(figures))
    ends = [FAMILY.decode(FAMILY.space().decode(one.likeliest())) for one in (found[0], found[-1])]
    assert ends[-1].macs < ends[0].macs


def test_without_weight_the_loss_of_drawn_networks_falls(learner, effects):
    """The gates alone lead from small kernels and few channels to better networks."""
    descent = Descent(60, 0.1, 1.0)
    (learned,) = learner.learned(effects, [0.0], descent, 0)
    (again,) = learner.learned(effects, [0.0], descent, 0)
    assert all(map(np.array_equal, learned.shares, again.shares))
    shares = dict(zip(learner.space.choices, learned.shares, strict=True))
    wide = next(own for choice, own in shares.items() if choice.name == "kernel0")
    assert wide[1] > 0.8  # 3 x 3

    def loss(shares):
        random, generator = np.random.default_rng(1), torch.Generator().manual_seed(1)
        logits = [torch.log(torch.from_numpy(own)).float() for own in shares]
        losses = [learner.cross_entropy(logits, descent, random, generator) for _ in range(30)]
        return float(torch.stack(losses).mean().detach())

    uniform = [np.full(n, 1 / n) for n in FAMILY.space().shape]
    assert loss(learned.shares) < 0.5 * loss(uniform)


def test_prices_are_those_of_best_designs():
    target, options = target_for("pynq_z2", Hardware(), ()), {"quantity": "lut", "priced": 20}
    found = priced(FAMILY, target, options, 0)
    assert (found.quantity, found.points) == ("lut", 16)
    wide, narrow = (
        {"layers": 2, "kernel0": kernel, "width0": width} for kernel, width in ((3, 16), (1, 4))
    )
    figures = []
    for changes in (wide, narrow):
        point = {choice.name: choice.values[0] for choice in FAMILY.space().choices} | changes
        figures.append(found.figure(FAMILY.space().encode(point)))
        own = target.judged(FAMILY.decode(point)).values["lut"]
        assert 0.5 < figures[-1] / own < 2
    assert figures[0] > figures[1]


def test_choices_that_real_numbers_do_not_see_stay_open(tmp_path):
    family = Convnet(IMAGE, 10, layers=(1,), widths=(4, 8), kernels=(3,), residuals=(False,))
    learner = Learner.trained(family, DIGITS.train, Recipe(1, 256, 0.02), 0, tmp_path / "part")
    names = [choice.name for choice in family.space().choices]
    seen = {name for name, is_open in zip(names, learner.open, strict=True) if is_open}
    assert seen == {"width0", "downsample0", "head"}


def test_without_anything_to_learn_there_is_no_search(tmp_path):
    family = Convnet(
        IMAGE, 10, layers=(1,), widths=(4,), kernels=(3,), residuals=(False,), heads=("average",),
        downsamples=("none",),
    )  # fmt: skip
    with pytest.raises(InputError, match="no choice of this family changes a network"):
        Learner.trained(family, DIGITS.train, Recipe(1, 256, 0.02), 0, tmp_path / "part")


def test_wrong_flows_are_refused():
    for change, problem in (
        ("board=zcu104,pynq_z2", "learns for one board"),
        ("search.hardware=flat", "learns networks, not engines"),
        ("search.quantity=latencys", "no figure 'latencys'.*did you mean latency_s"),
    ):
        settings = load_settings("quickstart", ["search.strategy=differentiable", change])
        with pytest.raises(InputError, match=problem):
            check_learnable(settings)
    check_learnable(load_settings("quickstart", ["search.strategy=differentiable"]))


def test_a_run_learns_once_and_finds_it_again(tmp_path):
    settings = load_settings(
        "quickstart",
        [
            "search.strategy=differentiable",
            "search.priced=20",
            "search.epochs=1",
            "search.updates=3",
            "search.steps=2",
            "network.layers=[1]",
            "network.widths=[4, 8]",
            "network.residuals=[false]",
            "training.batch=256",
        ],
    )
    prepared, folder, said = prepare(settings), RunFolder(tmp_path), []
    start = (settings, prepared.judge, prepared.study, folder)
    study = learned_study(*start, said.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == [BLOCKS, LEARNED]
    assert len(from_text(study.options["distribution"], study.space)) == 2
    lines = (tmp_path / BLOCKS).read_text().splitlines()
    assert lines[0] == "choice,value,latency_s"
    assert "20 networks" in said[0]

    (tmp_path / BLOCKS).unlink()
    again = learned_study(*start, said.append)
    assert again.definition() == study.definition()
    assert [path.name for path in tmp_path.iterdir()] == [LEARNED]
    plain = prepare(load_settings("quickstart"))
    nothing = (plain.settings, plain.judge, plain.study, RunFolder(tmp_path / "none"))
    assert learned_study(*nothing, said.append) is plain.study


def test_distributions_take_turns():
    space = FAMILY.space()
    shares = [{c.name: [1.0, *[0.0] * (len(c.values) - 1)] for c in space.choices}] * 2
    shares[1] = shares[1] | {"kernel0": [0.0, 1.0]}
    objectives = (Objective("accuracy", maximize=True),)
    strategy = Differentiable(space, objectives, 0, {"distribution": json.dumps(shares)})
    assert [point["kernel0"] for point in strategy.ask(2)] == [1, 3]
    with pytest.raises(InputError, match="option distribution has other choices"):
        Differentiable(space, objectives, 0, {"distribution": '[{"kernel": [1.0]}]'})
    with pytest.raises(InputError, match="option updates must be at least 1, got 0"):
        Differentiable(space, objectives, 0, {"updates": 0})
