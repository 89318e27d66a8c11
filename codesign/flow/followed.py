"""A search that is followed: each trial goes to the logs, then to whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from codesign.errors import InputError
from codesign.flow.sections import Search
from codesign.load import member
from codesign.search.log import Log
from codesign.search.standing import Following, Standing, given_reference
from codesign.search.study import Budget, Progress, Study, Watch

WatchStanding = Callable[[Standing], None]


def log_classes(text: str) -> tuple[type[Log], ...]:
    """Return the logs that a flow names, separated by commas; "none" stands for none.

    Raises:
        InputError: there is no such log, or one is named twice.
        ToolMissing: one needs a package that is not installed.
    """
    names = [] if text.strip() == "none" else [part.strip() for part in text.split(",")]
    if len(set(names)) != len(names):
        raise InputError("search.log", f"names one twice: '{text}'")
    return tuple(member("search.logs", Log, name, "search.log") for name in names)


def check_followed(section: Search, study: Study) -> None:
    """Refuse, before anything is written, what could not be followed.

    Raises:
        InputError: a log or an objective does not exist.
        ToolMissing: a log needs a package that is not installed.
    """
    log_classes(section.log)
    given_reference(section.reference, study.objectives)


@contextmanager
def followed(
    section: Search, study: Study, budget: Budget, folder: Path, watch: WatchStanding
) -> Iterator[Watch]:
    """Give what a study calls after each trial; the logs in `folder` are open meanwhile.

    Raises:
        InputError: a log cannot be written.
    """
    follow = Following(
        budget, study.space.distinct, study.objectives, study.constraints, section.reference
    )
    with ExitStack() as stack:
        classes = log_classes(section.log)
        logs = [stack.enter_context(cls(folder, study.objectives)) for cls in classes]

        def tell(progress: Progress) -> None:
            standing = follow(progress)
            for log in logs:
                log.write(standing)
            watch(standing)

        yield tell
