"""A design: every layer on an engine, every engine wired to the next, on one board at one clock.

The hall of the house. `codesign.fit` chooses a design, `codesign.cost` prices it and
`codesign.emit` writes it; all three see the same processes and FIFOs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from codesign.hardware.board import Board
from codesign.hardware.pace import REFERENCE, Pace
from codesign.hardware.process import Process
from codesign.hardware.processes.fork import Fork
from codesign.hardware.processes.receive import Receive
from codesign.hardware.processes.resize import Resize
from codesign.hardware.processes.send import Send
from codesign.hardware.structure import Load, Stream, Structure
from codesign.hardware.template import HardwareTemplate
from codesign.hardware.wire import earlier_lanes, legal_lanes
from codesign.network.graph import INPUT, Graph
from codesign.network.tensor import Tensor

MIN_FIFO_DEPTH = 2
RECEIVE, SEND = "receive", "send"


@dataclass(frozen=True, slots=True)
class Fifo:
    """A stream between two processes; `depth` counts words.

    `tensor` names the node (or the input) whose elements it carries.
    """

    name: str
    source: str
    sink: str
    stream: Stream
    depth: int
    tensor: str


@dataclass(frozen=True, slots=True)
class Instance:
    """A process with its name and the FIFOs at its ports, in the order of its structure.

    `layer` is the node it belongs to, or "" for the plumbing between engines. The first port of
    `receive` and the last of each `send` are the accelerator's own AXI4-Stream ports. `loads` are
    the streams that pass once, before the first image: `receive` writes them, others read them.
    """

    name: str
    process: Process
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    layer: str = ""
    loads: tuple[str, ...] = ()
    pace: Pace = REFERENCE

    @property
    def structure(self) -> Structure:
        """What it is made of, on the design's board and at its clock."""
        return self.process.structure().at(self.pace)


@dataclass(frozen=True)
class Design:
    """One graph on one board: an engine per node, at `clock_hz`.

    `depths` gives FIFOs by name the depth [words] that they need beyond the minimum of 2.
    `port_lanes` gives the input and each output, by name, the elements that cross its port in a
    cycle; without it the input takes as many of a pixel as fit 64 bits, and an output gives one.
    """

    graph: Graph
    board: Board
    clock_hz: float
    engines: Mapping[str, HardwareTemplate]
    depths: Mapping[str, int] = field(default_factory=dict)
    port_lanes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = {node.name for node in self.graph} ^ set(self.engines)
        if wrong:
            raise ValueError(f"a design has one engine per node; check {sorted(wrong)}")
        for name, lanes in self.port_lanes.items():
            if name not in (INPUT, *self.graph.outputs):
                raise ValueError(f"no port is called '{name}'")
            if lanes not in legal_lanes(self.graph.tensor(name), self.board.port_bits):
                raise ValueError(f"the port of '{name}' cannot carry {lanes} elements in a cycle")
        unknown = set(self.depths) - {fifo.name for fifo in self.fifos}
        if unknown:
            raise ValueError(f"no FIFO is called {sorted(unknown)}")

    @property
    def pace(self) -> Pace:
        """What decides how deep pipelines are."""
        return Pace(self.board.family, self.clock_hz)

    @cached_property
    def _netlist(self) -> tuple[tuple[Instance, ...], tuple[Fifo, ...]]:
        return _Wiring(self).build()

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Every process, sources before sinks."""
        return self._netlist[0]

    @property
    def fifos(self) -> tuple[Fifo, ...]:
        """Every stream between two processes."""
        return self._netlist[1]

    @property
    def loads(self) -> tuple[Fifo, ...]:
        """Every stream that passes once, before the first image, in the order of its words."""
        return tuple(
            Fifo(name, RECEIVE, instance.name, load.stream, MIN_FIFO_DEPTH, instance.layer)
            for instance in self.instances
            if instance.name != RECEIVE
            for name, load in zip(instance.loads, loads_of(instance.process), strict=True)
        )

    @property
    def sends(self) -> tuple[Instance, ...]:
        """The processes by which answers leave, one for each of the graph's outputs."""
        return self.instances[-len(self.graph.outputs) :]

    def lanes_of(self, port: str) -> int:
        """Return the elements that cross a port in a cycle; it is named as what it carries."""
        usual = earlier_lanes(self.graph.input) if port == INPUT else 1
        return self.port_lanes.get(port, usual)

    def layer(self, name: str) -> tuple[Instance, ...]:
        """Return the processes of one node's engine, in order."""
        return tuple(instance for instance in self.instances if instance.layer == name)


def loads_of(process: Process) -> tuple[Load, ...]:
    """Return what one process loads before the first image."""
    return tuple(load for load in process.structure().loads if load.when)


