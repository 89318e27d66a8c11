"""How long it takes to fill the memories that have no initial content: once, before all images."""

from __future__ import annotations

from codesign.design import Design


def loading_cycles(design: Design) -> int:
    """Return the cycles until the last weight in URAM is in its place, if none is waited for.

    `receive` deals out one memory after the other, an element a cycle; what fills a memory keeps
    up. 0 where no memory is filled.
    """
    dealt = [load.loop for load in design.instances[0].structure.loads]
    if not dealt:
        return 0
    passed = sum(int(loop.trips) - 1 for loop in dealt) + sum(int(loop.gap) for loop in dealt[1:])
    (*_, last) = design.loads
    reader = next(i for i in design.instances if i.name == last.sink)
    (filled,) = (load.loop for load in reader.structure.loads)
    return passed + int(dealt[-1].stages) + int(filled.stages)
