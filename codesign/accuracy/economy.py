"""When to end a training early, and what to begin it with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from codesign.accuracy.sieve import Row, Sieve, row_of
from codesign.network.network import FloatParameters

Halt = Callable[[int, float], bool]
"""Given the epochs trained so far and the accuracy on validation images, says whether to stop."""


@dataclass(frozen=True, slots=True, eq=False)
class Economy:
    """How one training is to be cheaper than a full one."""

    halt: Halt | None = None
    """Asked after every epoch in real numbers but the last."""
    inherited: Mapping[str, FloatParameters] = field(default_factory=dict)
    """Weights to begin with, by node, where their shape is the node's."""


@dataclass(slots=True)
class Monitor:
    """Follows the accuracy of one training, and says when it is enough.

    The accuracy is that of the real numbers in training: it decides how long a network is
    trained, never what it is worth.
    """

    patience: int = 0
    """Epochs without a better accuracy after which to stop; 0: never for that."""
    least_gain: float = 0.0
    """Share of the images below which a better accuracy is none."""
    rungs: Mapping[int, Sieve] = field(default_factory=dict)
    """By number of epochs: what to compare with, to go on."""
    costs: Row = ()
    """Of the network, as in the rungs' rows."""
    curve: dict[int, float] = field(default_factory=dict)
    """Accuracy by epoch, so far."""
    halted: bool = False
    """Whether it said so."""

    def __call__(self, epoch: int, share: float) -> bool:
        """Remember an accuracy and say whether to stop."""
        self.curve[epoch] = share
        rung = self.rungs.get(epoch)
        behind = rung is not None and rung.excess(row_of(self.costs, share)) > 0
        self.halted = behind or (bool(self.patience) and self._flat())
        return self.halted

    def _flat(self) -> bool:
        best, since = -1.0, 0
        for share in self.curve.values():
            gained = share > best + self.least_gain
            best, since = (share, 0) if gained else (best, since + 1)
        return since >= self.patience
