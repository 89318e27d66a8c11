"""The form of a hardware template: which processes make the engine of one operator.

Members live in `codesign.hardware.templates`, one file per operator. A template only chooses
and chains processes; what they cost and how they are written is not its business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.board import Board
from codesign.hardware.loading import URAM_WORDS
from codesign.hardware.packing import WIDE_PORT
from codesign.hardware.process import Process
from codesign.hardware.structure import (
    MAX_UNROLL,
    MAX_WORD_BITS,
    Arithmetic,
    Count,
    Role,
    Structure,
)
from codesign.network.graph import Node
from codesign.network.op import Op
from codesign.network.tensor import Tensor
from codesign.space import Space

Shape = tuple[int, ...]


class HardwareTemplate(ABC):
    """One engine; members are frozen dataclasses of `node`, `inputs` and their knobs.

    Knobs hold one integer each (one engine), or an array each (many engines priced in one call).
    """

    __slots__ = ()
    implements: ClassVar[type[Op]]
    structural: ClassVar[tuple[str, ...]] = ()
    """Knobs that decide of what parts there are, the first of the space: never arrays."""
    illegal: ClassVar[str] = (
        "need wider words or more multipliers than tools take, constants as factors where each "
        "multiplier has several, or several pixels of which not all channels (or too few positions "
        "of the kernel) are computed at once"
    )
    """What is wrong with knobs that are not `legal` together."""
    node: Node
    inputs: tuple[Tensor, ...]

    @classmethod
    def lacks(cls, node: Node, inputs: tuple[Tensor, ...]) -> str:
        """Return what of this node no engine of the template can do, or ""."""
        return ""

    @classmethod
    @abstractmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Return the knobs and the values that divide this node's shape."""

    @classmethod
    def is_possible(
        cls, node: Node, inputs: tuple[Tensor, ...], structural: Mapping[str, Any]
    ) -> bool:
        """Return whether any engine with these structural knobs may be legal."""
        return True

    @classmethod
    def every(cls, node: Node, inputs: tuple[Tensor, ...]) -> Iterator[tuple[int, Shape, Self]]:
        """Yield the engines of the whole space, in its order, but those that cannot be legal.

        There is one for every value of the structural knobs; the others are arrays, each along an
        axis of its own. Before it stand the number of its first point in the space, and the shape
        of all its points.
        """
        choices = cls.space(node, inputs).choices
        fixed = Space(choices[: len(cls.structural)])
        free = Space(choices[len(cls.structural) :])
        for number in range(fixed.size):
            knobs: dict[str, Any] = {**fixed.at(number), **free.axes()}
            if cls.is_possible(node, inputs, knobs):
                yield number * free.size, free.shape, cls.of(node, inputs, knobs)

    @abstractmethod
    def processes(self) -> tuple[Process, ...]:
        """Return the chain of processes; the first reads every input, the last writes."""

    @property
    @abstractmethod
    def input_lanes(self) -> Count:
        """Elements per word of every input stream."""

    @property
    @abstractmethod
    def output_lanes(self) -> Count:
        """Elements per word of the output stream."""

    @classmethod
    def of(cls, node: Node, inputs: tuple[Tensor, ...], knobs: Mapping[str, Count]) -> Self:
        """Return the engine(s) of `node` with these knobs."""
        return cls(node, inputs, **knobs)  # type: ignore[call-arg]

    @classmethod
    def knob_names(cls) -> tuple[str, ...]:
        """Return the knobs in declaration order."""
        names = tuple(field.name for field in fields(cls))  # type: ignore[arg-type]
        return tuple(name for name in names if name not in ("node", "inputs"))

    @classmethod
    def later_knobs(cls) -> dict[str, int]:
        """Return knobs that older design files lack, with the value that their engines had.

        A knob that a template gets later has that value as its default.
        """
        own = fields(cls)  # type: ignore[arg-type]
        return {field.name: field.default for field in own if field.default is not MISSING}

    def legal(self) -> NDArray[np.bool_]:
        """Return, per point, whether tools take its unrolling and word widths."""
        fixed = {knob: getattr(self, knob) for knob in self.structural}
        good: NDArray[np.bool_] = np.array(self.is_possible(self.node, self.inputs, fixed))
        for process in self.processes():
            structure = process.structure()
            for stream in (*structure.reads, *structure.writes):
                good = good & np.asarray(stream.lanes * stream.bits <= MAX_WORD_BITS)
            for buffer in structure.buffers:
                if buffer.role is Role.MEMORY:
                    good = good & np.asarray(buffer.lanes * buffer.bits <= MAX_WORD_BITS)
                # a single word is no memory, and what is loaded into it is no constant
                good = good & ~(np.equal(buffer.loaded, 1) & np.equal(buffer.words, 1))
            for group in structure.multipliers:
                good = good & np.asarray(group.count <= MAX_UNROLL)
            good = good & _has_constant_factors(structure)
        return good

    def suits(self, board: Board) -> NDArray[np.bool_]:
        """Return, per point, whether a board has slices and memories of the kinds that it takes.

        Slices have to multiply factors as wide as packed products; weights lie in URAM only where
        there is any.
        """
        good: NDArray[np.bool_] = np.array(True)
        is_narrow, lacks_uram = board.dsp_width[0] < WIDE_PORT, board.resources.uram == 0
        for process in self.processes() if is_narrow or lacks_uram else ():
            structure = process.structure()
            for group in structure.multipliers if is_narrow else ():
                good = good & np.not_equal(group.arithmetic, Arithmetic.PACKED_WIDE)
            for buffer in structure.buffers if lacks_uram else ():
                good = good & np.equal(buffer.loaded, 0)
        return good

    def is_worthwhile(self) -> NDArray[np.bool_]:
        """Return, per point, whether `fit` shall think of it: weights in URAM have `URAM_WORDS`."""
        good: NDArray[np.bool_] = np.array(True)
        for process in self.processes():
            for buffer in process.structure().buffers:
                if np.any(buffer.loaded):
                    many = np.greater_equal(buffer.words, URAM_WORDS)
                    good = good & (np.equal(buffer.loaded, 0) | many)
        return good


def _has_constant_factors(structure: Structure) -> NDArray[np.bool_]:
    """Return where products that want constants as factors have them: one word holds them all."""
    wanted: NDArray[np.bool_] = np.array(False)
    for group in structure.multipliers:
        wanted = wanted | np.equal(group.arithmetic, Arithmetic.CONSTANT)
    single: NDArray[np.bool_] = np.array(True)
    for buffer in structure.buffers:
        if buffer.role is Role.CONSTANT:
            single = single & np.equal(buffer.words, 1)
    return ~wanted | single
