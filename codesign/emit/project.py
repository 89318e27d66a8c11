"""A whole HLS project as `{path: text}`: planned here, written and run elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign.design import RECEIVE, Design, Fifo, Instance
from codesign.emit.render import layout, render, source
from codesign.emit.weights import constant_tables, golden_text, initialiser
from codesign.hardware.fifo import is_shift_register
from codesign.hardware.processes.send import Send
from codesign.hardware.structure import Loop, Stream
from codesign.hardware.wire import beat_bits, wire_bits
from codesign.network.graph import INPUT, Node
from codesign.network.network import Network
from codesign.network.op import Integers
from codesign.network.tensor import Tensor, map_shape

Files = dict[str, str]

WEIGHTS = "weights-in-uram"
"""Name of the file of the weights that are sent before the first image; no layer has a dash."""
TIMED_IMAGES = 8
"""Images that the timed simulation sends back to back: the interval settles within a few."""

_VERBATIM = (
    "src/types.hpp",
    "tb/shim/ap_axi_sdata.h",
    "tb/shim/checked_int.hpp",
    "tb/shim/counters.hpp",
    "tb/shim/hls_stream.h",
    "tb/timed/hls_stream.h",
    "tb/timed/timed.hpp",
)
_CPP = (
    "src/accelerator.hpp",
    "src/accelerator.cpp",
    "src/processes.hpp",
    "tb/accelerator_tb.cpp",
    "tb/golden.hpp",
    "tb/timed_tb.cpp",
)
_TEXT = (
    "Makefile",
    "hls_config.cfg",
    "run_hls.tcl",
    "vivado/build.tcl",
    "driver/driver.py",
    "README.md",
)


def project(design: Design, network: Network, images: Integers, layer_images: int) -> Files:
    """Return every file of the HLS project of a trained network's design.

    Args:
        design: engines, FIFOs, board and clock; its graph is the network's.
        network: the learned integers.
        images: `N x` the input's shape, integers: the test bench checks the whole accelerator
            on all of them.
        layer_images: on how many of them it also checks each layer alone.

    Raises:
        ValueError: the design was made for another graph.
        TemplateError: Python and C++ of a process disagree.
    """
    if design.graph != network.graph:
        raise ValueError(f"the design is for '{design.graph.name}', not '{network.graph.name}'")
    layer_images = min(layer_images, len(images))
    names = _names(design, network, len(images), layer_images)
    files = {path: source(f"project/{path}") for path in _VERBATIM}
    files |= {path: layout(render(f"project/{path}.j2", names)) for path in _CPP}
    files |= {path: render(f"project/{path}.j2", names) for path in _TEXT}
    for instance in design.instances:
        files |= _process_files(design, network, instance)
    files |= _golden_files(network, images, layer_images)
    files |= _loaded_files(design, network)
    return dict(sorted(files.items()))


def digest(files: Mapping[str, str]) -> str:
    """Return the SHA-256 of a project: the same design gives the same bytes."""
    total = hashlib.sha256()
    for path, text in sorted(files.items()):
        total.update(f"{path}\0{len(text.encode())}\0{text}".encode())
    return total.hexdigest()


def read(folder: Path) -> Files:
    """Return the files of a written project, without what building it left behind."""
    built = {"build", "work", "project"}
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in built
    }


def process_source(instance: Instance, learned: Mapping[str, object]) -> str:
    """Return the C++ function of one process; `learned` holds its scalar constants."""
    names = instance.structure.names() | dict(learned) | {"name": instance.name}
    body = render(f"processes/{instance.process.kind}.cpp.j2", names)
    return layout('#include "processes.hpp"\n\n' + body)


def _process_files(design: Design, network: Network, instance: Instance) -> Files:
    learned: dict[str, object] = {}
    files: Files = {}
    if instance.layer:
        node = design.graph[instance.layer]
        learned = _learned_scalars(node, network, instance)
        own = network.parameters[node.name]
        tables = constant_tables(instance.process, design.graph, node, own)
        loaded = {b.name for b in instance.structure.buffers if b.loaded}
        for name, table in tables.items():
            if name not in loaded:
                files[f"src/parameters/{instance.name}_{name}.inc"] = initialiser(table)
    files[f"src/{instance.name}.cpp"] = process_source(instance, learned)
    return files


def _learned_scalars(node: Node, network: Network, instance: Instance) -> dict[str, object]:
    """Return the learned numbers that the C++ prints in place."""
    own = network.parameters[node.name]
    factors = [int(w) for w in own.weights] if node.op.rescales and own.weights is not None else []
    scalars: dict[str, object] = {
        "shift": own.shift,
        "scale": int(own.multiplier[0]) if own.multiplier is not None else 1,
        "factors": factors,
    }
    return {name: scalars[name] for name in instance.process.parameters}


def _golden_files(network: Network, images: Integers, layer_images: int) -> Files:
    """Return the golden tensors: the ends for all images, what lies between for a few."""
    few = network.execute(images[:layer_images])
    ends = {INPUT: images} | network.answers(images)
    return {f"tb/data/{name}.txt": golden_text(values) for name, values in (few | ends).items()}


def _loaded_files(design: Design, network: Network) -> Files:
    """Return the weights that lie in URAM, in the order in which they are sent; or nothing."""
    tables = []
    for instance in design.instances:
        if instance.layer and instance.loads:
            node = design.graph[instance.layer]
            own = network.parameters[node.name]
            tables.append(constant_tables(instance.process, design.graph, node, own)["weights"])
    if not tables:
        return {}
    return {f"tb/data/{WEIGHTS}.txt": golden_text(np.concatenate(tables, axis=None)[None])}


@dataclass(frozen=True, slots=True)
class _Port:
    """A parameter of a process function."""

    stream: Stream
    name: str
    axis: bool


@dataclass(frozen=True, slots=True)
class _Call:
    """A process function: its ports by their own names, its streams, its clock, what it does."""

    name: str
    ports: tuple[_Port, ...]
    reads: tuple[str, ...]
    loads: tuple[str, ...]
    writes: tuple[str, ...]
    ii: int
    stages: int
    gap: int
    """Cycles from the last iteration of a frame to the first one of the next."""
    counts: Mapping[str, int]
    """Loop trips, multiplications by group and words by stream, of one frame."""
    once: Mapping[str, int]
    """The same of what happens before the first frame: trips and words."""
    load: Loop | None
    """The first loop that runs before it; the others have the same stages."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What it is called with."""
        return (*self.reads, *self.loads, *self.writes)


