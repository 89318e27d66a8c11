"""Weights shared by all networks of a family: what is a slice of what, and what it is worth."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codesign import load
from codesign.accuracy import supernet_file, torch_sharing
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.evaluators.supernet import CHECKPOINT, FILE, Supernet
from codesign.accuracy.supernet_file import Task
from codesign.accuracy.torch_sharing import Inheriting, Sampler
from codesign.accuracy.torch_supernet import Extents, SharedWeights, slices
from codesign.errors import InputError
from codesign.flow.folder import RunFolder
from codesign.flow.prepare import prepare
from codesign.flow.run import search
from codesign.flow.settings import load_settings
from codesign.network.families.convnet import Convnet
from codesign.network.families.mobilenetv3 import Mobilenetv3
from codesign.network.families.onnx import Onnx
from codesign.network.families.proxyless import Proxyless
from codesign.network.families.resnet import Resnet
from codesign.network.family import Family
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork
from codesign.network.onnx.float_export import save_floats
from codesign.network.ops.dense import Dense
from codesign.network.ops.pad2d import Pad2d
from codesign.network.roles import roles
from codesign.network.serialize import digest
from codesign.network.tensor import Tensor, signed_bits
from codesign.space import Choice, Space

DIGITS = Digits().load()
FEW = replace(DIGITS, train=DIGITS.train.take(np.arange(200)))
IMAGE = Tensor((1, 8, 8), 8, signed=False)
SMALL = {
    "layers": (2,),
    "widths": (4, 8),
    "kernels": (3, 5),
    "downsamples": ("max",),
    "residuals": (False,),
    "weight_bits": (8,),
    "activation_bits": (8,),
    "heads": ("average",),
}
FAMILY = Convnet(IMAGE, 10, **SMALL)
SHARING = [name for name in load.names("network.families") if name != "onnx"]


def graphs(family, count, seed=0):
    """Return random networks of a family."""
    random = np.random.default_rng(seed)
    return [family.decode(family.space().sample(random)) for _ in range(count)]


def first_point(family, **changes):
    return {choice.name: choice.values[0] for choice in family.space().choices} | changes


def shared_by(*networks, seed=0):
    """Return untrained weights for some networks."""
    extents = Extents()
    for graph in networks:
        extents.include(graph)
    return SharedWeights(extents, torch.Generator().manual_seed(seed))


def begun(folder, family=FAMILY, data=FEW, seed=0, **options):
    options = {"epochs": 3, "paths": 1, **options}
    return Supernet(**options).begin(family, data, seed, folder, lambda _: None)


def trained_epochs(monkeypatch):
    """Return a list that gets an entry for every epoch that is trained from here."""
    seen = []
    whole = torch_sharing.Paths.learn
    monkeypatch.setattr(torch_sharing.Paths, "learn", lambda *a: (seen.append(1), whole(*a)))
    return seen


@pytest.mark.parametrize("name", SHARING)
def test_every_layer_has_a_role_and_networks_have_roles_in_common(name):
    shape = (1, 64, 1) if name == "sequence" else (1, 28, 28)
    family = load.member("network.families", Family, name)(Tensor(shape, 8, signed=False), 10)
    seen = []
    for graph in graphs(family, 12):
        found = roles(graph)
        assert set(found) == {node.name for node in graph if node.op.has_bias}
        assert len(set(found.values())) == len(found)
        seen.append(set(found.values()))
    common = [len(one & set().union(*(o for o in seen if o is not one))) for one in seen]
    assert sum(common) > 0.5 * sum(map(len, seen))


def test_later_stages_have_their_roles_whatever_the_depth_of_earlier_ones():
    family = Resnet(Tensor((1, 64, 64), 8, signed=False), 10, blocks=("basic",))
    shallow, deep = (roles(family.decode(first_point(family, depth0=d, depth1=d))) for d in (1, 4))
    found = list(deep.values())
    assert set(shallow.values()) < set(found)
    last = list(shallow.values())[-7:]  # twice a block with its projection, and the answer
    assert found[-len(last) :] == last


def test_a_skipped_block_is_the_last_of_its_stage():
    family = Proxyless(Tensor((1, 28, 28), 8, signed=False), 10)
    built, skipped = "k3_e3", "skip"
    one, other = (
        roles(family.decode(first_point(family, block1=first, block2=second)))
        for first, second in ((skipped, built), (built, skipped))
    )
    assert one == other
    whole = roles(family.decode(first_point(family)))
    assert set(one.values()) < set(whole.values())


def test_networks_for_other_resolutions_share_nothing():
    family = Mobilenetv3(Tensor((1, 28, 28), 8, signed=False), 10, reductions=(1, 2))
    small, large = (roles(family.decode(first_point(family, reduction=r))) for r in (2, 1))
    assert not set(small.values()) & set(large.values())


@given(st.tuples(*[st.integers(1, 6)] * 4), st.tuples(*[st.integers(0, 5)] * 4))
def test_a_part_is_the_leading_channels_and_the_middle_of_the_kernel(part, more):
    whole = tuple(p + m for p, m in zip(part, more, strict=True))
    taken = slices(whole, part)
    assert np.zeros(whole)[taken].shape == part
    assert [own.start for own in taken] == [0, 0, more[2] // 2, more[3] // 2]


def test_inherited_weights_are_the_slices_of_the_supernet():
    networks = graphs(Convnet(IMAGE, 10), 12)
    shared = shared_by(*networks)
    arrays = shared.arrays()
    for graph in networks:
        module, own = shared.inherited(graph), roles(graph)
        for node in graph:
            if not node.op.has_bias:
                continue
            whole = arrays[f"weights_{own[node.name]}"]
            outputs, inputs, *kernel = node.op.weight_shape
            wanted = whole[:outputs, :inputs]
            if kernel:
                first = (whole.shape[2] - kernel[0]) // 2
                middle = slice(first, first + kernel[0])
                wanted = wanted[:, :, middle, middle]
            np.testing.assert_array_equal(module.of("weights", node).detach(), wanted)


def test_a_step_changes_the_slices_of_its_network_and_nothing_else():
    narrow, wide = (
        FAMILY.decode(first_point(FAMILY, width0=w, width1=w, kernel0=k, kernel1=k))
        for w, k in ((4, 3), (8, 5))
    )
    shared = shared_by(narrow, wide)
    shared(torch.from_numpy(FEW.train.images[:32]), narrow).square().sum().backward()
    for name, role in roles(narrow).items():
        gradient = shared.get_parameter(f"weights_{role}").grad
        inside = torch.zeros_like(gradient, dtype=torch.bool)
        inside[slices(tuple(gradient.shape), narrow[name].op.weight_shape)] = True
        assert (gradient[inside] != 0).any()
        assert (gradient[~inside] == 0).all()


def test_a_supernet_computes_what_the_inherited_network_does():
    networks = graphs(Convnet(IMAGE, 10), 6, seed=1)
    shared = shared_by(*networks)
    images = torch.from_numpy(FEW.train.images[:50])
    for graph in networks:
        module = shared.inherited(graph)
        with torch.no_grad():
            torch.testing.assert_close(module.train()(images), shared(images, graph))


def test_statistics_are_the_means_over_the_observed_batches():
    graph = FAMILY.decode(first_point(FAMILY))
    module = shared_by(graph).inherited(graph)
    images = torch.from_numpy(FEW.train.images)
    module.observe(images, batch=50)
    with torch.no_grad():
        sums = torch.nn.functional.conv2d(
            images,
            module.of("weights", graph["conv0"]),
            padding=graph["conv0"].op.window.padding[0],
        )
    parts = sums.tensor_split(4)
    mean = torch.stack([part.mean((0, 2, 3)) for part in parts]).mean(0)
    variance = torch.stack([part.var((0, 2, 3)) for part in parts]).mean(0)
    torch.testing.assert_close(module.get_buffer("mean_conv0"), mean)
    torch.testing.assert_close(module.get_buffer("variance_conv0"), variance)
    assert not module.training


def test_what_a_supernet_lacks_begins_at_random_and_the_rest_stays():
    narrow, wide = (FAMILY.decode(first_point(FAMILY, width1=w)) for w in (4, 8))
    shared = shared_by(narrow)
    generator = torch.Generator().manual_seed(1)
    larger = shared.widened(wide, generator)
    assert shared.widened(narrow, generator) is shared
    assert larger.extents.cover(wide)
    for name, values in shared.slices(narrow).items():
        torch.testing.assert_close(larger.slices(narrow)[name], values)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Return a folder with a supernet that was trained for a while."""
    folder = tmp_path_factory.mktemp("learned")
    begun(folder, data=DIGITS, epochs=16, learning_rate=0.02)
    return folder


