"""The form of a process: one C++ function, one row of the report.

A process is the unit that has a C++ twin, `templates/hls/processes/NAME.hpp.j2`, where NAME is
the file of its member in `codesign.hardware.processes`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from codesign.hardware.structure import Structure


class Process(ABC):
    """One streaming process; members are frozen dataclasses of shapes, types and knobs."""

    __slots__ = ()
    parameters: ClassVar[tuple[str, ...]] = ()
    """Names of the learned constants that the C++ twin prints beside the constant buffers."""

    @abstractmethod
    def structure(self) -> Structure:
        """Return what the process is made of, for integer or array knobs."""

    @property
    def kind(self) -> str:
        """Name of the member and of its C++ twin."""
        return type(self).__module__.rpartition(".")[2]
