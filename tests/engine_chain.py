"""A design's engines alone, with clocks: fed with whole words, as ports as wide would.

The ports of an accelerator take a beat of 64 bits a cycle and give one element. This harness takes
the emitted processes between them, so that the engines' own pace shows.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import hls
import numpy as np

from codesign.design import MIN_FIFO_DEPTH, Design
from codesign.emit.project import project
from codesign.network.network import Network
from codesign.network.op import Integers


def run_engines(
    design: Design, network: Network, images: Integers, folder: Path
) -> tuple[list[int], Integers]:
    """Compile and run the engines of a chain whose neighbours have equal widths.

    Returns:
        when the last output of each image has left [cycles], and the answers `[images, outputs]`.
    """
    files = hls.joined(project(design, network, images, layer_images=1))
    hls.write_project(files | {"tb/engines.cpp": harness(design)}, folder)
    flags = ["-std=c++14", "-O0", "-w", "-DCODESIGN_TIMED", "-Itb/timed", "-Itb/shim", "-Isrc"]
    hls._gxx([*flags, "src/all_processes.cpp", "tb/engines.cpp", "-o", "engines"], folder)
    first = design.layer(design.graph.nodes[0].name)[0].process.structure().reads[0]
    words = hls.stream_words(images, int(first.lanes))
    data = " ".join(map(str, [len(images), *words.ravel().tolist()]))
    done = subprocess.run(
        [folder / "engines"], input=data, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ends, answers = done.stdout.splitlines()
    return [int(end) for end in ends.split()], np.array(answers.split(), int).reshape(
        len(images), -1
    )


def harness(design: Design) -> str:
    """Return a program that reads the number of images and their elements."""
    processes = [i for node in design.graph for i in design.layer(node.name)]
    structures = [instance.structure for instance in processes]
    streams = [structures[0].reads[0], *(structure.writes[0] for structure in structures)]
    last = len(streams) - 1
    lines = ['#include "processes.hpp"', "#include <iostream>", "int main() {", "int images;"]
    lines.append("std::cin >> images;")
    for number, stream in enumerate(streams):
        depth = 0 if number in (0, last) else MIN_FIFO_DEPTH
        lines.append(f'hls::stream<{hls._word(stream)} > s{number}("s{number}", {depth});')
    lines += [
        f"for (int n = 0; n < images * {streams[0].words}; ++n) {{",
        f"{hls._word(streams[0])} word; long long value;",
        f"for (int i = 0; i < {streams[0].lanes}; ++i) {{",
        "std::cin >> value; word.lane[i] = value; }",
        "s0.write(word);",
        "}",
        "codesign::Simulation& simulation = codesign::Simulation::instance();",
    ]
    for number, (instance, structure) in enumerate(zip(processes, structures, strict=True)):
        loop, name = structure.loop, instance.name
        clock = f"{loop.ii}, {loop.stages}, {loop.gap}"
        call = f"{name}(s{number}, s{number + 1});"
        lines.append(f'simulation.add("{name}", {clock}, images, [&] {{ {call} }});')
    lines += [
        "simulation.run();",
        "for (long long end : simulation.processes().back().ends) std::cout << end << ' ';",
        "std::cout << '\\n';",
        f"for (int n = 0; n < images * {streams[last].words}; ++n) {{",
        f"const {hls._word(streams[last])} word = s{last}.read();",
        f"for (int i = 0; i < {streams[last].lanes}; ++i)",
        "std::cout << (long long)(word.lane[i]) << ' ';",
        "}",
        "std::cout << '\\n';",
        "}",
    ]
    return "\n".join(lines) + "\n"
