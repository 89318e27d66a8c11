"""The least sum of small tables, exactly, by eliminating one variable at a time.

Without budgets, what a layer costs depends on its own option, and what joins two layers on the
stream widths at both ends. So the widths are the variables of a sum of small tables, which is
minimised exactly by min-plus variable elimination; networks are nearly chains, so no table grows.
The order of elimination depends on nothing but the tables' shapes: it is found once, and used
for any number of prices.

Source: Dechter, "Bucket elimination", Artificial Intelligence 1999; the second pass, which gives
the least sum of every entry, is that of Kask et al., "Unifying tree decompositions for
reasoning in graphical models", Artificial Intelligence 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

Scope = tuple[int, ...]
"""The variables of a table, one axis each."""
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Bucket:
    """One step: the tables that are summed, and what their sum depends on."""

    variable: int
    axes: Scope
    """Every variable of the sum, the one that is eliminated last."""
    shape: tuple[int, ...]
    members: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]
    """Tables by number, with the order of their axes and the shape in which they are added.

    Numbers beyond the given tables are the results of earlier buckets, in order.
    """


class Elimination:
    """Tables of fixed shapes, ready to be minimised for any entries.

    Entries come as one vector: the tables one after the other, each in C order.
    """

    def __init__(self, domains: Sequence[int], scopes: Sequence[Scope]) -> None:
        """Find a good order.

        Args:
            domains: how many values each variable has.
            scopes: the variables of each table.
        """
        self.shapes = [tuple(domains[v] for v in scope) for scope in scopes]
        self.offsets = np.concatenate([[0], np.cumsum([prod(s) for s in self.shapes])]).astype(int)
        self.buckets = _buckets(domains, scopes)
        self._places = [
            (int(offset), tuple(zip(scope, _strides(shape), strict=True)))
            for offset, scope, shape in zip(self.offsets, scopes, self.shapes, strict=False)
        ]
        """Where each table begins, and how far apart the values of its variables stand."""

    def cheapest(self, entries: Values) -> tuple[float, NDArray[np.intp] | None]:
        """Return the least sum, and the entry (a place in the vector) of every table in it.

        None stands for the entries if every sum is infinite.
        """
        _, joints = self._collect(entries)
        total = self._total(joints)
        if not np.isfinite(total):
            return total, None
        chosen: dict[int, int] = {}
        for bucket, joint in zip(reversed(self.buckets), reversed(joints), strict=True):
            row = joint[tuple(chosen[v] for v in bucket.axes[:-1])]
            chosen[bucket.variable] = int(row.argmin())
        places = [
            offset + sum(chosen[v] * stride for v, stride in steps)
            for offset, steps in self._places
        ]
        return total, np.array(places, np.intp)

    def least(self, entries: Values) -> Values:
        """Return for every entry the least sum of all that contain it."""
        tables, joints = self._collect(entries)
        given = len(self.shapes)
        beliefs: list[Values] = list(joints)
        result = np.full(len(entries), np.inf)
        if not np.isfinite(self._total(joints)):
            return result
        others = self._total(joints) - self._roots(joints)
        for number in reversed(range(len(self.buckets))):
            bucket, belief = self.buckets[number], beliefs[number]
            if len(bucket.axes) == 1:
                belief = belief + others[number]
            for table, order, spread in bucket.members:
                lost = tuple(a for a, extent in enumerate(spread) if extent == 1)
                seen = belief.min(axis=lost, keepdims=True) if lost else belief
                least = seen.reshape([tables[table].shape[a] for a in order])
                least = least.transpose(np.argsort(order))
                if table < given:
                    result[self.offsets[table] : self.offsets[table + 1]] = least.ravel()
                else:
                    child = table - given
                    with np.errstate(invalid="ignore"):
                        rest = least - tables[table]
                    rest = np.where(np.isnan(rest), np.inf, rest)
                    beliefs[child] = joints[child] + rest[..., None]
            beliefs[number] = belief
        return result

    def _collect(self, entries: Values) -> tuple[list[Values], list[Values]]:
        """Return all tables, those of the buckets behind the given ones, and the buckets' sums."""
        tables: list[Values] = [
            entries[start:stop].reshape(shape)
            for start, stop, shape in zip(
                self.offsets[:-1], self.offsets[1:], self.shapes, strict=True
            )
        ]
        joints: list[Values] = []
        for bucket in self.buckets:
            joint: Values | None = None
            for table, order, spread in bucket.members:
                part = tables[table]
                part = (part.transpose(order) if len(order) > 1 else part).reshape(spread)
                joint = part if joint is None else joint + part
            assert joint is not None
            joints.append(joint)
            tables.append(np.minimum.reduce(joint, axis=-1))
        return tables, joints

    def _roots(self, joints: Sequence[Values]) -> Values:
        """Return the least of every bucket that no other one takes up, 0 for the others."""
        return np.array(
            [
                joint.min() if len(bucket.axes) == 1 else 0.0
                for bucket, joint in zip(self.buckets, joints, strict=True)
            ]
        )

    def _total(self, joints: Sequence[Values]) -> float:
        return float(self._roots(joints).sum())


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return how far apart neighbours along each axis stand, in C order."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _buckets(domains: Sequence[int], scopes: Sequence[Scope]) -> list[_Bucket]:
    """Eliminate the variable whose table is smallest, again and again."""
    scopes = list(scopes)
    alive = set(range(len(scopes)))
    users: dict[int, set[int]] = {v: set() for v in range(len(domains))}
    for number, scope in enumerate(scopes):
        for variable in scope:
            users[variable].add(number)
    sizes = {v: _joint_size(v, users, scopes, domains) for v in users if users[v]}
    buckets = []
    while sizes:
        variable = min(sizes, key=lambda v: (sizes[v], v))
        members = sorted(users[variable] & alive)
        others = sorted({v for m in members for v in scopes[m]} - {variable})
        axes = (*others, variable)
        buckets.append(_bucket(variable, axes, members, scopes, domains))
        alive -= set(members)
        alive.add(len(scopes))
        for other in others:
            users[other] = (users[other] & alive) | {len(scopes)}
        scopes.append(tuple(others))
        del sizes[variable]
        for other in others:
            sizes[other] = _joint_size(other, users, scopes, domains)
    return buckets


def _bucket(
    variable: int,
    axes: Scope,
    members: Sequence[int],
    scopes: Sequence[Scope],
    domains: Sequence[int],
) -> _Bucket:
    """Return a step with its tables' axes in the order of `axes`, ready to broadcast."""
    spread = []
    for member in members:
        scope = scopes[member]
        order = tuple(sorted(range(len(scope)), key=lambda i: axes.index(scope[i])))
        shape = tuple(domains[v] if v in scope else 1 for v in axes)
        spread.append((member, order, shape))
    return _Bucket(variable, axes, tuple(domains[v] for v in axes), tuple(spread))


def _joint_size(
    variable: int,
    users: dict[int, set[int]],
    scopes: Sequence[Scope],
    domains: Sequence[int],
) -> int:
    """Return the entries of the table that eliminating a variable makes."""
    joined = {v for number in users[variable] for v in scopes[number]}
    return prod(domains[v] for v in joined)