def test_networks_inherit_far_more_than_chance_and_are_judged_by_their_integers(learned):
    judging = begun(learned, data=DIGITS)
    random = np.random.default_rng(5)
    untrained = Inheriting(
        Supernet(), shared_by(*graphs(FAMILY, 50), seed=3).arrays(), judging.observed
    )
    for _ in range(4):
        graph = FAMILY.decode(FAMILY.space().sample(random))
        trained = judging.evaluate(graph, DIGITS, seed=0)
        right = trained.network.predict(DIGITS.validation.images) == DIGITS.validation.labels
        assert trained.validation_accuracy == right.mean() > 0.6
        assert untrained.evaluate(graph, DIGITS, seed=0).validation_accuracy < 0.35
        assert trained.epochs == 0


def test_an_evaluation_depends_on_network_and_supernet_alone(learned):
    judging, graph = begun(learned, data=DIGITS), graphs(FAMILY, 1)[0]
    one, other = (digest(judging.evaluate(graph, DIGITS, seed).network) for seed in (0, 1))
    assert one == other
    tuned = begun(learned, data=DIGITS, fine_tune_epochs=1).evaluate(graph, DIGITS, 0)
    assert tuned.epochs == 1
    assert digest(tuned.network) != one


def test_weights_to_start_from_replace_those_of_the_supernet(learned):
    judging, graph = begun(learned, data=DIGITS), graphs(FAMILY, 1)[0]
    floats = judging.evaluate(graph, DIGITS, seed=0).floats
    zeros = {n: replace(own, weights=0 * own.weights) for n, own in floats.parameters.items()}
    trained = judging.evaluate(graph, DIGITS, 0, FloatNetwork(graph, zeros))
    assert trained.validation_accuracy < 0.2


