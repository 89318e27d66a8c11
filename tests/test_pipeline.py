"""The pipeline's simulation against one that places a single iteration at a time, and by hand."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cases import MIXED, USUAL, random_design, random_graph, unsigned

from codesign.cost import latency
from codesign.cost.pipeline import Deadlock, simulate
from codesign.design import Design
from codesign.fit.options import template_of
from codesign.hardware.board import Board
from codesign.hardware.structure import Part, Phase, Structure
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

MEASURED = Path(__file__).parents[2] / "shared" / "data" / "hls_costs" / "measured_end_to_end.csv"


class Naive:
    """One process at a time, one iteration at a time: the recurrence as its text states it."""

    def __init__(self, design: Design, images: int, bounded: bool, pace: int = 0) -> None:
        self.design, self.bounded, self.pace = design, bounded, pace
        self.ready: dict[str, list[int]] = {fifo.name: [] for fifo in design.fifos}
        self.taken: dict[str, list[int]] = {fifo.name: [] for fifo in design.fifos}
        self.depth = {fifo.name: fifo.depth for fifo in design.fifos}
        self.starts: dict[str, list[int]] = {i.name: [] for i in design.instances}
        self.traffic = {i.name: traffic(i.structure) for i in design.instances}
        self.waits: dict[str, list[tuple[int, int]]] = {i.name: [] for i in design.instances}
        moved = True
        while moved:
            moved = False
            for instance in design.instances:
                trips = len(self.traffic[instance.name]) * images
                while len(self.starts[instance.name]) < trips and self._step(instance):
                    moved = True
        self.stuck = [
            name
            for name, starts in self.starts.items()
            if len(starts) < len(self.traffic[name]) * images
        ]

    def _step(self, instance) -> bool:  # type: ignore[no-untyped-def]
        """Place one iteration, if its words and its room are known."""
        loop = instance.structure.loop
        starts, own = self.starts[instance.name], self.traffic[instance.name]
        reads, writes = own[len(starts) % len(own)]
        ports = zip(instance.reads, reads, strict=True)
        inputs = [name for name, reading in ports if reading and name in self.ready]
        outputs = [n for n in instance.writes if n in self.ready and writes]
        image, iteration = divmod(len(starts), len(own))
        due = image * self.pace if instance.name == "receive" and not iteration else 0
        if starts:
            due = max(due, starts[-1] + int(loop.ii if iteration else loop.gap))
        bounds, rooms = [due], [0]
        for name in inputs:
            if len(self.ready[name]) == len(self.taken[name]):
                return False
            bounds.append(self.ready[name][len(self.taken[name])])
        for name in outputs:
            before = len(self.ready[name]) - self.depth[name]
            if self.bounded and before >= 0:
                if len(self.taken[name]) <= before:
                    return False
                rooms.append(self.taken[name][before] + 2 - int(loop.stages))
        starts.append(max(bounds + rooms))
        self.waits[instance.name].append((max(bounds) - due, starts[-1] - max(bounds)))
        for name in inputs:
            self.taken[name].append(starts[-1])
        for name in outputs:
            self.ready[name].append(starts[-1] + int(loop.stages))
        return True

    def ends(self) -> tuple[int, ...]:
        left = []
        for send in self.design.sends:
            trips = len(self.traffic[send.name])
            stages = int(send.structure.loop.stages)
            left.append([start + stages for start in self.starts[send.name][trips - 1 :: trips]])
        return tuple(map(max, zip(*left, strict=True)))

    def occupancy(self) -> dict[str, int]:
        return {
            name: max(
                (n + 1 - sum(taken < time - 1 for taken in self.taken[name]))
                for n, time in enumerate(self.ready[name])
            )
            for name in self.ready
        }


Traffic = list[tuple[list[bool], bool]]


def traffic(structure: Structure) -> Traffic:
    """Return for every iteration of one image which ports it reads and whether it writes."""
    parts = unrolled(structure.phases)
    return [iteration for part in parts for iteration in spread(part, len(structure.reads))]


def unrolled(parts: tuple[Part | Phase, ...]) -> Iterator[Part]:
    for part in parts:
        if isinstance(part, Part):
            yield part
        else:
            for _ in range(int(part.times)):
                yield from unrolled(part.parts)


def spread(part: Part, ports: int) -> Traffic:
    cycles, writes = int(part.cycles), int(part.writes)
    counts = part.reads if isinstance(part.reads, tuple) else (part.reads,) * ports
    reading = [{-(-j * cycles // int(n)) for j in range(int(n))} for n in counts]
    writing = {-(-(j + 1) * cycles // writes) - 1 for j in range(writes)}
    return [([t in port for port in reading], t in writing) for t in range(cycles)]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("bounded", [True, False])
def test_random_designs_against_single_iterations(seed: int, bounded: bool) -> None:
    random = np.random.default_rng(seed)
    graph = random_graph(random, layers=3, kinds=MIXED if seed >= 5 else USUAL)
    design = random_design(graph, random)
    skip = 60 if seed % 3 else 0  # deep enough, or not
    deeper = {
        fifo.name: int(random.integers(2, 12)) + skip * fifo.name.startswith("add")
        for fifo in design.fifos
    }
    design = Design(graph, design.board, design.clock_hz, design.engines, deeper)
    naive = Naive(design, 3, bounded)
    if naive.stuck:
        with pytest.raises(Deadlock) as caught:
            simulate(design, 3, bounded)
        named = [part.partition(" waits for ")[0] for part in str(caught.value).split("; ")]
        assert named == naive.stuck
        return
    timing = simulate(design, 3, bounded)
    assert timing.ends == naive.ends()
    assert timing.occupancy == naive.occupancy()


def chain(*nodes: Node, source: Tensor, knobs: dict[str, dict[str, int]]) -> Design:
    graph = Graph("chain", source, nodes)
    engines = {}
    for node in graph:
        inputs = graph.inputs(node)
        template = template_of(node, graph.inputs(node))
        point = template.space(node, inputs).at(0) | knobs[node.name]
        engines[node.name] = template.of(node, inputs, point)  # type: ignore[arg-type]
    return Design(graph, Board.load("zcu104"), 200e6, engines)


def dense(pe: int, simd: int) -> Design:
    """4 inputs, 2 outputs: receive, matrix, (resize,) send."""
    node = Node("dense", Dense(4, 2, 8), (INPUT,), Tensor((2,), 20, signed=True), 0)
    knobs = {"dense": {"pe": pe, "simd": simd}}
    return chain(node, source=unsigned(4, bits=8), knobs=knobs)


def test_a_chain_by_hand() -> None:
    """Receive 0 + 2, matrix 2 + 7, resize 9 and 10 + 3, send 12 and 13 + 2."""
    design = dense(pe=2, simd=4)
    assert [int(i.structure.loop.stages) for i in design.instances] == [2, 7, 3, 2]
    timing = simulate(design)
    assert timing.ends == (15,)
    assert timing.latency == timing.interval == 15


def test_images_follow_at_the_pace_of_the_slowest_process_by_hand() -> None:
    """The matrix runs 2 iterations of depth 7: 1 + 6 cycles, 2 for its function, 1 to restart."""
    timing = simulate(dense(pe=1, simd=4), images=4)
    assert timing.ends == (12, 22, 32, 42)
    assert timing.interval == 10


def test_a_process_of_one_iteration_takes_the_next_image_at_once() -> None:
    """Receive and matrix are pipelines as a whole; resize and send have 2 words, and drain."""
    design = dense(pe=2, simd=4)
    assert [int(i.structure.loop.gap) for i in design.instances] == [1, 1, 5, 4]
    timing = simulate(design, images=4)
    assert timing.ends == (15, 21, 27, 33)
    assert timing.interval == 1 + 5


def test_a_folded_matrix_by_hand() -> None:
    """Words of 4 cut in 4: resize 2..5 + 3; matrix of 2 x 4 iterations, 7 stages, from 5 on."""
    design = dense(pe=1, simd=1)
    timing = simulate(design)
    # results leave after iterations 3 and 7, at 5 + 3 + 7 and 5 + 7 + 7; send takes 2
    assert timing.ends == (5 + 7 + 7 + 2,)


def residual(depth: int) -> Design:
    """A 3 x 3 convolution beside a skip, at one pixel per 9 cycles."""
    maps = unsigned(2, 6, 6, bits=4)
    same = Window((3, 3), (1, 1), (1, 1, 1, 1))
    design = chain(
        Node("conv", Conv2d(2, 2, same, 4), (INPUT,), maps, 1),
        Node("add", Add(3), (INPUT, "conv"), maps, 1),
        source=maps,
        knobs={"conv": {"pe": 2, "simd": 2}, "add": {"pe": 2}},
    )
    return Design(design.graph, design.board, design.clock_hz, design.engines, {"add_in0": depth})


def test_a_shallow_skip_deadlocks_and_is_named() -> None:
    """Before its first patch leaves, the window has read two rows, and 2 words of the third.

    The skip must hold what the branch has taken: the least depth is found by trying, here and
    with single iterations.
    """
    works = [not Naive(residual(depth), 2, bounded=True).stuck for depth in range(2, 24)]
    least = 2 + works.index(True)
    assert 6 < least < 24
    assert works == [depth >= least for depth in range(2, 24)]
    simulate(residual(least), images=2)
    with pytest.raises(Deadlock, match=r"input_fork waits for room in add_in0"):
        simulate(residual(least - 1), images=2)


def test_deep_enough_fifos_reach_the_slowest_process() -> None:
    design = residual(40)
    slowest = max(int(latency.process_interval(i.structure)) for i in design.instances)
    assert simulate(design, images=6).interval == slowest
    assert simulate(design, images=6, bounded=False).interval == slowest


# Folding of CNV-W1A1 as published with its board measurement: (pe, simd) per layer.
CNV_CONVOLUTIONS = (
    (64, 16, 3),
    (64, 32, 32),
    (128, 16, 32),
    (128, 16, 32),
    (256, 4, 32),
    (256, 1, 32),
)
CNV_DENSE = ((512, 1, 4), (512, 1, 8), (10, 5, 1))
CNV_CYCLES = (32400, 28224, 20736, 28800, 20736, 18432, 32768, 32768, 1024)


def cnv() -> Design:
    """FINN's CNV: six 3 x 3 convolutions, two 2 x 2 pools, three dense layers."""
    source = Tensor((3, 32, 32), 8, signed=True)
    nodes: list[Node] = []
    knobs = {}
    name, tensor = INPUT, source
    for number, (outputs, pe, simd) in enumerate(CNV_CONVOLUTIONS):
        op = Conv2d(tensor.channels, outputs, Window((3, 3)), 2)
        output = unsigned(*op.output_shape([tensor.shape]), bits=1)
        nodes.append(Node(f"conv{number}", op, (name,), output, 1))
        knobs[f"conv{number}"] = {"pe": pe, "simd": simd}
        name, tensor = f"conv{number}", output
        if number in (1, 3):
            pool = Pool2d("max", Window((2, 2), (2, 2)))
            tensor = unsigned(*pool.output_shape([tensor.shape]), bits=1)
            nodes.append(Node(f"pool{number}", pool, (name,), tensor, 0))
            knobs[f"pool{number}"] = {"pe": tensor.channels}
            name = f"pool{number}"
    for number, (outputs, pe, simd) in enumerate(CNV_DENSE):
        op = Dense(tensor.elements, outputs, 2)
        last = number + 1 == len(CNV_DENSE)
        output = Tensor((outputs,), 16, signed=True) if last else unsigned(outputs, bits=1)
        nodes.append(Node(f"dense{number}", op, (name,), output, 0 if last else 1))
        knobs[f"dense{number}"] = {"pe": pe, "simd": simd}
        name, tensor = f"dense{number}", output
    return chain(*nodes, source=source, knobs=knobs)


def test_published_cycles_of_cnv() -> None:
    """The folded cycles that FINN publishes for this network on PYNQ-Z2."""
    design = cnv()
    matrices = [i for i in design.instances if i.process.kind == "matrix"]
    assert tuple(i.structure.loop.trips for i in matrices) == CNV_CYCLES


@pytest.mark.skipif(not MEASURED.is_file(), reason=f"no measurements: {MEASURED}")
def test_latency_of_cnv_beside_its_measurement() -> None:
    """661 images per second, one at a time, at 100 MHz, driver included (MLPerf Tiny v0.7).

    Neither the slowest layer (32,768 cycles) nor their sum (215,888) comes near.
    """
    with MEASURED.open(newline="") as file:
        (row,) = (
            r
            for r in csv.DictReader(file)
            if r["network"].startswith("CNV-W1A1") and r["board"] == "pynq-z2"
        )
    measured = float(row["clock_mhz"]) * 1e6 / float(row["measured_inf_per_s_single_stream"])
    predicted = simulate(cnv()).latency
    assert predicted < measured
    assert predicted == pytest.approx(measured, rel=0.03)
