"""What the report tells, gathered from a run's folder."""

from __future__ import annotations

from typing import Any

from codesign.cost.estimate import estimate
from codesign.cost.pipeline import Timing
from codesign.flow.best import Best
from codesign.flow.folder import RunFolder
from codesign.report.findings import Findings, FitSummary, Validation
from codesign.search.store import Store


def gather(folder: RunFolder, best: Best, timing: Timing | None = None) -> Findings:
    """Return the findings of a finished run.

    Args:
        folder: where it lies.
        best: its network and design.
        timing: the design's run of several images; made again where it is not at hand.

    Raises:
        InputError: a file of the run is missing or damaged.
    """
    manifest = folder.read_manifest()
    timing = timing or best.run(folder)
    with Store.read(folder.trials) as store:
        trials = tuple(store.trials())
    sizes = manifest["dataset"]["splits"]
    return Findings(
        title=f"{best.network.graph.name} on {best.design.board.name}",
        design=best.design,
        estimate=estimate(best.design, timing),
        fit=FitSummary(**manifest["fit"]),
        timing=timing,
        accuracies=manifest["accuracy"],
        images={name: split["images"] for name, split in sizes.items()},
        objectives=best.settings.objectives,
        wish=best.settings.wish,
        trials=trials,
        chosen=manifest["chosen"],
        validation=_validation(manifest["validation"]),
        stages=manifest["seconds"],
        versions=manifest["versions"],
        seed=best.settings.seed,
        digests={
            "network": manifest["network_digest"],
            "project": manifest["validation"]["project_digest"],
        },
    )


def _validation(measured: dict[str, Any]) -> Validation:
    """Return what the report keeps of a stored measurement."""
    return Validation(
        tool=measured["tool"],
        version=measured["version"],
        passed=measured["passed"],
        images=measured["images"],
        layers=len(measured["layers"]),
        digest=measured["project_digest"],
        message=measured["message"],
    )
