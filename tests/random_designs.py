"""Random networks on random legal engines: what the emitted C++ has to reproduce."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import hls
import numpy as np
import random_networks
from cases import USUAL, random_design, random_graph

from codesign.design import Design
from codesign.emit.project import Files, project
from codesign.fit.options import check_buildable
from codesign.network.graph import Graph
from codesign.network.network import Network
from codesign.network.op import Integers
from codesign.network.quantize import post_training

CHAIN = tuple(kind for kind in USUAL if kind != "add")
SHAPES = ("chain", "skips", "all operators")
FIFOS = ("shallow", "deep")
IMAGES = 3


@dataclass(frozen=True)
class Case:
    """A network with integers, a design for it, and images."""

    network: Network
    design: Design
    images: Integers

    @property
    def files(self) -> Files:
        """The project, its processes in one file."""
        return hls.joined(project(self.design, self.network, self.images, layer_images=IMAGES))

    def difference(self, folder: Path) -> str:
        """Emit, compile and run the C simulation; return what differs, "" for nothing."""
        done = hls.csim_at_once(hls.write_project(self.files, folder))
        layers = re.findall(r"^layer (\w+): \d+ images equal$", done.stdout, re.MULTILINE)
        every = [node.name for node in self.network.graph]
        if done.returncode == 0 and done.stdout.endswith("PASS\n") and layers == every:
            return ""
        return f"{layers} are equal of {every}\n{done.stdout}{done.stderr}"


def any_operators(seed: int) -> Case:
    """Return a network that grew out of every operator, quantised, on engines drawn at random."""
    floats = random_networks.random_network(seed, layers=5)
    images = random_networks.random_images(floats, seed, IMAGES)
    network = post_training(floats, images, "power_of_two" if seed % 2 else "multiplier")
    check_buildable(network.graph)
    design = random_design(network.graph, np.random.default_rng(seed))
    return Case(network, design, network.quantize_input(images))


def timed_case(seed: int) -> tuple[str, str, Case]:
    """Return what is run with clocks: its shape, how deep its FIFOs are, and the case itself."""
    shape, fifos = SHAPES[seed % 3], FIFOS[seed // 3 % 2]
    random = np.random.default_rng(seed)
    if shape == "all operators":
        case = any_operators(seed)
    else:
        kinds = CHAIN if shape == "chain" else (*USUAL, "add")
        case = _random_integers(random_graph(random, layers=4, kinds=kinds), random)
    return shape, fifos, replace(case, design=with_depths(case.design, random, fifos))


def with_depths(design: Design, random: np.random.Generator, fifos: str) -> Design:
    """Return a design with FIFOs of random depths, shallow ones or deep ones.

    Shallow ones stand still at most skips. Where the map has few words, deep ones hold images.
    """
    low, high = (2, 9) if fifos == "shallow" else (16, 200)
    depths: Mapping[str, int] = {
        fifo.name: int(random.integers(low, high)) for fifo in design.fifos
    }
    return replace(design, depths=depths)


def _random_integers(graph: Graph, random: np.random.Generator) -> Case:
    images = hls.random_images(graph, random, IMAGES)
    network = hls.random_network(graph, random, images)
    return Case(network, random_design(graph, random), images)
