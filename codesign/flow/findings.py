"""What the report tells, gathered from a run's folder."""

from __future__ import annotations

from codesign.cost.estimate import estimate
from codesign.cost.timing import Timing
from codesign.emit.project import digest, read
from codesign.flow.best import Best
from codesign.flow.folder import RunFolder
from codesign.flow.manifest import Manifest
from codesign.report.findings import Findings, FitSummary, Validation
from codesign.search.store import Store
from codesign.validate.measurement import Measurement


def gather(folder: RunFolder, best: Best, timing: Timing | None = None) -> Findings:
    """Return the findings of a finished run.

    Args:
        folder: where it lies.
        best: its network and design.
        timing: the design's run of several images; made again where it is not at hand.

    Raises:
        InputError: a file of the run is missing or damaged.
    """
    manifest = Manifest.read(folder)
    timing = timing or best.run(folder)
    with Store.read(folder.trials) as store:
        trials = tuple(store.final())
    sizes = manifest.dataset["splits"]
    project_digest = digest(read(folder.project))
    measured, designs = manifest.validation, manifest.design_digests
    proven = measured.project_digest == project_digest and designs["emitted"] == best.digest()
    return Findings(
        title=f"{best.network.graph.name} on {best.design.board.name}",
        design=best.design,
        estimate=estimate(best.design, timing, best.network),
        fit=_fit(manifest.fit, best, edited=designs["fitted"] != best.digest()),
        timing=timing,
        accuracies=manifest.accuracy,
        images={name: split["images"] for name, split in sizes.items()},
        objectives=best.settings.objectives,
        wish=best.settings.wish,
        trials=trials,
        chosen=manifest.chosen,
        validation=_validation(measured) if proven else None,
        stages=manifest.seconds,
        versions=manifest.versions,
        seed=best.settings.seed,
        digests={
            "network": manifest.network_digest,
            "project": project_digest,
        },
    )


def _fit(found: FitSummary, best: Best, edited: bool) -> FitSummary:
    """Return how good the fit found the design, unless a person has edited it since."""
    if not edited:
        return found
    price = estimate(best.design, network=best.network)
    slowest = max(layer.cycles for layer in price.layers)
    excess = {v.resource: v.needed - v.allowed for v in price.violations}
    advice = f"the design was edited; the best one takes {found.interval} cycles between images"
    return FitSummary(slowest, found.bound, advice, excess)


def _validation(measured: Measurement) -> Validation:
    """Return what the report keeps of a stored measurement."""
    return Validation(
        tool=measured.tool,
        version=measured.version,
        passed=measured.passed,
        images=measured.images,
        layers=len(measured.layers),
        digest=measured.project_digest,
        message=measured.message,
    )