def _call(instance: Instance) -> _Call:
    structure = instance.structure
    is_send = isinstance(instance.process, Send)
    ports = (
        *(_Port(stream, stream.name, instance.name == RECEIVE) for stream in structure.reads),
        *(_Port(load.stream, load.name, False) for load in structure.loads if load.when),
        *(_Port(stream, stream.name, is_send) for stream in structure.writes),
    )
    loop = structure.loop
    clock = (loop.ii, int(loop.stages), int(loop.gap))
    streams = instance.reads, instance.loads, instance.writes
    load = next((load.loop for load in structure.loads if load.when), None)
    return _Call(instance.name, ports, *streams, *clock, _counts(instance), _once(instance), load)


def _once(instance: Instance) -> dict[str, int]:
    """Return what a process does before the first frame: trips, and words by stream."""
    loads = [load for load in instance.structure.loads if load.when]
    if not loads:
        return {}
    counts = {"loads": sum(int(load.loop.trips) for load in loads)}
    if instance.name == RECEIVE:
        counts[f"words through {instance.reads[0]}"] = counts["loads"]
    for name, load in zip(instance.loads, loads, strict=True):
        counts[f"words through {name}"] = int(load.stream.words)
    return counts


def _counts(instance: Instance) -> dict[str, int]:
    """Return what a process does in one frame: trips, multiplications by group, words by stream."""
    structure = instance.structure
    counts = {"trips": structure.loop.trips}
    counts |= {group.name: group.multiplications * group.uses for group in structure.multipliers}
    for name, stream in zip(instance.reads, structure.reads, strict=True):
        counts[f"words from {name}"] = stream.words
    for name, stream in zip(instance.writes, structure.writes, strict=True):
        counts[f"words to {name}"] = stream.words
    return {what: int(count) for what, count in counts.items()}


