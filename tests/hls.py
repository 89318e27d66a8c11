"""Random integer networks, and a harness that runs single engines as C++.

The harness puts the C++ of many engines into a few translation units, feeds each with recorded
words, and returns every word that each of its processes wrote, with the counted loop trips and
multiplications.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from codesign.design import Instance, loads_of
from codesign.emit.project import _learned_scalars, process_source
from codesign.emit.render import source
from codesign.emit.weights import constant_tables, initialiser
from codesign.fit.options import template_of
from codesign.hardware.process import Process
from codesign.hardware.structure import Stream
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import Network, Parameters, finish
from codesign.network.op import Integers
from codesign.network.ops.table import Table
from codesign.validate.tool import outside_make

SHIM = {
    "ap_axi_sdata.h": "ap_axi_sdata.h",
    "checked_int.hpp": "checked_int.hpp",
    "plain_counters.hpp": "counters.hpp",
    "plain_stream.h": "hls_stream.h",
}
FUNCTIONS_PER_UNIT = 40


def random_network(graph: Graph, random: np.random.Generator, images: Integers) -> Network:
    """Return a network of `graph` with weights, biases, multipliers and shifts drawn at random.

    Weights take the whole range of their bits. Shifts are such that some outputs of `images`
    are clipped; half of the multipliers are powers of two, so that ties occur.
    """
    values = {INPUT: images}
    parameters = {}
    for node in graph:
        own = _random_parameters(node, random)
        sums = node.op.accumulate([values[name] for name in node.inputs], own.weights)
        if node.op.has_bias:
            spread = max(2, int(np.abs(sums).max(initial=0)) // 2)
            bias = random.integers(-spread, spread, node.output.channels)
            own = Parameters(own.weights, bias, own.multiplier)
        if own.multiplier is not None:
            shift = _clipping_shift(node, own, sums)
            own = Parameters(own.weights, own.bias, own.multiplier, shift)
        parameters[node.name] = own
        values[node.name] = finish(node, own, sums)
    return Network(graph, parameters, dict.fromkeys(values, 1.0))


def random_images(graph: Graph, random: np.random.Generator, count: int) -> Integers:
    """Return `count` images that take the whole range of the input's type."""
    low, high = graph.input.low, graph.input.high
    return random.integers(low, high + 1, (count, *graph.input.shape))


def _random_parameters(node: Node, random: np.random.Generator) -> Parameters:
    op, bits = node.op, node.multiplier_bits
    weights = None
    if op.rescales:
        # rescaling factors are positive; without a multiplier they are powers of two
        powers = 1 << random.integers(0, op.weight_bits - 1, op.weight_shape)
        limit = 1 << (op.weight_bits - 1)
        weights = powers if bits < 2 else random.integers(1, limit, op.weight_shape)
    elif isinstance(op, Table):
        weights = random.integers(op.image[0], op.image[1] + 1, op.weight_shape)
    elif op.weight_shape is not None:
        limit = 1 << (op.weight_bits - 1)
        weights = random.integers(-limit, limit, op.weight_shape)
    if bits == 0:
        return Parameters(weights)
    count = node.output.channels if op.has_bias else 1
    multiplier = random.integers(1, 1 << bits, count)
    multiplier[::2] = 1 << random.integers(0, bits, len(multiplier[::2]))
    return Parameters(weights, None, multiplier)


