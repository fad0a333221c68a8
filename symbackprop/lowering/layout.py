"""Layouts: one order of axis roles for a whole program, by which every array sorts.

Batch first is what users hand in and get back. Batch last keeps the samples of one unit
side by side, so that elementwise work runs over long contiguous rows and a bias can ride
along as one more row of its weights: the faster one for narrow layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symbackprop.equations import Role, Variable
from symbackprop.lowering.values import Labelled, Value

_BATCH_FIRST = (
    Role.BATCH,
    Role.TIME,
    Role.SPACE,
    Role.KERNEL,
    Role.FEATURE,
    Role.CHANNEL,
    Role.PHASE,
)
_BATCH_LAST = (
    Role.TIME,
    Role.FEATURE,
    Role.CHANNEL,
    Role.KERNEL,
    Role.PHASE,
    Role.SPACE,
    Role.BATCH,
)


@dataclass(frozen=True)
class Layout:
    """How the axes of every value are ordered in memory.

    Attributes:
        batch_last: samples innermost.
        declared: for values that are some variable's, the declared position of each axis;
            axes of one role keep their declared order.
        given: numbers of values that users hand in or get back, in declared order always.
    """

    batch_last: bool = False
    declared: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    given: frozenset[int] = frozenset()

    def order(self, value: Value) -> tuple[int, ...]:
        """Return the value's axes in the order in which they lie in memory."""
        positions = self.declared.get(value.number, tuple(range(value.rank)))
        roles = _BATCH_LAST if self.batch_last else _BATCH_FIRST
        has_batch = any(axis.role is Role.BATCH for axis in value.axes)
        if value.number in self.given or not has_batch:
            return tuple(sorted(range(value.rank), key=lambda axis: positions[axis]))
        return tuple(
            sorted(
                range(value.rank),
                key=lambda axis: (roles.index(value.axes[axis].role), positions[axis]),
            )
        )


def declare(values: Mapping[Variable, Labelled]) -> dict[int, tuple[int, ...]]:
    """Return, for the value of each variable, the declared position of each of its axes."""
    found: dict[int, tuple[int, ...]] = {}
    for labelled in values.values():
        if all(isinstance(label, int) for label in labelled.labels):
            found.setdefault(
                labelled.value.number, tuple(int(str(label)) for label in labelled.labels)
            )
    return found
