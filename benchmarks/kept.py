"""What benchmarks have measured already, so that an interrupted one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parents[1] / "runs"


@dataclass(frozen=True, slots=True)
class Kept:
    """Measurements in a file, one JSON object a line; several processes may append to it."""

    path: Path

    def __call__(self, what: object, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what is known of `what` (JSON values that decide it), else measure and keep it."""
        key = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]
        known = self._read().get(key)
        if known is not None:
            return known
        found = measure()
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({"key": key, **found}) + "\n")
        return found

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self.path.exists():
            return {}
        rows = [json.loads(line) for line in self.path.read_text().splitlines()]
        return {row["key"]: row for row in rows}


def kept(name: str) -> Kept:
    """Return what a benchmark of some name keeps."""
    return Kept(FOLDER / f"benchmark_{name}.jsonl")


def sources(member: type) -> str:
    """Return a digest of a member's file, and of the files beside its folder that it takes from."""
    own = sys.modules[member.__module__]
    room = own.__name__.split(".")[:2]
    used = {own.__name__}
    for part in vars(own).values():
        name = part.__name__ if isinstance(part, ModuleType) else getattr(part, "__module__", "")
        if str(name).split(".")[:2] == room:
            used.add(str(name))
    texts = [Path(str(sys.modules[name].__file__)).read_bytes() for name in sorted(used)]
    return hashlib.sha256(b"".join(texts)).hexdigest()
