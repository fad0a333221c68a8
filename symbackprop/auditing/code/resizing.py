"""Other extents for the same inputs: columns, images that strides divide, smaller windows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.faults import Mismatch
from symbackprop.auditing.code.specs import Setup

MOST_SUMS = 4


def columns(setup: Setup, fault: Mismatch) -> Iterator[Setup]:
    """The same with a bias as a column, where it would have to be as long as what is computed."""
    sizes = setup.sizes
    known = {sizes.value(n) for n in sizes.order}
    for name, spec in setup.specs.items():
        own = naming.names_bias(name) and spec.kind == "array" and spec.rank == 1
        if not own or "column" in spec.tried or f"{name}.0" not in sizes.parents:
            continue
        pair = {fault.left, fault.right}
        length = sizes.value(f"{name}.0")
        if length in pair and pair - known:
            new = as_column(setup, name)
            rows = [s[-2] for s in fault.shapes or () if len(s) > 1]
            if rows and rows[0] != length:
                new.sizes.unify(rows[0], length)
            yield new


def as_column(setup: Setup, name: str) -> Setup:
    """The same with a vector as a column."""
    new = setup.copy()
    column = setup.specs[name].become(rank=2)
    new.specs[name] = replace(column, tried=column.tried | {"column"})
    new.sizes.pinned[new.sizes.root(f"{name}.1")] = 1
    return new


def divided(setup: Setup, extent: int, parts: int) -> Iterator[Setup]:
    """The same with an extent that has as many equal parts, as gates side by side have."""
    taken = {setup.sizes.value(name) for name in setup.sizes.order}
    part = next(p for p in (2, 3, 5, 7, 11, 13) if parts * p not in taken)
    yield from _resized(setup, extent, parts * part)


def multiplied(setup: Setup, fault: Mismatch) -> list[Setup]:
    """The same with an extent that was too short, one element for each part, a multiple of it."""
    short, long = sorted((fault.left, fault.right))
    fits = 1 < short < long and not long % short
    return list(_resized(setup, short, long)) if fits else []


def _resized(setup: Setup, extent: int, wanted: int) -> Iterator[Setup]:
    for name in setup.sizes.order:
        if setup.sizes.value(name) == extent:
            new = setup.copy()
            new.sizes.pinned[new.sizes.root(name)] = wanted
            yield new
            return


def summed(setup: Setup, fault: Mismatch) -> list[Setup]:
    """The same with two sums of extents one: rows of what is joined, and columns of its weights.

    Which of them are one is not known; those that have a word in common come first.
    """
    sizes = setup.sizes
    roots = {n: sizes.value(n) for n in sizes.order if sizes.root(n) == n and sizes.value(n) > 1}
    roots = {n: value for n, value in roots.items() if n not in sizes.pinned}
    sums = {total: _pairs(roots, total) for total in (fault.left, fault.right)}
    found: list[tuple[int, int, Setup]] = []
    for one in sums[fault.left]:
        for other in sums[fault.right]:
            for first, second in (other, other[::-1]):
                new = setup.copy()
                joined = [
                    a != b and new.sizes.unify(new.sizes.value(a), new.sizes.value(b))
                    for a, b in ((one[0], first), (one[1], second))
                ]
                alike = _alike(setup, one[0], first) + _alike(setup, one[1], second)
                if any(joined):
                    found.append((-alike, len(found), new))
    return [new for _, _, new in sorted(found, key=lambda entry: entry[:2])][:MOST_SUMS]


def _pairs(roots: dict[str, int], total: int) -> list[tuple[str, str]]:
    """Two extents of one sum: sizes both, or of one axis of two arrays."""
    return [
        (one, other)
        for one, other in itertools.combinations(roots, 2)
        if roots[one] + roots[other] == total and _axis(one) == _axis(other)
    ]


def _axis(name: str) -> str:
    last = name.rpartition(".")[2]
    return last if last.isdigit() else ""


def _alike(setup: Setup, one: str, other: str) -> int:
    """How many words begin alike in the names of two extents and of all that are one with them."""
    return len(_initials(setup, one) & _initials(setup, other))


def _initials(setup: Setup, root: str) -> set[str]:
    names = [name for name in setup.sizes.order if setup.sizes.root(name) == root]
    bare = (naming.last(re.sub(r"\.\d+$", "", name)) for name in names)
    return {word[0] for name in bare for word in naming.words(name)}


def halved(setup: Setup) -> Iterator[Setup]:
    """The same with images of even or odd rows and columns: strides that must divide them may."""
    axes: dict[str, int] = {}
    for name, spec in setup.specs.items():
        image = (spec.kind == "array" and spec.rank > 1) or spec.kind == "shape"
        if image and not re.match(r"[wWkfK]", naming.last(name)):
            last = range(max(spec.rank - 2, 0), spec.rank)
            axes.update({f"{name}.{axis}": spec.rank - axis for axis in last})
    for rows, columns in itertools.product((0, 1), repeat=2):
        new = setup.copy()
        found = {new.sizes.root(axis): rows if n > 1 else columns for axis, n in axes.items()}
        found = {n: parity for n, parity in found.items() if n not in new.sizes.pinned}
        if found and not new.sizes.parities:
            new.sizes.parities = found
            yield new
    steps = [name for name, spec in setup.specs.items() if spec.kind == "step"]
    if steps:
        new = setup.copy()
        new.specs.update({n: setup.specs[n].become(kind="fixed", value=1) for n in steps})
        yield new


def scaled(setup: Setup) -> Iterator[Setup]:
    """The same with larger images and smaller kernels."""
    wide = setup.copy()
    wide.sizes.stepped = any(spec.kind == "step" for spec in setup.specs.values())
    for name, spec in setup.specs.items():
        axes = [f"{name}.{axis}" for axis in range(2 if spec.rank > 2 else 0, spec.rank)]
        if spec.kind == "int":
            tall = re.search("height|width|^h$|^w$|input", naming.last(name), re.I)
            (wide.sizes.large if tall else wide.sizes.small).add(wide.sizes.root(name))
        elif spec.kind == "array":
            group = wide.sizes.large if not re.match(r"[wWkfK]", name) else wide.sizes.small
            for axis in axes:
                group.add(wide.sizes.root(axis))
    yield wide
