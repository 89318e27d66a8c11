"""A run of one board or of several: begun, told again, and printed alike."""

from __future__ import annotations

from collections.abc import Callable

from codesign.flow.again import report_again
from codesign.flow.boards import report_boards, run_boards
from codesign.flow.folder import RunFolder
from codesign.flow.followed import WatchStanding
from codesign.flow.prepare import Prepared, Several
from codesign.flow.run import run
from codesign.report.boards import BoardsFindings, boards_summary
from codesign.report.findings import Findings
from codesign.report.summary import summary

Found = Findings | BoardsFindings


def run_any(
    prepared: Prepared | Several,
    folder: RunFolder,
    say: Callable[[str], None],
    watch: WatchStanding,
) -> Found:
    """Run every stage from search to report, for one board or for several.

    Raises:
        InfeasibleError: no candidate meets the wish.
        ToolError: the emitted C++ is not what the reference computes, or a tool failed.
        InputError: a file cannot be written.
    """
    if isinstance(prepared, Several):
        return run_boards(prepared, folder, say, watch)
    return run(prepared, folder, say, watch)


def report_any(folder: RunFolder) -> Found:
    """Write the report files of a finished run anew.

    Raises:
        InputError: the run is not finished, or a file is damaged.
    """
    return report_boards(folder) if folder.boards.is_file() else report_again(folder)


def result_text(found: Found, folder: RunFolder, as_json: bool) -> str:
    """Return what a run found, as its last lines on the screen or as JSON."""
    if as_json:
        several = isinstance(found, BoardsFindings)
        file = folder.boards if several else folder.path / "resource_fit.json"
        return file.read_text().removesuffix("\n")
    if isinstance(found, BoardsFindings):
        return boards_summary(found, folder.path)
    return summary(found, folder.path)
