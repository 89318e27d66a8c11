"""Event files in `tensorboard/`, for `tensorboard --logdir RUN`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tensorboardX import SummaryWriter

from codesign.errors import InputError
from codesign.search.log import Log
from codesign.search.standing import Standing
from codesign.search.trial import Objective

FOLDER = "tensorboard"


class Tensorboard(Log):
    """Writes scalars whose step is the trial's number; a resumed search begins a further file."""

    def __init__(self, folder: Path, objectives: Sequence[Objective]) -> None:
        super().__init__(folder, objectives)
        self._path = folder / FOLDER
        try:
            # the library names files by the second, and begins one of that name anew
            suffix = f".{len(list(self._path.glob('*')))}"
            self._writer = SummaryWriter(logdir=str(self._path), filename_suffix=suffix)
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, standing: Standing) -> None:
        """Add the scalars of a trial that was made now: those of the journal are there."""
        if standing.replayed:
            return
        try:
            for tag, value in _scalars(standing, self.objectives):
                self._writer.add_scalar(tag, value, standing.trial.number)
            self._writer.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _unwritable(self, error: OSError) -> InputError:
        problem = f"cannot be written ({error.strerror})"
        return InputError(str(self._path), problem, "free or permit the space")


def _scalars(standing: Standing, objectives: Sequence[Objective]) -> Iterator[tuple[str, float]]:
    """Yield what is known, by tag."""
    yield "search/seconds", standing.seconds
    yield "search/trainings", standing.trainings
    yield "search/feasible", standing.feasible
    yield "search/front", standing.front
    if standing.hypervolume is not None:
        yield "search/hypervolume", standing.hypervolume
    if standing.left_s is not None:
        yield "search/left_s", standing.left_s
    for objective in objectives:
        name = objective.name
        if name in standing.best:
            yield f"best/{name}", standing.best[name]
        if name in standing.reference:
            yield f"reference/{name}", standing.reference[name]
        if name in standing.trial.values:
            yield f"trial/{name}", standing.trial.values[name]
