"""What can go wrong, grouped by who must act.

A `CodesignError` is raised at the door where the fault is seen, is never caught in the
middle, and becomes one line and an exit code in `codesign.cli`. Any other exception is a bug
and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CodesignError(Exception):
    """Base of every error that a person can act on."""

    exit_code = 2


class InputError(CodesignError):
    """The user's file, key or name is wrong: "PLACE: what is wrong; what would do".

    That is one line that can be printed, whatever characters the file holds.
    """

    def __init__(self, place: str, problem: str, remedy: str = "") -> None:
        self.place = place
        self.problem = problem
        self.remedy = remedy
        super().__init__(printable(f"{place}: {problem}" + (f"; {remedy}" if remedy else "")))


class UnsupportedOperator(InputError):
    """The ONNX graph needs an operator that codesign lacks."""

    def __init__(self, model: str, node: str, operator: str, remedy: str) -> None:
        self.node = node
        self.operator = operator
        super().__init__(model, f"node '{node}': operator {operator} is not supported", remedy)


class InfeasibleError(CodesignError):
    """Nothing satisfies the wish on this board; the text says which part and how far."""

    exit_code = 1


class MemberError(CodesignError):
    """A member (board, family, template, ...) breaks its form: a bug for its author."""

    exit_code = 2


class TemplateError(MemberError):
    """The Python and the C++ of a hardware template disagree."""


class ToolError(CodesignError):
    """An external tool failed: command, exit code, log and last lines."""

    exit_code = 3


class ToolMissing(ToolError):
    """An external tool is not on this machine."""

    def __init__(self, tool: str, remedy: str) -> None:
        super().__init__(f"{tool} is not on this machine; {remedy}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the remedy for a wrong `name`: the nearest right one, or all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    return "known: " + (", ".join(names) if names else "none")


def printable(text: str) -> str:
    """Return a text with every character that cannot be printed as its escape sequence."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
