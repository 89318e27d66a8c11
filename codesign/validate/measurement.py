"""What a tool reported of a project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """One tool's verdict on one project."""

    tool: str
    version: str
    project_digest: str
    passed: bool
    message: str
    """The verdict in one line; for a difference: layer, image, element, expected, got."""
    images: int
    """Images that the whole accelerator computed as the reference does."""
    layers: tuple[str, ...]
    """Layers that were compared alone and are equal."""
    seconds: float
    log: str
    """Where the tool's own output lies."""