class _Wiring:
    """Joins engines by FIFOs, with forks to several readers and resizes between widths."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.instances: list[Instance] = []
        self.fifos: list[Fifo] = []
        self.ports: dict[str, int] = {}

    def build(self) -> tuple[tuple[Instance, ...], tuple[Fifo, ...]]:
        graph = self.design.graph
        lanes = self.design.lanes_of(INPUT)
        wanted = tuple(
            load
            for node in graph
            for process in self.design.engines[node.name].processes()
            for load in loads_of(process)
        )
        self._place(RECEIVE, Receive(graph.input, lanes, wanted), ("input_stream",), "")
        ends = self._fan_out(INPUT, RECEIVE, graph.input, lanes)
        for node in graph:
            engine = self.design.engines[node.name]
            inputs = []
            for port, name in enumerate(node.inputs):
                source = ends[name].pop(0)
                label = f"{node.name}_in{port}" if len(node.inputs) > 1 else f"{node.name}_in"
                inputs.append(self._join(source, label, graph.tensor(name), engine.input_lanes))
            last = self._chain(node.name, engine.processes(), tuple(inputs))
            ends |= self._fan_out(node.name, last, node.output, int(engine.output_lanes))
        self._answer({name: ends[name].pop(0) for name in graph.outputs})
        fifos = tuple(self._wired())
        every = tuple(name for instance in self.instances for name in instance.loads)
        self.instances[0] = replace(self.instances[0], loads=every)
        return tuple(self.instances), fifos

    def _answer(self, ends: Mapping[str, _End]) -> None:
        """Lead every answer out of the accelerator, by a port of its own."""
        finals = {}
        for tensor, end in ends.items():
            name = SEND if len(ends) == 1 else f"{SEND}_{tensor}"
            element = self.design.graph.tensor(tensor)
            lanes = self.design.lanes_of(tensor)
            final = self._join(end, f"{name}_in", element, lanes)
            finals[tensor] = name, final, Send(element, lanes)
        for tensor, (name, final, send) in finals.items():
            port = "output_stream" if len(ends) == 1 else f"{tensor}_stream"
            self._place(name, send, (final,), "", (port,))

    def _chain(self, layer: str, processes: tuple[Process, ...], inputs: tuple[str, ...]) -> str:
        """Place an engine's processes; return the name of the last one."""
        for number, process in enumerate(processes):
            name = f"{layer}_{process.kind}"
            self._place(name, process, inputs, layer)
            if number + 1 < len(processes):
                inputs = (self._fifo(name, f"{layer}_{process.kind}_out", process, 0, layer),)
        return self.instances[-1].name

    def _fan_out(
        self, tensor: str, source: str, element: Tensor, lanes: int
    ) -> dict[str, list[_End]]:
        """Return one open end per taker of `tensor`, through forks where there are several."""
        readers = self.design.graph.takers(tensor)
        ends = []
        end = _End(source, 0, tensor, lanes)
        for number in range(readers - 1):
            fork = Fork(element, lanes)
            name = f"{tensor}_fork{number}" if readers > 2 else f"{tensor}_fork"
            joined = self._join(end, f"{name}_in", element, lanes)
            self._place(name, fork, (joined,), "")
            ends.append(_End(name, 0, tensor, lanes))
            end = _End(name, 1, tensor, lanes)
        return {tensor: [*ends, end]}

    def _join(self, end: _End, label: str, element: Tensor, lanes: object) -> str:
        """Lead an open end to a reader of `lanes`; return the name of its FIFO."""
        wanted = int(lanes)  # type: ignore[call-overload]
        process = self._process(end.source)
        if end.lanes == wanted:
            return self._fifo(end.source, label, process, end.port, end.tensor)
        resize = Resize(element, end.lanes, wanted)
        name = label.removesuffix("_in") + "_resize"
        wide = self._fifo(end.source, f"{name}_in", process, end.port, end.tensor)
        self._place(name, resize, (wide,), "")
        return self._fifo(name, label, resize, 0, end.tensor)

    def _place(
        self,
        name: str,
        process: Process,
        reads: tuple[str, ...],
        layer: str,
        writes: tuple[str, ...] = (),
    ) -> None:
        loads = tuple(f"{name}_{load.name}" for load in loads_of(process)) if layer else ()
        self.instances.append(
            Instance(name, process, reads, writes, layer, loads, self.design.pace)
        )

    def _fifo(self, source: str, name: str, process: Process, port: int, tensor: str) -> str:
        stream = process.structure().writes[port]
        depth = max(MIN_FIFO_DEPTH, self.design.depths.get(name, 0))
        self.fifos.append(Fifo(name, source, "", stream, depth, tensor))
        self.ports[name] = port
        return name

    def _process(self, name: str) -> Process:
        return next(i.process for i in self.instances if i.name == name)

    def _wired(self) -> Iterator[Fifo]:
        """Fill in both ends of every FIFO and port, and check that words and lanes agree."""
        sinks = {name: instance for instance in self.instances for name in instance.reads}
        for index, instance in enumerate(self.instances):
            outgoing = [fifo.name for fifo in self.fifos if fifo.source == instance.name]
            if outgoing:
                writes = tuple(sorted(outgoing, key=self.ports.__getitem__))
                self.instances[index] = replace(instance, writes=writes)
        for fifo in self.fifos:
            sink = sinks[fifo.name]
            port = sink.process.structure().reads[sink.reads.index(fifo.name)]
            stream = fifo.stream
            if (port.lanes, port.words, port.bits) != (stream.lanes, stream.words, stream.bits):
                raise ValueError(f"{fifo.name}: {stream} does not fit {sink.name}'s {port}")
            yield replace(fifo, sink=sink.name)


@dataclass(frozen=True, slots=True)
class _End:
    """A process port that still needs a reader."""

    source: str
    port: int
    tensor: str
    lanes: int