def test_a_training_that_is_seeded_twice_is_the_same(tmp_path):
    files = []
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        folder = tmp_path / name
        folder.mkdir()
        torch.manual_seed(len(name))
        files.append(begun(folder, seed=seed, epochs=2).arrays)
    one, same, other = files
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not all(np.array_equal(one[name], other[name]) for name in one)


def test_a_resumed_training_is_the_uninterrupted_one(tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    begun(whole, epochs=4, paths=2)
    learn, passes = torch_sharing.Paths.learn, []

    def interrupted(*arguments):
        if len(passes) == 2:
            raise KeyboardInterrupt
        passes.append(1)
        return learn(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(torch_sharing.Paths, "learn", interrupted)
        with pytest.raises(KeyboardInterrupt):
            begun(cut, epochs=4, paths=2)
    assert (cut / CHECKPOINT).is_file()
    assert not (cut / FILE).exists()
    seen = trained_epochs(monkeypatch)
    begun(cut, epochs=4, paths=2)
    assert len(seen) == 2
    assert not (cut / CHECKPOINT).exists()
    (_, wanted), (_, found) = (supernet_file.load(folder / FILE) for folder in (whole, cut))
    assert wanted.keys() == found.keys()
    assert all(np.array_equal(wanted[name], found[name]) for name in wanted)


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"nothing of use")
    with pytest.raises(InputError, match="does not hold this training, or is damaged"):
        begun(tmp_path)


def test_a_supernet_is_reused_without_training(learned, tmp_path, monkeypatch):
    seen, lines = trained_epochs(monkeypatch), []
    options = Supernet(supernet=str(learned / FILE))
    reused = options.begin(FAMILY, DIGITS, 9, tmp_path, lines.append)
    assert seen == []
    assert lines == [f"supernet: the one of {learned / FILE}"]
    graph = graphs(FAMILY, 1)[0]
    kept = begun(learned, data=DIGITS).evaluate(graph, DIGITS, 0)
    assert digest(reused.evaluate(graph, DIGITS, 0).network) == digest(kept.network)
    # the run has its own copy: it goes on without the other one
    moved = replace(options, supernet="nowhere").begin(FAMILY, DIGITS, 9, tmp_path, lines.append)
    assert digest(moved.evaluate(graph, DIGITS, 0).network) == digest(kept.network)
    narrow = Convnet(IMAGE, 10, **{**SMALL, "widths": (4,), "weight_bits": (3, 5)})
    folder = tmp_path / "narrow"
    folder.mkdir()
    options.begin(narrow, DIGITS, 0, folder, lines.append)
    assert seen == []


@pytest.mark.parametrize(
    ("family", "data", "message"),
    [
        (Resnet(IMAGE, 10), DIGITS, "holds networks of the family convnet, not resnet"),
        (Convnet(IMAGE, 11, **SMALL), DIGITS, "is for images of 1x8x8 in 10 classes, not for"),
        (FAMILY, FEW, "was trained on other images"),
        (Convnet(IMAGE, 10), DIGITS, r"lacks layers of \d+% of the networks that these options"),
    ],
)
def test_a_supernet_for_something_else_is_refused_in_one_line(
    learned, tmp_path, family, data, message
):
    with pytest.raises(InputError, match=message) as caught:
        begun(tmp_path, family, data, supernet=str(learned / FILE))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / FILE).exists()


def test_a_file_that_is_no_supernet_is_refused(learned, tmp_path):
    with pytest.raises(InputError, match="is not there"):
        begun(tmp_path, supernet=str(tmp_path / "missing.npz"))
    broken = tmp_path / "broken.npz"
    broken.write_bytes((learned / FILE).read_bytes()[:500])
    with pytest.raises(InputError, match="is no supernet, or damaged"):
        begun(tmp_path, supernet=str(broken))
    later = tmp_path / "later.npz"
    np.savez(later, record=np.array(json.dumps({"schema": 99})))
    with pytest.raises(InputError, match="has schema 99, not 1"):
        begun(tmp_path, supernet=str(later))


