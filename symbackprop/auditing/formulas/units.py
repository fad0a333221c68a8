"""Arrays by their elements, and the choices of a layout under which a formula is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from symbackprop.auditing.formulas.tree import Access, Family, Node


class LayoutError(Exception):
    """A formula has no meaning in a layout; the message says where it fails."""


@dataclass(frozen=True)
class Layout:
    """One way to read bare names.

    Attributes:
        kinds: `scalar`, `column`, `row` or `matrix` for each name with so many labels and
            indices: x_i may be a column of a family.
        jacobian: Whether rows of ∂y/∂x are those of y (`numerator`) or of x (`denominator`).
        shaped: Whether the gradient of a number is shaped like its variable; else transposed.
        dot: Whether y · x of two vectors is their inner product, or elementwise.
        name: The layout in words.
        mixes: Whether a number that has a name may be added to an array.
    """

    kinds: Mapping[Family, str]
    jacobian: str = "numerator"
    shaped: bool = True
    dot: bool = True
    name: str = "per unit"
    mixes: bool = True


@dataclass(frozen=True)
class Units:
    """An array by its elements: whether it has rows and columns, and what stands at a place."""

    rows: bool
    cols: bool
    at: Callable[[Node, Node], Node]

    @property
    def axes(self) -> tuple[bool, bool]:
        """Which axes there are."""
        return self.rows, self.cols

    @property
    def scalar(self) -> bool:
        """Whether it is one number."""
        return not (self.rows or self.cols)


AXES = {
    "scalar": (False, False),
    "column": (True, False),
    "row": (False, True),
    "matrix": (True, True),
}
NOWHERE = Access("_none")


def one(node: Node) -> Units:
    """Return a number as an array without axes."""
    return Units(False, False, lambda i, j: node)
