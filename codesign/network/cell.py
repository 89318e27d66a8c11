"""Cells of NAS-Bench-201: four sums of maps, six edges, five operations to choose from on each.

Sum 0 is the cell's input, sum 3 its output; every earlier sum reaches every later one through an
edge. Source: Dong and Yang, ICLR 2020 (arXiv 2001.00326), section 2.1.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from codesign.errors import InputError, nearest

NONE = "none"
SKIP = "skip_connect"
CONV1 = "nor_conv_1x1"
CONV3 = "nor_conv_3x3"
POOL = "avg_pool_3x3"
OPERATIONS = (NONE, SKIP, CONV1, CONV3, POOL)
"""In the published order; their places are the digits of `Cell.digits`."""
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Source and target of each edge, in the published order."""
CELLS = len(OPERATIONS) ** len(EDGES)

_OUTPUT = 3
_SHUFFLE_SEED = 88
_TEXT = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|\Z")

Term = tuple[str, int]
"""An operation and the value that it reads."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One operation per edge, in the order of `EDGES`."""

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.operations) != len(EDGES):
            raise InputError("cell", f"has {len(EDGES)} edges, got {len(self.operations)}")
        for name in self.operations:
            if name not in OPERATIONS:
                raise InputError("cell", f"has no operation '{name}'", nearest(name, OPERATIONS))

    @classmethod
    def parse(cls, text: str) -> Cell:
        """Return the cell of a published string, or of six digits.

        Raises:
            InputError: it is neither.
        """
        if re.fullmatch(f"[0-{len(OPERATIONS) - 1}]{{{len(EDGES)}}}", text):
            return cls(tuple(OPERATIONS[int(digit)] for digit in text))
        found = _TEXT.match(text)
        if found is None:
            known = Cell((NONE,) * len(EDGES)).text
            raise InputError("cell", f"cannot read '{text}'", f"write e.g. {known} or 000000")
        return cls(found.groups())

    @classmethod
    def at(cls, index: int) -> Cell:
        """Return the cell of a published index.

        Raises:
            InputError: there is no such index.
        """
        if not 0 <= index < CELLS:
            raise InputError("cell", f"indices are 0 to {CELLS - 1}, got {index}")
        return cls(_order()[index])

    @property
    def index(self) -> int:
        """The published index."""
        return _places()[self.operations]

    @property
    def digits(self) -> str:
        """One digit per edge: which of `OPERATIONS` stands there."""
        return "".join(str(OPERATIONS.index(name)) for name in self.operations)

    @property
    def text(self) -> str:
        """The published string: `|operation~source|` per edge, `+` between the sums."""
        own = dict(zip(EDGES, self.operations, strict=True))
        sums = [
            "|" + "".join(f"{own[source, target]}~{source}|" for source in range(target))
            for target in range(1, _OUTPUT + 1)
        ]
        return "+".join(sums)

    def edge(self, source: int, target: int) -> str:
        """Return the operation of an edge."""
        return self.operations[EDGES.index((source, target))]


@cache
def _order() -> tuple[tuple[str, ...], ...]:
    """Return all cells by published index.

    The benchmark's authors shuffled them: edges in order, the last one fastest, Python's generator
    seeded with 88. Source: D-X-Y/AutoDL-Projects, exps/NAS-Bench-201/main.py.
    """
    cells = list(product(OPERATIONS, repeat=len(EDGES)))
    random.Random(_SHUFFLE_SEED).shuffle(cells)  # noqa: S311 (a published order, not a secret)
    return tuple(cells)


@cache
def _places() -> dict[tuple[str, ...], int]:
    return {operations: index for index, operations in enumerate(_order())}


@dataclass(frozen=True, slots=True)
class Normal:
    """What a cell computes, in the one form that isomorphic cells share.

    Value 0 is the cell's input, value `n` the sum of the terms `sums[n - 1]`; values come after
    what they read. Nothing is left that does not reach the output, and nothing that is zero.
    """

    sums: tuple[tuple[Term, ...], ...]
    output: int | None
    """The value that leaves the cell: the last one, 0 where it passes its input on, None where
    the cell gives zeros whatever its input is."""

    @property
    def text(self) -> str:
        """A key: equal where the cells compute the same."""
        sums = ("+".join(f"{name}~{source}" for name, source in own) for own in self.sums)
        return f"{'|'.join(sums)}>{'zero' if self.output is None else self.output}"