def test_what_was_saved_is_what_is_loaded(tmp_path):
    arrays = shared_by(*graphs(FAMILY, 5)).arrays()
    task = Task.of(FAMILY, DIGITS)
    supernet_file.save(tmp_path / FILE, task, arrays)
    found, loaded = supernet_file.load(tmp_path / FILE)
    assert found == task
    assert {n: v.tobytes() for n, v in loaded.items()} == {
        n: v.tobytes() for n, v in arrays.items()
    }
    again = SharedWeights.of(loaded)
    assert {n: v.tobytes() for n, v in again.arrays().items()} == {
        n: v.tobytes() for n, v in arrays.items()
    }


@dataclass(frozen=True)
class Strangers(Family):
    """Networks whose only layer reads a map of a size that no other one reads."""

    def space(self):
        return Space((Choice("rows", tuple(range(10_000))),))

    def decode(self, point):
        pad = Pad2d((0, 0, point["rows"], 0))
        frame = Tensor(pad.output_shape([self.input.shape]), 8, signed=False)
        dense = Dense(frame.elements, self.classes, 8)
        scores = Tensor(
            (self.classes,), 2 + signed_bits(*dense.accumulator_range([frame], None)), signed=True
        )
        nodes = Node("pad", pad, (INPUT,), frame, 0), Node("dense", dense, ("pad",), scores, 0)
        return Graph("strangers", self.input, nodes)


def test_networks_that_share_nothing_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"only \d% of the layers have a like in other networks"):
        begun(tmp_path, Strangers(IMAGE, 10))
    save_floats(begun_floats(), tmp_path / "model.onnx")
    family = Onnx(IMAGE, 10, model=str(tmp_path / "model.onnx"), weight_bits=(4, 8))
    with pytest.raises(InputError, match="networks that are already trained share nothing"):
        begun(tmp_path, family)


def test_one_network_in_many_widths_is_a_supernet_as_well(tmp_path):
    one = Convnet(IMAGE, 10, **{**SMALL, "widths": (4,), "kernels": (3,), "weight_bits": (4, 8)})
    judging, networks = begun(tmp_path, one), graphs(one, 4)
    assert len(set(networks)) > 1
    seen = {
        judging.evaluate(graph, FEW, 0).floats.parameters["conv0"].weights.tobytes()
        for graph in networks
    }
    assert len(seen) == 1


def begun_floats():
    graph = graphs(FAMILY, 1)[0]
    return shared_by(graph).inherited(graph).network()


def test_a_step_draws_networks_that_the_supernet_has(tmp_path):
    sampler = Sampler.survey(FAMILY, 0)
    drawn = list(sampler.epoch(0, steps=5, paths=3))
    assert [len(step) for step in drawn] == [3] * 5
    assert drawn == list(sampler.epoch(0, steps=5, paths=3)) != list(sampler.epoch(1, 5, 3))
    assert all(sampler.extents.cover(graph) for step in drawn for graph in step)


FLOW = (
    "training=supernet",
    "training.epochs=1",
    "training.paths=1",
    "search.trials=3",
    "search.workers=1",
    "network.layers=[1]",
    "network.widths=[4, 8]",
    "network.residuals=[false]",
    "network.downsamples=[max]",
)


def searched(tmp_path, name, *changes):
    """Return the trials of the search of a flow, and the lines that it said."""
    folder = RunFolder.create(tmp_path, "zcu104", name)
    lines = []
    prepared = prepare(load_settings("quickstart", (*FLOW, *changes)))
    return search(prepared, folder, lambda *_: None, lines.append).trials, lines


def test_one_supernet_serves_several_boards_and_a_second_run(tmp_path, monkeypatch):
    seen = trained_epochs(monkeypatch)
    trials, lines = searched(tmp_path, "first", "board=zcu104,pynq_z2,kv260")
    assert lines == [
        "supernet: 1 epochs for all networks of convnet",
        "supernet: 1 of 1 epochs",
    ]
    assert len(seen) == 1
    assert all(0 < trial.values["accuracy"] < 1 for trial in trials)
    kept = tmp_path / "first" / FILE
    reusing = ("board=pynq_z2", f"training.supernet={kept}")
    again, _ = searched(tmp_path, "second", *reusing, "seed=1")
    assert len(seen) == 1
    assert (tmp_path / "second" / FILE).read_bytes() == kept.read_bytes()
    assert len(again) == 3


def test_a_search_for_engines_besides_networks_has_a_supernet_too(tmp_path, monkeypatch):
    seen = trained_epochs(monkeypatch)
    trials, _ = searched(tmp_path, "flat", "search.hardware=flat")
    assert len(seen) == 1
    assert {trial.key for trial in trials}