def _names(design: Design, network: Network, images: int, layer_images: int) -> dict[str, Any]:
    """Return what the project's own templates may use."""
    graph, board = design.graph, design.board
    first = graph.input
    lanes = design.lanes_of(INPUT)
    return {
        "title": graph.name,
        "summary": f"{len(graph.nodes)} layers, {graph.macs} MACs per image, on {board.title}",
        "board": board,
        "clock_mhz": design.clock_hz / 1e6,
        "period_ns": f"{1e9 / design.clock_hz:.3f}",
        "processes": [_call(instance) for instance in design.instances],
        "fifos": [_fifo(fifo) for fifo in design.fifos],
        "loads": [_fifo(fifo) for fifo in design.loads],
        "tables": _tables(design),
        "weights_file": WEIGHTS,
        "layers": [_layer(design, node) for node in graph],
        "tensors": _tensors(design, images, layer_images),
        "layer_images": layer_images,
        "images": images,
        "input_name": INPUT,
        "input": first,
        "input_scale": repr(float(network.scales[INPUT])),
        "outputs": [
            _output(design, name, send.writes[0])
            for name, send in zip(graph.outputs, design.sends, strict=True)
        ],
        "input_bits": beat_bits(lanes, first.bits),
        "input_lanes": lanes,
        "input_wire_bits": wire_bits(first.bits),
        "input_extents": _extents(first),
        "timed_images": TIMED_IMAGES,
    }


def _tables(design: Design) -> list[dict[str, int]]:
    """Return what is sent before the first image: elements, their beats, and bits of each."""
    port = design.instances[0].structure
    return [
        {
            "elements": int(load.stream.words),
            "parts": int(load.loop.trips) // int(load.stream.words),
            "bits": wire_bits(int(load.stream.bits)),
        }
        for load in port.loads
    ]


def _output(design: Design, name: str, port: str) -> dict[str, Any]:
    """Return one way out: its golden tensor, its port's beats, and the type of their elements."""
    tensor = design.graph.tensor(name)
    several = len(design.graph.outputs) > 1
    bits, lanes = wire_bits(tensor.bits), design.lanes_of(name)
    kind = "int" if tensor.signed else "uint"
    return {
        "name": name,
        "label": f"accelerator's {name}" if several else "accelerator",
        "port": port,
        "dma": f"dma_{name}" if name != design.graph.outputs[0] else "dma",
        "bits": beat_bits(lanes, tensor.bits),
        "lanes": lanes,
        "wire_bits": bits,
        "type": f"{kind}{bits}",
        "elements": tensor.elements,
    } | _extents(tensor)


def _fifo(fifo: Fifo) -> dict[str, Any]:
    shift = bool(is_shift_register(fifo.depth, int(fifo.stream.lanes) * fifo.stream.bits))
    return {
        "name": fifo.name,
        "source": fifo.source,
        "sink": fifo.sink,
        "stream": fifo.stream,
        "depth": fifo.depth,
        "impl": "srl" if shift else "bram",
    }


def _layer(design: Design, node: Node) -> dict[str, Any]:
    """Return one layer as the test bench runs it alone: its processes on their own streams."""
    instances = design.layer(node.name)
    inner = {name for instance in instances for name in instance.writes}
    inner -= set(instances[-1].writes)
    reads = instances[0].structure.reads
    calls = [_call(instance) for instance in instances]
    final = calls[-1]
    alone = replace(final, writes=("results",))
    return {
        "name": node.name,
        "inputs": [
            {"name": fifo, "stream": stream, "tensor": tensor}
            for fifo, stream, tensor in zip(instances[0].reads, reads, node.inputs, strict=True)
        ],
        "inner": [
            *(fifo for fifo in design.fifos if fifo.name in inner),
            *(fifo for fifo in design.loads if fifo.tensor == node.name),
        ],
        "output": instances[-1].structure.writes[0],
        "processes": [*calls[:-1], alone],
    }


def _tensors(design: Design, images: int, layer_images: int) -> list[dict[str, Any]]:
    ends = {INPUT, *design.graph.outputs}
    result = []
    for name in (INPUT, *(node.name for node in design.graph)):
        count = images if name in ends else layer_images
        result.append({"name": name, "images": count} | _extents(design.graph.tensor(name)))
    return result


def _extents(tensor: Tensor) -> dict[str, Any]:
    channels, rows, columns = map_shape(tensor.shape)
    return {"channels": channels, "rows": rows, "columns": columns}
