"""What a design costs: everything that the report, the search and the user ask about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, prod

from codesign.cost import latency, resources
from codesign.cost.energy import dynamic_energy_j, transferred_bytes
from codesign.cost.loading import loading_cycles
from codesign.cost.pipeline import simulate
from codesign.cost.resources import Usage
from codesign.cost.roofline import RooflinePoint, board_point, layer_point
from codesign.cost.timing import Timing
from codesign.cost.transfer import memory_interval
from codesign.design import Design, Instance
from codesign.hardware.board import RESOURCES
from codesign.hardware.interval import Interval
from codesign.network.graph import Graph, Node
from codesign.network.network import Network
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d

COSIMULATION_CYCLES = 13
"""What RTL takes longer than the C-synthesis rules say, at the most, if a design stays on chip.

Source: co-simulation beside C-synthesis in public reports (17,683 for 17,676 and the like)."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A resource that a design needs more of than the board may give."""

    resource: str
    needed: int
    allowed: int

    @property
    def excess(self) -> float:
        """How far beyond, relative to what is allowed (or to one where that is none)."""
        return (self.needed - self.allowed) / max(self.allowed, 1)


@dataclass(frozen=True, slots=True)
class LayerEstimate:
    """One layer on its engine, with the plumbing at its input."""

    name: str
    operator: str
    shape: tuple[int, ...]
    macs: int
    cycles: int
    """Cycles between images, if nothing else were slower."""
    knobs: Mapping[str, str]
    usage: Mapping[str, float]
    """Implementation-level resources."""
    roofline: RooflinePoint


