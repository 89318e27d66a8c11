"""What a finished run says of itself: versions, seed, choices, digests and the proof."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from codesign.flow.folder import RunFolder
from codesign.load import build
from codesign.report.findings import FitSummary
from codesign.validate.measurement import Measurement

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """`manifest.json`; written last, so a run that has one is finished."""

    versions: Mapping[str, str]
    seed: int
    dataset: Mapping[str, Any]
    """What identifies the data: sizes, the split's seed, digests."""
    chosen: int
    """Number of the trial whose network was chosen."""
    stop: str
    """Why the search ended."""
    accuracy: Mapping[str, float]
    """Per split, by the integer reference."""
    fit: FitSummary
    design_digests: Mapping[str, str]
    """Of the design that `fit` found, and of the one that was emitted last."""
    network_digest: str
    validation: Measurement
    seconds: Mapping[str, float]
    """Wall time of every stage [s]."""
    schema: int = SCHEMA

    def write(self, folder: RunFolder) -> None:
        """Write the manifest of a run.

        Raises:
            InputError: it cannot be written.
        """
        folder.write({folder.manifest.name: json.dumps(asdict(self), indent=1) + "\n"})

    @staticmethod
    def read(folder: RunFolder) -> Manifest:
        """Return the manifest of a run.

        Raises:
            InputError: it is missing, damaged or of another schema.
        """
        path = folder.manifest
        return build(Manifest, folder.told(path, SCHEMA, "manifest"), str(path))