@cache
def normal(cell: Cell) -> Normal:
    """Return the normal form of a cell.

    Edges that carry nothing, or lead nowhere, are dropped; a sum of one skip is what it skips
    from; sums of equal terms without weights are one; a sum that only one skip reads is part of
    its reader's, as is a lone pooling for every skip. What is left is numbered by the first of
    all orders. Convolutions are never merged: each has weights of its own.
    """
    sums, output = _pruned(*_live(cell))
    if output is None or output == 0:
        return Normal((), output)
    sums = _merged(sums, output)
    inner = sorted(set(sums) - {output})
    orders = [inner, inner[::-1]] if len(inner) == 2 else [inner]
    forms = [_numbered(sums, [*order, output]) for order in orders if _legal(sums, order)]
    return Normal(min(forms), len(inner) + 1)


def _live(cell: Cell) -> tuple[dict[int, list[Term]], int | None]:
    """Return the terms of every sum that is no alias, and the output; forwards."""
    alias: dict[int, int | None] = {0: 0}
    sums: dict[int, list[Term]] = {}
    for target in range(1, _OUTPUT + 1):
        terms: list[Term] = []
        for source in range(target):
            name, origin = cell.edge(source, target), alias[source]
            if name != NONE and origin is not None:
                terms.append((name, origin))
        terms.sort()
        alias[target] = _known(terms, sums, target)
        if alias[target] == target:
            sums[target] = terms
    return sums, alias[_OUTPUT]


def _known(terms: list[Term], sums: dict[int, list[Term]], target: int) -> int | None:
    """Return the value that a sum is, a new one if it is none so far; None for zero."""
    if not terms:
        return None
    if len(terms) == 1 and terms[0][0] == SKIP:
        return terms[0][1]
    if any(name in (CONV1, CONV3) for name, _ in terms):
        return target  # weights of its own
    return next((value for value, own in sums.items() if own == terms), target)


def _pruned(
    sums: dict[int, list[Term]], output: int | None
) -> tuple[dict[int, list[Term]], int | None]:
    """Return only the sums that reach the output."""
    wanted = {output}
    for value in sorted(sums, reverse=True):
        if value in wanted:
            wanted |= {source for _, source in sums[value]}
    return {value: terms for value, terms in sums.items() if value in wanted}, output


def _merged(sums: dict[int, list[Term]], output: int) -> dict[int, list[Term]]:
    """Return the sums with those that one skip alone reads written out in their reader."""
    merged = {value: list(terms) for value, terms in sums.items()}
    for value in sorted(sums):
        terms = merged[value]
        reads = [(own, term) for own, ts in merged.items() for term in ts if term[1] == value]
        skips = [own for own, term in reads if term == (SKIP, value)]
        pools = len(terms) == 1 and terms[0][0] == POOL
        if value == output or not (pools or len(reads) == len(skips) == 1):
            continue
        for own in skips:
            merged[own].remove((SKIP, value))
            merged[own] += terms
        if len(reads) == len(skips):
            del merged[value]
    return merged


def _legal(sums: dict[int, list[Term]], order: Sequence[int]) -> bool:
    """Return whether every sum of an order comes after what it reads."""
    return all(
        source == 0 or source in order[:place]
        for place, value in enumerate(order)
        for _, source in sums[value]
    )


def _numbered(sums: dict[int, list[Term]], order: Sequence[int]) -> tuple[tuple[Term, ...], ...]:
    """Return the sums in an order, their values numbered by it."""
    numbers = {0: 0, **{value: number for number, value in enumerate(order, 1)}}
    return tuple(tuple(sorted((n, numbers[s]) for n, s in sums[value])) for value in order)
