"""What each input is taken for: its kind, its extents, its range; and extents that are one.

Extents start as unequal primes. Where a run fails because two of them differ, they are one, and the
run is tried again: the program itself says which are.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from symbackprop.auditing.code.dag import MOST_NODES

PRIMES = (
    (3, 5, 7, 11, 13, 17, 19, 23, 29, 31),
    (5, 3, 2, 7, 11, 13, 17, 19, 23, 29),
    (2, 7, 3, 5, 13, 11, 17, 19, 23, 29),
    (2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
)
# Where there are many extents, as of images, smaller ones keep the work small.
FEW = 4
COMPACT = (
    (3, 2, 5, 7, 4, 11, 6, 8, 9, 10, 13, 12, 14, 15),
    (2, 3, 7, 5, 4, 8, 6, 11, 9, 10, 13, 12, 14, 15),
    (4, 5, 2, 3, 6, 7, 8, 9, 11, 10, 12, 13, 14, 15),
    (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
)
# Extents that a file sets above this one are made smaller.
LARGEST = 8
# The set of the smallest extents, for diagnoses alone.
SMALLEST = 3
# Strides at the sets of sizes: windows of any size overlap at 1, and at 2 a stride is seen.
STEPS = (2, 1, 2, 1)
KINDS = (
    "array",
    "real",
    "int",
    "label",
    "onehot",
    "sparse",
    "bool",
    "function",
    "shape",
    "records",
    "options",
    "step",
    "generator",
    "optimizer",
    "parts",
    "fixed",
    "default",
    "site",
)


@dataclass(frozen=True)
class Spec:
    """What one input is taken for.

    Attributes:
        kind: One of `KINDS`.
        rank: How many axes it has; its extents are named ``name.0`` …
        low: Least value of its elements.
        high: Largest value.
        value: Its value, where it is fixed.
        tried: Other kinds and ranks that were tried before.
        shown: Whether a call of the file shows its rank.
    """

    kind: str = "array"
    rank: int = 2
    low: float = -2.5
    high: float = 2.5
    value: Any = None
    tried: frozenset[str] = frozenset()
    shown: bool = False

    def become(self, **changes: Any) -> Spec:
        """Return the same input taken for something else."""
        mark = f"{self.kind} {self.rank}"
        return replace(self, **{"tried": self.tried | {mark}, "shown": False, **changes})


@dataclass
class Sizes:
    """Extents by name, which of them are one, and their values in this set."""

    which: int = 0
    parents: dict[str, str] = field(default_factory=dict)
    pinned: dict[str, int] = field(default_factory=dict)
    small: set[str] = field(default_factory=set)
    large: set[str] = field(default_factory=set)
    # Extents that strides divide, or all but one: what they leave when halved.
    parities: dict[str, int] = field(default_factory=dict)
    # Whether something goes in steps: windows are then wider than one.
    stepped: bool = False
    order: list[str] = field(default_factory=list)
    # Extents that a user set.
    named: frozenset[str] = frozenset()

    def copy(self, which: int | None = None) -> Sizes:
        """Return the same with sets of its own; for other primes pins that were computed go."""
        kept = (
            self.pinned
            if which in (None, self.which)
            else {n: v for n, v in self.pinned.items() if v == 1 or n in self.named}
        )
        return Sizes(
            self.which if which is None else which,
            dict(self.parents),
            dict(kept),
            set(self.small),
            set(self.large),
            dict(self.parities),
            self.stepped,
            list(self.order),
            self.named,
        )

    def root(self, name: str) -> str:
        """Return the name that stands for an extent and all that are one with it."""
        if name not in self.parents:
            self.parents[name] = name
            self.order.append(name)
        while self.parents[name] != name:
            name = self.parents[name]
        return name

    def value(self, name: str) -> int:
        """Return an extent."""
        root = self.root(name)
        return self.pinned[root] if root in self.pinned else self._values()[root]

    def are_few(self) -> bool:
        """Return whether there are so few extents that all may be primes."""
        return len(self._free()) <= FEW

    def _free(self) -> list[str]:
        return [n for n in self.order if self.parents[n] == n and n not in self.pinned]

    def _values(self) -> dict[str, int]:
        roots = self._free()
        table = (PRIMES if self.are_few() else COMPACT)[self.which]
        taken = [*self.pinned.values(), STEPS[self.which] if self.stepped else 0]
        primes = [p for p in table if p not in taken]
        halved = self._halved(roots)
        roots = [n for n in roots if n not in halved]
        primes = [p for p in primes if p not in halved.values()]
        small = [n for n in roots if n in self.small]
        large = [n for n in roots if n in self.large and n not in self.small]
        rest = [n for n in roots if n not in self.small and n not in self.large]
        lowest = sorted(primes)[: len(small)]
        values = {**halved, **dict(zip(small, lowest, strict=False))}
        middle = [p for p in primes if p not in lowest]
        ordered = middle[: len(rest) + len(large)]
        if large:
            tall = sorted(ordered)[len(ordered) - len(large) :]
            values.update(zip(large, tall, strict=False))
            ordered = [p for p in ordered if p not in tall]
        values.update(zip(rest, ordered, strict=False))
        missing = [n for n in roots if n not in values]
        values.update({n: 16 + i for i, n in enumerate(missing)})
        return values

    def _halved(self, roots: list[str]) -> dict[str, int]:
        """Extents of a given parity: large ones, as images have, others in each set."""
        found: dict[str, int] = {}
        for name in roots:
            if name in self.parities:
                known = {*found.values(), *self.pinned.values()}
                fits = itertools.count(6 + 2 * (self.which % 2) - self.parities[name], 2)
                found[name] = next(v for v in fits if v not in known)
        return found

    def ones(self) -> int:
        """Return how many extents are held at 1."""
        return sum(value == 1 for value in self.pinned.values())

    def unify(self, left: int, right: int) -> bool:
        """Make the extents of two values one; where one is none of ours, the other takes its value.

        Returns:
            Whether anything changed.
        """
        names = {self.value(n): self.root(n) for n in reversed(self.order)}
        free = {value: n for value, n in names.items() if n not in self.pinned}
        if left in free and right in free and left != right:
            return self._join(free[left], free[right])
        pair = self._factors(left, right) or self._offsets(left, right)
        if pair is not None:
            return self._join(*pair)
        if left not in free and right not in free and self._part(left, right):
            return True
        if left in free and right >= 1:
            self.pinned[free[left]] = right
            return True
        if right in free and left >= 1:
            self.pinned[free[right]] = left
            return True
        return False

    def windows(self, left: tuple[int, ...], right: tuple[int, ...]) -> bool:
        """Make the axes of two arrays one whose windows differ: (7 − 1, 4 − 1), (6 − 1, 8 − 1)."""
        if len(left) != len(right) or len(left) < 2:
            return False
        arrays: dict[str, dict[int, int]] = {}
        for name in self.order:
            base, _, axis = name.rpartition(".")
            if axis.isdigit() and self.root(name) not in self.pinned:
                arrays.setdefault(base, {})[int(axis)] = self.value(name)
        for one, first in arrays.items():
            for other, second in arrays.items():
                if one == other or len(first) != len(second):
                    continue
                axes = sorted(first)[-len(left) :]
                apart = [first[a] - v for a, v in zip(axes, left, strict=False)]
                same = [second.get(a, 0) - v for a, v in zip(axes, right, strict=False)]
                if apart == same and len(apart) == len(left) and min(apart) >= 0 and max(apart):
                    for number in axes:
                        roots = self.root(f"{one}.{number}"), self.root(f"{other}.{number}")
                        if roots[0] != roots[1]:
                            self._join(*roots)
                    return True
        return False

    def shaped(self, name: str, extents: tuple[int, ...]) -> bool:
        """Give an array these extents, those of others where they have them; say if it may be."""
        own = [n for n in self.order if n.rpartition(".")[0] == name]
        if any(self.parents[n] in own for n in self.order if n not in own):
            return False
        for axis in own:
            self.parents.pop(axis)
            self.pinned.pop(axis, None)
            self.order.remove(axis)
        roots = {value: root for root, value in reversed(self._roots().items())}
        for number, extent in enumerate(extents):
            root = self.root(f"{name}.{number}")
            if extent == 1:
                self.pinned[root] = 1
            elif extent in roots:
                self._join(root, roots[extent])
            else:
                return False
        return True

    def _join(self, one: str, other: str) -> bool:
        first, second = sorted((one, other), key=self.order.index)
        self.parents[second] = first
        for group in (self.small, self.large):
            if second in group:
                group.add(first)
        if second in self.parities:
            self.parities.setdefault(first, self.parities[second])
        return True

    def _roots(self) -> dict[str, int]:
        return {
            n: self.value(n) for n in self.order if self.parents[n] == n and n not in self.pinned
        }

    def _factors(self, left: int, right: int) -> tuple[str, str] | None:
        """Two extents that products of them differ by: 6·7·8 against 2·7·8."""
        roots = self._roots()
        for one, a in roots.items():
            for other, b in roots.items():
                if a != b and left > a and right > b and left * b == right * a and not left % a:
                    return one, other
        return None

    def _part(self, left: int, right: int) -> bool:
        """Change what is joined to a known extent: 11 + 5 that has to be 15."""
        known = {value for value in self.pinned.values() if value > 1}
        for total, wanted in ((right, left), (left, right)):
            for root, own in self._roots().items():
                part = wanted - (total - own)
                if total - own in known and part >= 1 and part != own:
                    others = [n for n, value in self._roots().items() if value == part]
                    if others:
                        return self._join(root, others[0])
                    self.pinned[root] = part
                    return True
        return False

    def _offsets(self, left: int, right: int) -> tuple[str, str] | None:
        """Two extents of one axis that differ as their windows do: 7 − 1 against 6 − 1."""
        found = []
        names = [n for n in self.order if self.root(n) not in self.pinned]
        for one in names:
            for other in names:
                apart = self.value(one) - left
                if self.root(one) == self.root(other) or not 0 < apart < 8:
                    continue
                if apart != self.value(other) - right:
                    continue
                same = one.rpartition(".")[2] == other.rpartition(".")[2]
                if same and one.rpartition(".")[0] != other.rpartition(".")[0]:
                    found.append((apart, self.root(one), self.root(other)))
        return min(found)[1:] if found else None

    def key(self) -> tuple[Any, ...]:
        """Return what tells this state from others."""
        return (
            self.which,
            tuple(sorted((n, self.root(n)) for n in self.order)),
            tuple(sorted(self.parities.items())),
            self.stepped,
            tuple(sorted(self.pinned.items())),
        )


@dataclass
class Setup:
    """All inputs of a pair and their extents: one way to run it."""

    specs: dict[str, Spec] = field(default_factory=dict)
    sizes: Sizes = field(default_factory=Sizes)
    seed: int = 0
    steps: int = 3
    reading: tuple[str, ...] = ()
    # Names under which an input lies in an object's state; inputs that the function has.
    aliases: dict[str, str] = field(default_factory=dict)
    forward: set[str] = field(default_factory=set)
    # Elements of inputs with values of their own, by name and index: they take an arm.
    chosen: dict[tuple[str, tuple[int, ...]], float] = field(default_factory=dict)
    # How many values a run may make.
    most: int = MOST_NODES

    @classmethod
    def of(cls, settings: Mapping[str, Any], reading: tuple[str, ...]) -> Setup:
        """Return a setup in which extents are as settings say: ``x.shape[1]``."""
        made = cls(reading=reading)
        for name, value in settings.items():
            shaped = re.fullmatch(r"(.+)\.shape\[(\d+)\]", name)
            if shaped is not None and isinstance(value, int):
                root = made.sizes.root(f"{shaped[1]}.{shaped[2]}")
                made.sizes.pinned[root] = value
                made.sizes.named |= {root}
        return made

    def copy(self) -> Setup:
        """Return a setup that can be changed without changing this one."""
        return Setup(
            dict(self.specs),
            self.sizes.copy(),
            self.seed,
            self.steps,
            self.reading,
            dict(self.aliases),
            set(self.forward),
            dict(self.chosen),
            self.most,
        )

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the extents of an input."""
        spec = self.specs[name]
        return tuple(self.sizes.value(f"{name}.{axis}") for axis in range(spec.rank))

    def key(self) -> tuple[Any, ...]:
        """Return what tells this setup from others."""
        kinds = tuple(
            sorted((n, s.kind, s.rank, s.low, str(s.value)) for n, s in self.specs.items())
        )
        chosen = tuple(sorted(self.chosen.items()))
        return kinds, self.sizes.key(), self.seed, self.steps, self.reading, chosen
