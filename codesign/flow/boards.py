"""A run for several boards: one search, then for each board what follows a search for it alone.

Every board has a folder inside the run's, which is a run's folder itself: `codesign emit`,
`validate` and `report` work on it. Its journal holds the trials as that board sees them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from codesign.errors import InfeasibleError
from codesign.flow.best import Best
from codesign.flow.findings import gather
from codesign.flow.folder import RunFolder
from codesign.flow.followed import WatchStanding
from codesign.flow.prepare import Several, of_networks
from codesign.flow.run import Chosen, Stages, choose, finish, learned, search
from codesign.flow.settings import resolve
from codesign.report.boards import BoardsFindings, boards_files
from codesign.report.write import report_files
from codesign.search.store import Store
from codesign.search.study import Result
from codesign.search.trial import Trial

SCHEMA = 1


def run_boards(
    several: Several,
    folder: RunFolder,
    say: Callable[[str], None],
    watch: WatchStanding,
) -> BoardsFindings:
    """Search for several boards at once, and finish the run of each.

    Trials that the folder's journal has are not made again, nor are boards that are finished.

    Raises:
        InfeasibleError: a board has no network that meets the wish; the others are finished.
        ToolError: emitted C++ is not what the reference computes, or a tool failed.
        InputError: a file cannot be written.
    """
    settings = several.settings
    stage = Stages(say)
    names = ", ".join(several.boards)
    with stage("search", f"{settings.search.trials} networks on {names}; the worst is shown"):
        result = search(several, folder, watch, say)
    chosen, missing = _choices(several, result)
    found = {}
    for name, trial in chosen.items():
        say(f"{name}: the network of trial {trial.number}")
        try:
            found[name] = _finished(several, name, folder, result, trial, stage)
        except InfeasibleError as error:  # the other boards are not to suffer for it
            missing[name] = str(error)
    findings = BoardsFindings(settings.target.share, found, missing)
    _write(folder, findings)
    if missing:
        raise InfeasibleError("; ".join(missing.values()))
    return findings


def report_boards(folder: RunFolder) -> BoardsFindings:
    """Write the reports of a finished run for several boards anew.

    Raises:
        InputError: the run is not finished, or a file is damaged.
    """
    settings = resolve(folder.read_flow(), (), str(folder.flow))
    told = folder.told(folder.boards, SCHEMA, "list of boards")
    found = {}
    for name in told["boards"]:
        own = folder.of_board(name)
        found[name] = gather(own, Best.read(own))
        own.write(report_files(found[name]))
    findings = BoardsFindings(settings.target.share, found, told["missing"])
    _write(folder, findings)
    return findings


def _choices(several: Several, result: Result) -> tuple[dict[str, Trial], dict[str, str]]:
    """Return the trial of every board, as the board sees it, and why others have none.

    Raises:
        InfeasibleError: one network was wanted for all, and none meets the wish.
    """
    settings, fleet = several.settings, several.fleet
    shared = of_networks(settings.wish)
    views = {
        name: tuple(fleet.view(trial, name, shared) for trial in result.trials)
        for name in several.boards
    }
    asked = (settings.objectives, settings.wish)
    if fleet.share == "one":
        names = ", ".join(several.boards)
        number = choose(result.trials, *asked, names, settings.formulation).number
        return {name: own[number] for name, own in views.items()}, {}
    chosen, missing = {}, {}
    for name, own in views.items():
        try:
            chosen[name] = choose(own, *asked, name, settings.formulation)
        except InfeasibleError as error:
            missing[name] = str(error)
    if not chosen:
        raise InfeasibleError("; ".join(missing.values()))
    return chosen, missing


def _finished(
    several: Several, name: str, folder: RunFolder, result: Result, trial: Trial, stage: Stages
) -> Any:
    """Return the findings of one board, whose run is finished first if it is not."""
    own, prepared = folder.of_board(name), several.boards[name]
    if own.manifest.is_file():
        return gather(own, Best.read(own))
    own.path.mkdir(exist_ok=True)
    own.write_flow(prepared.settings.data)
    with Store.read(folder.trials) as store:
        artifact = store.final_artifact(trial.number)
    own.trials.unlink(missing_ok=True)
    shared = of_networks(several.settings.wish)
    with Store.open(own.trials, prepared.study.definition()) as store:
        for one in result.trials:
            kept = artifact if one.number == trial.number else None
            store.add(several.fleet.view(one, name, shared), kept)
    mine = Stages(lambda text: stage.say(f"{name} {text}"), dict(stage.seconds))
    return finish(prepared, own, mine, Chosen(trial, learned(own, trial), result.stop))


def _write(folder: RunFolder, findings: BoardsFindings) -> None:
    told = {"schema": SCHEMA, **findings.told()}
    folder.write({**boards_files(findings), folder.boards.name: json.dumps(told, indent=1) + "\n"})