def _clipping_shift(node: Node, own: Parameters, sums: Integers) -> int:
    """Return the shift that takes the largest scaled sum just beyond the output's range."""
    unscaled = Node(node.name, node.op, node.inputs, node.output, 0)
    biased = finish(unscaled, Parameters(own.weights, own.bias), sums)
    assert own.multiplier is not None
    largest = int(np.abs(biased).max(initial=0)) * int(own.multiplier.max())
    return max(0, (largest // (node.output.high + 1)).bit_length() - 1)


def stream_words(values: Integers, lanes: int) -> Integers:
    """Return `N x C x H x W` or `N x features` as words `[N * words, lanes]` in stream order."""
    if values.ndim == 4:
        values = values.transpose(0, 2, 3, 1)
    return values.reshape(-1, lanes)


@dataclass(frozen=True)
class Run:
    """A chain of processes with what it is fed and what it must answer.

    `inputs` and `expected` hold the words `[images * words, lanes]` of each port of the first
    and of the last process.
    """

    label: str
    instances: tuple[Instance, ...]
    learned: tuple[Mapping[str, object], ...]
    tables: Mapping[str, Integers]
    inputs: tuple[Integers, ...]
    expected: tuple[Integers, ...]
    images: int

    @property
    def fed(self) -> Iterator[Integers]:
        """What its driver takes, in order: the words of all inputs, and tables that are loaded."""
        yield from self.inputs
        for instance in self.instances:
            for _ in loads_of(instance.process):
                yield self.tables[f"{instance.name}_weights"]

    @property
    def cpp(self) -> str:
        """The C++ of all processes."""
        pairs = zip(self.instances, self.learned, strict=True)
        texts = [process_source(instance, learned) for instance, learned in pairs]
        return "\n".join(texts).replace('#include "processes.hpp"\n', "")

    @property
    def meaning(self) -> str:
        """The C++ without the names of the functions and without pragmas: what it computes."""
        text = re.sub(r"^#pragma.*\n", "", self.cpp, flags=re.MULTILINE)
        return text.replace(f"{self.instances[0].layer}_", "")


@dataclass
class Outcome:
    """What a run wrote, when it read and wrote, and what it counted.

    The lists have an entry per process, and in it one per port: the written words
    `[images * words, lanes]`, and the iterations (of their image) in which each word was read
    and written.
    """

    words: list[list[Integers]] = field(default_factory=list)
    reads: list[list[Integers]] = field(default_factory=list)
    writes: list[list[Integers]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def plumbing(
    name: str,
    process: Process,
    inputs: Sequence[Integers],
    expected: Sequence[Integers],
    images: int,
) -> Run:
    """Return one process without learned constants as a run."""
    instance = Instance(f"{name}_{process.kind}", process, (), (), name)
    return Run(f"{process}", (instance,), ({},), {}, tuple(inputs), tuple(expected), images)


def engines(graph: Graph, network: Network, images: Integers, prefix: str) -> Iterator[Run]:
    """Yield every node of a network on every engine of its template's space."""
    values = network.execute(images)
    for node in graph:
        template = template_of(node, graph.inputs(node))
        space = template.space(node, graph.inputs(node))
        for number in range(space.size):
            engine = template.of(node, graph.inputs(node), space.at(number))  # type: ignore[arg-type]
            if bool(np.all(engine.legal())):
                yield engine_run(
                    graph, network, node, engine, values, f"{prefix}_{node.name}_{number}"
                )


def engine_run(
    graph: Graph,
    network: Network,
    node: Node,
    engine: HardwareTemplate,
    values: Mapping[str, Integers],
    name: str,
) -> Run:
    instances = tuple(
        Instance(f"{name}_{process.kind}", process, (), (), name) for process in engine.processes()
    )
    tables = {}
    for instance in instances:
        parts = constant_tables(instance.process, graph, node, network.parameters[node.name])
        tables |= {f"{instance.name}_{part}": table for part, table in parts.items()}
    knobs = {knob: int(getattr(engine, knob)) for knob in engine.knob_names()}
    return Run(
        label=f"{node.op} {graph.inputs(node)} -> {node.output}, {node.multiplier_bits}, {knobs}",
        instances=instances,
        learned=tuple(
            _learned_scalars(node, network, i) if i.process.parameters else {} for i in instances
        ),
        tables=tables,
        inputs=tuple(stream_words(values[n], int(engine.input_lanes)) for n in node.inputs),
        expected=(stream_words(values[node.name], int(engine.output_lanes)),),
        images=len(values[INPUT]),
    )


def execute(runs: Sequence[Run], folder: Path) -> list[Outcome]:
    """Compile all runs into one program, run it, and return what each wrote and counted."""
    (folder / "parameters").mkdir(parents=True)
    for name, original in SHIM.items():
        (folder / name).write_text(source(f"project/tb/shim/{original}"))
    (folder / "counters.hpp").write_text(_COUNTERS)
    (folder / "hls_stream.h").write_text(_STREAM)
    (folder / "types.hpp").write_text(source("project/src/types.hpp"))
    (folder / "harness.hpp").write_text(_HARNESS)
    units = _units(runs)
    for number, unit in enumerate(units):
        (folder / f"unit{number}.cpp").write_text(unit)
    declared = "".join(f"void run_{number}();\n" for number in range(len(runs)))
    called = "".join(f"run_{number}();\n" for number in range(len(runs)))
    start = '#include "harness.hpp"\nlong long codesign::trip;\n'
    main = f"{start}{declared}int main() {{\n{called}report();\n}}\n"
    (folder / "main.cpp").write_text(main)
    for run in runs:
        for name, table in run.tables.items():
            (folder / f"parameters/{name}.inc").write_text(initialiser(table))
    _compile(folder, [*(f"unit{i}" for i in range(len(units))), "main"])
    data = " ".join(" ".join(map(str, words.ravel().tolist())) for run in runs for words in run.fed)
    done = subprocess.run(
        [folder / "harness"], input=data, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return _parse(runs, done.stdout)


def _compile(folder: Path, units: Sequence[str]) -> None:
    """Compile units two at a time, and link them."""
    flags = ["-std=c++14", "-O0", "-DCODESIGN_COUNT", "-w", "-I."]
    # the header that every unit starts with is compiled once
    _gxx([*flags, "-x", "c++-header", "harness.hpp", "-o", "harness.hpp.gch"], folder)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda u: _gxx([*flags, "-c", f"{u}.cpp", "-o", f"{u}.o"], folder), units))
    _gxx([*(f"{unit}.o" for unit in units), "-o", "harness"], folder)


def _gxx(arguments: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        ["g++", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


def _units(runs: Sequence[Run]) -> list[str]:
    units = []
    for start in range(0, len(runs), FUNCTIONS_PER_UNIT):
        parts = ['#include "harness.hpp"\n']
        for number, run in enumerate(runs[start : start + FUNCTIONS_PER_UNIT], start):
            parts += [run.cpp, _driver(number, run)]
        units.append("\n".join(parts))
    return units


def _driver(number: int, run: Run) -> str:
    """Return the function that feeds a run, calls its processes and records what they write."""
    lines = [f"void run_{number}() {{"]
    ports: list[str] = []
    for port, stream in enumerate(run.instances[0].structure.reads):
        words = len(run.inputs[port])
        lines += [
            f'hls::stream<{_word(stream)} > in{port}("{stream.name}");',
            f"feed(in{port}, {words});",
        ]
        ports.append(f"in{port}")
    for place, instance in enumerate(run.instances):
        outputs = []
        loads = []
        for load in loads_of(instance.process):
            words = int(load.stream.words)
            lines.append(f'hls::stream<{_word(load.stream)} > load{place}("{load.name}");')
            lines.append(f"feed(load{place}, {words});")
            loads.append(f"load{place}")
        for port, stream in enumerate(instance.structure.writes):
            name = f"out{place}_{port}"
            lines.append(f'hls::stream<{_word(stream)} > {name}("{stream.name}");')
            outputs.append(name)
        call = f"{instance.name}({', '.join([*ports, *loads, *outputs])});"
        lines.append(f"for (int n = 0; n < {run.images}; ++n) {{ codesign::trip = -1; {call} }}")
        lines += [f"show({name}.reads);" for name in ports]
        lines += [f"show({name}.writes);" for name in outputs]
        last = place + 1 == len(run.instances)
        lines += [f"record({name}, {int(not last)});" for name in outputs]
        ports = outputs
    return "\n".join([*lines, "}"]) + "\n"


def _word(stream: Stream) -> str:
    if stream.name == "beats":
        return f"Beat<{stream.bits}>"
    return f"Word<{'Int' if stream.signed else 'UInt'}<{stream.bits}>, {stream.lanes}>"


def _parse(runs: Sequence[Run], text: str) -> list[Outcome]:
    lines = iter(text.splitlines())
    outcomes = []
    for run in runs:
        outcome = Outcome()
        for instance in run.instances:
            structure = instance.structure
            outcome.reads.append([_integers(next(lines)) for _ in structure.reads])
            outcome.writes.append([_integers(next(lines)) for _ in structure.writes])
            outcome.words.append(
                [_integers(next(lines)).reshape(-1, int(s.lanes)) for s in structure.writes]
            )
        outcomes.append(outcome)
    counts = {(name, what): int(count) for name, what, count in (line.split() for line in lines)}
    for run, outcome in zip(runs, outcomes, strict=True):
        own = {instance.name for instance in run.instances}
        outcome.counts = {f"{n} {w}": c for (n, w), c in counts.items() if n in own}
    return outcomes


def _integers(line: str) -> Integers:
    return np.array(line.split(), np.int64)


_COUNTERS = """
// The project's counters, and the number of the running iteration.
#pragma once
#define count count_plainly
#include "plain_counters.hpp"
#undef count
#include <string.h>
namespace codesign {
extern long long trip;
inline void count(const char* process, const char* what) {
    count_plainly(process, what);
    if (!strcmp(what, "trips")) ++trip;
}
}  // namespace codesign
"""

_STREAM = """
// The project's stream, and a record of the iterations in which its words were read and written.
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <queue>
#include <string>
#include <vector>
#include "counters.hpp"
#define stream plain_stream
#include "plain_stream.h"
#undef stream
namespace hls {
template <typename W>
struct stream : plain_stream<W> {
    using plain_stream<W>::plain_stream;
    std::vector<long long> reads, writes;
    W read() { reads.push_back(codesign::trip); return plain_stream<W>::read(); }
    void write(const W& word) { writes.push_back(codesign::trip); plain_stream<W>::write(word); }
};
}  // namespace hls
"""

_HARNESS = """
#include <iostream>
#include <vector>
#include "types.hpp"

inline long long next_value() { long long v; if (!(std::cin >> v)) abort(); return v; }

template <typename E, int L> void put(Word<E, L>& word) {
    for (int i = 0; i < L; ++i) word.lane[i] = next_value();
}
template <int B> void put(ap_axiu<B, 0, 0, 0>& beat) { beat.data = next_value(); }
template <typename E, int L> void show(const Word<E, L>& word) {
    for (int i = 0; i < L; ++i) std::cout << (long long)(word.lane[i]) << ' ';
}
template <int B> void show(const ap_axiu<B, 0, 0, 0>& beat) {
    std::cout << (long long)(beat.data) << ' ';
}
template <typename W> void feed(hls::stream<W>& stream, int words) {
    for (int n = 0; n < words; ++n) { W word; put(word); stream.write(word); }
}
inline void show(const std::vector<long long>& numbers) {
    for (long long number : numbers) std::cout << number << ' ';
    std::cout << '\\n';
}
// Print every word, and put it back for the process that reads it.
template <typename W> void record(hls::stream<W>& stream, bool read_on) {
    std::vector<W> words;
    while (!stream.empty()) words.push_back(stream.read());
    stream.reads.clear();
    for (const W& word : words) {
        show(word);
        if (read_on) stream.write(word);
    }
    std::cout << '\\n';
}
inline void report() {
    for (const auto& entry : codesign::counters())
        std::cout << entry.first << ' ' << entry.second << '\\n';
}
"""


def joined(files: Mapping[str, str]) -> dict[str, str]:
    """Return a project whose processes stand in one file, which compiles several times faster.

    The accelerator's own file stays apart: the timed simulation leaves it out.
    """
    apart = [name for name in files if re.fullmatch(r"src/(?!accelerator)\w+\.cpp", name)]
    rest = {name: text for name, text in files.items() if name not in apart}
    return rest | {"src/all_processes.cpp": "\n".join(files[name] for name in apart)}


def write_project(files: Mapping[str, str], folder: Path) -> Path:
    """Write a project, and return its folder."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def csim_at_once(folder: Path) -> subprocess.CompletedProcess[str]:
    """Compile a written project as one unit, in half the time, and run its test bench."""
    parts = [*sorted(folder.glob("src/*.cpp")), folder / "tb/accelerator_tb.cpp"]
    unit = "".join(f'#include "{part.relative_to(folder)}"\n' for part in parts)
    (folder / "unit.cpp").write_text(unit)
    flags = ["-std=c++14", "-O0", "-w", '-DDATA_FOLDER="tb/data"', "-I.", "-Isrc", "-Itb/shim"]
    _gxx([*flags, "unit.cpp", "-o", "csim"], folder)
    return subprocess.run(
        [folder / "csim"], cwd=folder, capture_output=True, text=True, check=False
    )


def csim(folder: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """Compile a written project without optimisation, and run its test bench."""
    command = ["make", "-j2", "csim", "CXXFLAGS=-O0", *settings]
    return subprocess.run(
        command, cwd=folder, env=outside_make(), capture_output=True, text=True, check=False
    )
