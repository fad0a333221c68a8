"""Other extents for the same inputs: columns, images that strides divide, smaller windows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.faults import Mismatch
from symbackprop.auditing.code.specs import Setup


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
