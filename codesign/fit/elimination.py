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

    Entries come as one vector: the tables one after the other, each in C order. Prices change
    many times, shapes never: every array that is needed on the way is made once.
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
        self._strides = np.zeros((len(scopes), len(domains)), np.intp)
        """How far apart the values of a variable stand in each table."""
        for row, scope, shape in zip(self._strides, scopes, self.shapes, strict=True):
            row[list(scope)] = _strides(shape)
        self._entries = np.empty(int(self.offsets[-1]))
        self._tables: list[Values] = [
            self._entries[start:stop].reshape(shape)
            for start, stop, shape in zip(
                self.offsets[:-1], self.offsets[1:], self.shapes, strict=True
            )
        ]
        """All tables, those of the buckets behind the given ones."""
        self._parts: list[tuple[Values, ...]] = []
        """What is summed in every bucket, as views of tables that broadcast."""
        self._joints: list[Values] = []
        """The buckets' sums; of a single table it is that one."""
        for bucket in self.buckets:
            parts = tuple(
                _spread(self._tables[table].transpose(order), spread)
                for table, order, spread in bucket.members
            )
            self._parts.append(parts)
            self._joints.append(parts[0] if len(parts) == 1 else np.empty(bucket.shape))
            self._tables.append(np.empty(bucket.shape[:-1]))

    def cheapest(self, entries: Values) -> tuple[float, NDArray[np.intp] | None]:
        """Return the least sum, and the entry (a place in the vector) of every table in it.

        None stands for the entries if every sum is infinite.
        """
        self._collect(entries)
        total = float(self._roots().sum())
        if not np.isfinite(total):
            return total, None
        chosen = [0] * self._strides.shape[1]
        for bucket, joint in zip(reversed(self.buckets), reversed(self._joints), strict=True):
            row = joint[tuple([chosen[v] for v in bucket.axes[:-1]])]
            chosen[bucket.variable] = int(row.argmin())
        return total, self.offsets[:-1] + self._strides @ np.array(chosen, np.intp)

    def least(self, entries: Values) -> Values:
        """Return for every entry the least sum of all that contain it."""
        self._collect(entries)
        tables, joints, roots = self._tables, self._joints, self._roots()
        given = len(self.shapes)
        beliefs: list[Values] = list(joints)
        result = np.full(len(entries), np.inf)
        if not np.isfinite(roots.sum()):
            return result
        others = float(roots.sum()) - roots
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

    def _collect(self, entries: Values) -> None:
        """Sum up and minimise, bucket by bucket."""
        self._entries[:] = entries
        results = self._tables[len(self.shapes) :]
        for parts, joint, result in zip(self._parts, self._joints, results, strict=True):
            if len(parts) > 1:
                np.add(parts[0], parts[1], out=joint)
                for part in parts[2:]:
                    np.add(joint, part, out=joint)
            np.minimum.reduce(joint, axis=-1, out=result)

    def _roots(self) -> Values:
        """Return the least of every bucket that no other one takes up, 0 for the others."""
        results = self._tables[len(self.shapes) :]
        return np.array([float(least) if least.ndim == 0 else 0.0 for least in results])


def _spread(table: Values, shape: tuple[int, ...]) -> Values:
    """Return a view with the axes of extent 1 that a table lacks."""
    extents = list(table.shape)
    index: list[slice | None] = []
    for extent in shape:
        own = bool(extents) and extents[0] == extent
        index.append(slice(None) if own else None)
        del extents[: int(own)]
    return table[tuple(index)]


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
