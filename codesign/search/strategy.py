"""The form of a search strategy: ask for points, be told what they are worth.

Members live in `codesign.search.strategies`, one file each. A strategy sees a `Space` and
`Trial`s, never a network or a board.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from codesign.errors import InputError, nearest
from codesign.search.trial import Objective, Trial
from codesign.space import Space, Value


class Strategy(ABC):
    """Where to look next.

    The same space, objectives, seed, options and answers give the same points, on every
    machine: a search is resumed by asking again from the start. A strategy therefore draws
    from its own generator, seeded once, and reads neither clock nor environment.

    Attributes:
        defaults: the options of this strategy and their values where the user gives none.
    """

    defaults: ClassVar[Mapping[str, Value]] = {}

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        options: Mapping[str, Value],
    ) -> None:
        """Start a search.

        Raises:
            InputError: an option is unknown, or of another type than its default.
        """
        self.space = space
        self.objectives = tuple(objectives)
        self.seed = seed
        self.options = {**self.defaults, **options}
        for name, value in options.items():
            self._check_option(name, value)

    @classmethod
    def name(cls) -> str:
        """The name in the file tree, which is the name in a flow."""
        return cls.__module__.rpartition(".")[2]

    @abstractmethod
    def ask(self, count: int) -> list[dict[str, Value]]:
        """Return the next `count` points of the space; they may repeat earlier ones."""

    @abstractmethod
    def tell(self, trials: Sequence[Trial]) -> None:
        """Take the answers to the points of the last `ask`, all of them, in their order.

        A repeated point is answered again. An infeasible trial may lack objectives.
        """

    def _check_option(self, name: str, value: Value) -> None:
        place = f"strategy {self.name()}"
        if name not in self.defaults:
            raise InputError(place, f"has no option '{name}'", nearest(name, self.defaults))
        wanted = type(self.defaults[name])
        if type(value) is not wanted:
            problem = f"option {name} must be of type {wanted.__name__}, got {value!r}"
            raise InputError(place, problem, f"its default is {self.defaults[name]!r}")
