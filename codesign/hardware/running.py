"""Results so far, of every channel, where a patch comes part by part."""

from __future__ import annotations

from codesign.hardware.structure import Buffer, Count, Role


def running(words: Count, lanes: Count, bits: int, parts: int) -> Buffer:
    """Return the memory of a process whose patches come in `parts`; there is none for one."""
    return Buffer("running", words, lanes, bits, True, Role.MEMORY, when=int(parts > 1))
