"""Whether ONNX Runtime computes the integers of the reference on what `codesign` exports.

    python -m benchmarks.onnx_exact [NETWORK]...

Every element of every tensor, 10 random images, both kinds of scales. `whole` runs the model from
its input on. `alone` judges each layer by what it makes of the very integers that it read: a step
that one layer differs by is not counted again in those behind it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from codesign.network.graph import INPUT
from codesign.network.model import reference, references
from codesign.network.network import Network, finish
from codesign.network.onnx.qdq_export import export, output_name
from codesign.network.op import exact_type
from codesign.network.quantize import post_training
from codesign.network.scales import Kind

IMAGES = 10
KINDS: tuple[Kind, ...] = ("power_of_two", "multiplier")
BAR_SHARE = 1e-3
"""Elements that may differ, by one step, with multipliers."""

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Difference:
    """How two computations of the same tensors differ."""

    elements: int
    different: int
    largest: int
    """Steps."""

    @property
    def share(self) -> float:
        """Share of elements that differ."""
        return self.different / self.elements


def main(names: Sequence[str] = ()) -> bool:
    """Print a row per network and kind of scales; return whether all are as exact as they must be.

    Args:
        names: reference networks; by default all.
    """
    print(f"ONNX Runtime against the integer reference, {IMAGES} images, every tensor")
    header = f"  {'network':20}{'scales':14}{'elements':>14}{'whole':>22}{'alone':>22}"
    print(f"{header}   (different, largest step)")
    met = True
    for name in names or [model.name for model in references()]:
        for kind in KINDS:
            whole, alone = judge(name, kind)
            met &= reaches(kind, whole, alone)
            columns = "".join(f"{f'{d.different} ({d.largest})':>22}" for d in (whole, alone))
            print(f"  {name:20}{kind:14}{whole.elements:14,}{columns}", flush=True)
    return met


def reaches(kind: Kind, whole: Difference, alone: Difference) -> bool:
    """Whether shifts change no element, and multipliers few by one step."""
    if kind == "power_of_two":
        return whole.different == 0
    return alone.largest <= 1 and alone.share <= BAR_SHARE


def judge(name: str, kind: Kind, count: int = IMAGES) -> tuple[Difference, Difference]:
    """Return the differences of a reference network in 8 bits, `whole` and `alone`."""
    floats = reference(name).network()
    random = np.random.default_rng(1)
    images = random.random((count, *floats.graph.input.shape), dtype=np.float32)
    if floats.graph.input.signed:
        images = 2 * images - 1
    network = post_training(floats, images[:2], kind)
    differences = [compare(network, network.quantize_input(image[None])) for image in images]
    return total([whole for whole, _ in differences]), total([alone for _, alone in differences])


def compare(
    network: Network, images: NDArray[np.integer], optimised: bool = False
) -> tuple[Difference, Difference]:
    """Return how ONNX Runtime's integers differ from the reference's, `whole` and `alone`."""
    found = run(network, images, optimised)
    values = dict(found) | {INPUT: images}
    expected = network.execute(images)
    whole, alone = [], []
    for node in network.graph:
        whole.append(difference(found[node.name], expected[node.name]))
        own, sources = network.parameters[node.name], [values[name] for name in node.inputs]
        sums = node.op.accumulate(sources, own.weights, exact_type(node.accumulator_bits))
        # what passes may be a view of its input, which is not to be changed
        alone.append(difference(found[node.name], finish(node, own, sums.copy())))
    return total(whole), total(alone)


def run(network: Network, images: NDArray[np.integer], optimised: bool = False) -> Arrays:
    """Return ONNX Runtime's integers of every node of the exported model."""
    model, graph = export(network), network.graph
    made = {output for node in model.graph.node for output in node.output}
    stored = [node.name for node in graph if f"{node.name}.q" in made]
    sums = [name for name in graph.outputs if name not in stored]
    model.graph.output.extend(helper.make_empty_tensor_value_info(f"{n}.q") for n in stored)
    names = [f"{name}.q" for name in stored] + [output_name(graph, name) for name in sums]
    reals = (images * network.scales[INPUT]).astype(np.float32)
    answers = dict(
        zip([*stored, *sums], session(model, optimised).run(names, {INPUT: reals}), strict=True)
    )
    for name in sums:
        answers[name] = np.rint(answers[name].astype(np.float64) / network.scales[name])
    return {name: values.astype(np.int64) for name, values in answers.items()}


def session(model: onnx.ModelProto, optimised: bool = False) -> onnxruntime.InferenceSession:
    """Return a session, with or without rewriting of the graph."""
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    )
    # without it, products of unsigned and signed bytes saturate on some processors
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def difference(found: NDArray[np.generic], expected: NDArray[np.generic]) -> Difference:
    """Count where two integer tensors differ."""
    steps = np.abs(found.astype(np.int64) - expected.astype(np.int64))
    return Difference(steps.size, int(np.count_nonzero(steps)), int(steps.max(initial=0)))


def total(differences: list[Difference]) -> Difference:
    """Return the sum of several."""
    return Difference(
        sum(d.elements for d in differences),
        sum(d.different for d in differences),
        max(d.largest for d in differences),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
