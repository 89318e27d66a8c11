"""What Bambu is given: the emitted processes with other pragmas, and the words they exchanged.

Bambu itself takes an hour to build, so no test has it (`benchmarks.bambu` does); its two headers
are stood in for by a few lines here, and the test bench that Bambu would simulate runs as C++.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cases import random_graph
from hls import random_images, random_network, write_project

from codesign.emit.project import project
from codesign.emit.render import source
from codesign.fit.dataflow import fit
from codesign.hardware.board import Board
from codesign.validate.bambu_source import bench, header, sources, synthesisable
from codesign.validate.tools.bambu import Bambu, recorded

pytestmark = pytest.mark.needs_gxx

AP_INT = """
#pragma once
#include <bitset>
#include <stdint.h>
template <int N> struct ap_uint {
    std::bitset<N> bits;
    ap_uint(uint64_t value = 0) : bits(value) {}
    template <int W> ap_uint<W> slc(int low) const {
        ap_uint<W> part;
        for (int i = 0; i < W; ++i) part.bits[i] = bits[low + i];
        return part;
    }
    template <int W> void set_slc(int low, const ap_uint<W>& part) {
        for (int i = 0; i < W; ++i) bits[low + i] = part.bits[i];
    }
    uint64_t to_uint64() const { return bits.to_ullong(); }
};
"""
STREAM = """
#pragma once
#include <queue>
namespace hls {
template <typename T> struct stream {
    std::queue<T> words;
    void write(const T& word) { words.push(word); }
    T read() { T word = words.front(); words.pop(); return word; }
};
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(3)
    graph = random_graph(random)
    images = random_images(graph, random, 2)
    network = random_network(graph, random, images)
    design = fit(graph, Board.load("pynq_z2"), 100e6).design
    path = tmp_path_factory.mktemp("project")
    return write_project(project(design, network, images, 1), path)


def run(folder: Path, into: Path, spoil: bool) -> str:
    """Compile every process of a project with its bench, run them, and return what they print."""
    words = recorded(folder, folder / "build" / "bambu")
    (into / "ap_int.h").write_text(AP_INT)
    (into / "hls_stream.h").write_text(STREAM)
    (into / "types.hpp").write_text(source("bambu/types.hpp"))
    (into / "parameters").symlink_to(folder / "src" / "parameters")
    said = ""
    for process in sources(folder)[0]:
        own = {port.name: list(words[port.fifo]) for port in process.ports}
        written = [port.name for port in process.ports if process.written_by(port)]
        assert 1 <= len(written) < len(own)
        if spoil:
            last = own[written[0]][-1].split()
            own[written[0]][-1] = " ".join([str(int(last[0]) ^ 1), *last[1:]])
        text = synthesisable(process, {name: len(lines) for name, lines in own.items()})
        (into / "processes.hpp").write_text(header(process))
        (into / "unit.cpp").write_text(text + bench(process, own))
        flags = ("-std=c++14", "-w", "-fsanitize=undefined", "-fno-sanitize-recover")
        command = ["g++", *flags, "-I.", "unit.cpp", "-o", "unit"]
        subprocess.run(command, cwd=into, check=True)
        done = subprocess.run([into / "unit"], capture_output=True, text=True, check=False)
        said += done.stdout
    return said


@pytest.mark.parametrize("spoil", [False, True])
def test_every_process_writes_the_words_that_were_recorded(
    folder: Path, tmp_path: Path, spoil: bool
) -> None:
    counts = re.findall(r"(\d+) wrong", run(folder, tmp_path, spoil))
    assert len(counts) >= 4
    assert set(counts) == {str(int(spoil))}


def test_pragmas_are_those_that_bambu_takes(folder: Path) -> None:
    processes, others = sources(folder)
    assert others == ["receive", "send"]
    unrolled = 0
    for process in processes:
        text = synthesisable(process, {port.name: 7 for port in process.ports})
        lines = text.splitlines()
        assert text.count("mode=fifo") == len(process.ports)
        for number, line in enumerate(lines):
            if not line.startswith("#pragma"):
                continue
            assert re.search(r"interface mode=fifo port=\w+ depth=7$|unroll factor=\d+$", line)
            if "unroll" in line:
                unrolled += 1
                factor = line.rpartition("=")[2]
                assert re.fullmatch(rf" +for \(int (\w+) = 0; \1 < {factor}; .*", lines[number + 1])
        copies = process.text.count("#pragma HLS UNROLL")
        single = len(re.findall(r"< 1; .*\n#pragma HLS UNROLL", process.text))
        assert text.count("unroll factor") == copies - single
    assert unrolled


STANDS_IN = """#!/bin/sh
case "$1" in --version) echo "Version: none"; exit 0 ;; esac
mkdir -p HLS_output/simulation
case "$1" in
  conv*) echo "3 wrong" > HLS_output/simulation/testbench.log ;;
  send*|pool*) exit 1 ;;
  *) echo "0 wrong" > HLS_output/simulation/testbench.log ;;
esac
echo "  Total cycles             : 71 cycles"
"""


def test_says_which_processes_differ_and_which_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("bambu", "verilator"):
        (tmp_path / program).write_text(STANDS_IN)
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    names = [process.name for process in sources(folder)[0]]
    differing = [name for name in names if name.startswith("conv")]
    refused = [name for name in names if name.startswith("pool")]
    assert differing
    assert refused

    found = Bambu().measure(folder)

    assert not found.passed
    assert set(found.processes) == set(names) - {*differing, *refused}
    assert set(found.processes.values()) == {71}
    assert all(
        f"{name} differs in RTL in 3 elements or words" in found.message for name in differing
    )
    assert all(f"{name} is not taken to RTL (exit code 1" in found.message for name in refused)
    passing = Bambu(only=frozenset(found.processes)).measure(folder)
    assert passing.passed
    assert passing.processes == found.processes