@dataclass(frozen=True, slots=True)
class Estimate:
    """One design, priced. Cycles and resources carry the interval in which to expect them."""

    clock_hz: float
    interval_cycles: Interval
    latency_cycles: Interval
    resources: Mapping[str, Interval]
    """After implementation; this is what has to fit."""
    csynth: Mapping[str, Interval]
    """As C-synthesis would report the accelerator, without the shell."""
    budget: Mapping[str, int]
    dynamic_energy_j: Interval
    static_power_w: Interval
    macs: int
    parameters: int
    flops: int
    weight_bytes: int
    transferred_bytes: int
    layers: tuple[LayerEstimate, ...]
    roofline: RooflinePoint
    loading_cycles: int
    """From the first weight to the last one of those in URAM: once, before the first image."""
    simulated: bool
    """Whether interval and latency come from the pipeline with its finite FIFOs."""

    @property
    def fps(self) -> float:
        """Images per second."""
        return self.clock_hz / self.interval_cycles.value

    @property
    def latency_s(self) -> float:
        """Seconds from the first input word to the last output word of one image."""
        return self.latency_cycles.value / self.clock_hz

    @property
    def energy_j(self) -> Interval:
        """Energy per image at full rate: static power over one interval, and the operations."""
        seconds = self.interval_cycles * (1 / self.clock_hz)
        return self.static_power_w * seconds + self.dynamic_energy_j

    @property
    def power_w(self) -> Interval:
        """Power at full rate."""
        return self.static_power_w + self.dynamic_energy_j * self.fps

    @property
    def bottleneck(self) -> LayerEstimate:
        """The slowest layer."""
        return max(self.layers, key=lambda layer: layer.cycles)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Resources that do not fit; none means that the design fits."""
        needed = {name: ceil(self.resources[name].value) for name in RESOURCES}
        return tuple(
            Violation(name, needed[name], self.budget[name])
            for name in RESOURCES
            if needed[name] > self.budget[name]
        )

    def values(self) -> dict[str, float]:
        """Return the plain figures that a search may optimise or constrain, by name."""
        return {
            "fps": self.fps,
            "interval_s": self.interval_cycles.value / self.clock_hz,
            "latency_s": self.latency_s,
            "energy_j": self.energy_j.value,
            "power_w": self.power_w.value,
            "clock_mhz": self.clock_hz / 1e6,
            **{name: ceil(self.resources[name].value) for name in RESOURCES},
            "macs": self.macs,
            "parameters": self.parameters,
            "flops": self.flops,
            "weight_bytes": self.weight_bytes,
        }


def estimate(
    design: Design, timing: Timing | None = None, network: Network | None = None
) -> Estimate:
    """Price a design.

    Args:
        design: what to price.
        timing: the bounded pipeline's simulation of several images; without it the interval is
            the slowest process's and the latency that of unbounded FIFOs. Either way the interval
            is no shorter than the board's memory permits.
        network: the design's graph with its learned integers; without it, products by constants
            are priced as those of average weights.
    """
    slowest = max(int(latency.process_interval(i.structure)) for i in design.instances)
    slowest = max(slowest, memory_interval(design))
    interval = float(slowest) if timing is None else max(timing.interval, float(slowest))
    single = (timing or simulate(design, bounded=False)).latency
    loops = [instance.structure.loop for instance in design.instances]
    stages = [int(loop.stages) for loop in loops]
    # how deep a pipeline is does not matter to the interval if it need not drain
    drained = max((int(loop.stages) for loop in loops if loop.drain), default=0)
    images_per_s = design.clock_hz / interval
    return Estimate(
        clock_hz=design.clock_hz,
        interval_cycles=Interval(interval - drained // 2, interval, interval + drained),
        latency_cycles=Interval(
            single - sum(stages) // 2,
            single,
            single + sum(stages) + COSIMULATION_CYCLES,
        ),
        resources=_implemented(design, network),
        csynth=_synthesised(design_usage(design, network)),
        budget=design.board.budget,
        dynamic_energy_j=dynamic_energy_j(design),
        static_power_w=design.board.static_power_w,
        macs=design.graph.macs,
        parameters=design.graph.parameters,
        flops=flops(design.graph),
        weight_bytes=weight_bytes(design.graph),
        transferred_bytes=transferred_bytes(design),
        layers=tuple(_layer(design, node, images_per_s, network) for node in design.graph),
        roofline=board_point(design, images_per_s),
        loading_cycles=loading_cycles(design),
        simulated=timing is not None,
    )


def design_usage(design: Design, network: Network | None = None) -> Usage:
    """Return what all processes are made of."""
    return _usage(design.instances, network)


def _usage(instances: Iterable[Instance], network: Network | None) -> Usage:
    """Return what some processes are made of; those of a layer know its weights, if any do."""
    usages = []
    for instance in instances:
        own = network.parameters[instance.layer] if network and instance.layer else None
        weights = own.weights if own else None
        usages.append(resources.process_usage(instance.structure, weights))
    return resources.total(usages)


def fifos_usage(design: Design) -> Usage:
    """Return what all FIFOs take after implementation, those of loads included."""
    return resources.total(
        resources.fifo_usage(fifo.depth, int(fifo.stream.lanes) * fifo.stream.bits)
        for fifo in (*design.fifos, *design.loads)
    )


def counts(graph: Graph) -> dict[str, float]:
    """Return the figures of a graph that no hardware has a part in, as `Estimate.values` does."""
    return {
        "macs": graph.macs,
        "parameters": graph.parameters,
        "flops": flops(graph),
        "weight_bytes": weight_bytes(graph),
    }


def flops(graph: Graph) -> int:
    """Count floating-point operations of the network as if it were computed in floats.

    Source: Molchanov et al., "Pruning convolutional neural networks", ICLR 2017, appendix A.1:
    convolution 2 H W (C_in K^2 + 1) C_out, dense 2 (I - 1) O (that source's forms). In groups,
    C_in is that of a group; a transposed convolution has its own multiplications instead.
    """
    total = 0
    for node in graph:
        if isinstance(node.op, Conv2d | ConvTranspose2d):
            macs = node.op.macs([tensor.shape for tensor in graph.inputs(node)])
            total += 2 * (macs + node.output.elements)
        elif node.op.has_bias and node.op.weight_shape is not None:
            outputs, inputs = node.op.weight_shape
            total += 2 * (inputs - 1) * outputs
    return total


def weight_bytes(graph: Graph) -> int:
    """Return the bytes of all weights, packed at their width."""
    bits = sum(
        prod(node.op.weight_shape) * node.op.weight_bits
        for node in graph
        if node.op.has_bias and node.op.weight_shape is not None
    )
    return -(-bits // 8)


def _synthesised(usage: Usage) -> dict[str, Interval]:
    """Return every resource as C-synthesis reports it."""
    levels = [resources.synthesised(usage, kind) for kind in ("low", "value", "high")]
    return {name: Interval(*(float(level[name]) for level in levels)) for name in RESOURCES}


def _implemented(design: Design, network: Network | None) -> dict[str, Interval]:
    """Return every resource after implementation: processes, FIFOs and shell."""
    usage = design_usage(design, network)
    fifos = fifos_usage(design)
    result = {}
    for name in RESOURCES:
        low, value, high = (
            float(resources.implemented(usage, kind)[name]) + float(fifos[name]) * share
            for kind, share in (("low", 0.8), ("value", 1.0), ("high", 1.25))
        )
        result[name] = Interval(low, value, high) + Interval(*resources.SHELL[name])
    return result


def _layer(
    design: Design, node: Node, images_per_s: float, network: Network | None
) -> LayerEstimate:
    instances = design.layer(node.name)
    usage = resources.implemented(_usage(instances, network))
    return LayerEstimate(
        name=node.name,
        operator=type(node.op).__name__,
        shape=node.output.shape,
        macs=node.op.macs([tensor.shape for tensor in design.graph.inputs(node)]),
        cycles=max(_interval(instance) for instance in instances),
        knobs=knobs(design, node.name),
        usage={name: float(usage[name]) for name in RESOURCES},
        roofline=layer_point(design, node, images_per_s),
    )


def knobs(design: Design, name: str) -> dict[str, str]:
    """Return an engine's knobs in words, as a design file states them."""
    engine = design.engines[name]
    values = {knob: getattr(engine, knob) for knob in engine.knob_names()}
    return {
        knob: value.name.lower() if hasattr(value, "name") else str(value)
        for knob, value in values.items()
    }


def _interval(instance: Instance) -> int:
    return int(latency.process_interval(instance.structure))
