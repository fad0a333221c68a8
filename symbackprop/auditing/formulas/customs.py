"""Claims that hold by their form: the chain rule along named quantities, the usual weighted sum.

Nothing is evaluated here: these formulas mean the same in every layout. They count only where no
definition decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from symbackprop.auditing.formulas.tree import (
    Access,
    Derivative,
    Node,
    Number,
    Product,
    Transpose,
    accesses,
    rewritten,
)

SUMS = frozenset(("z", "Z", "s", "S", "net", "u", "a", "v", "in", "y", "yhat"))
WEIGHTS = frozenset(("w", "W", "theta", "Theta", "omega", "v", "V", "u", "U"))
INPUTS = frozenset(("x", "X", "a", "A", "h", "H", "o", "O", "s", "i", "y"))
BIASES = frozenset(("b", "B", "beta", "c"))


@dataclass(frozen=True)
class Custom:
    """A convention by its words, and whether two sides are equal by it.

    `holds` takes both sides and the names that the document defines, as they are `spelled`.
    """

    words: str
    holds: Callable[[Node, Node, Collection[object]], bool]


def _cancels(left: Node, right: Node, _defined: Collection[object]) -> bool:
    """Products of derivatives in which what is between cancels, as in quotients."""
    quotients = _quotient(left), _quotient(right)
    return None not in quotients and quotients[0] == quotients[1] and left != right


def end_of_path(left: Node, right: Node) -> Derivative | None:
    """Return what a product of derivatives is, where a left side names what cancels in it.

    ``da/db = dL/da · da/dz · dz/db`` is dL/db.
    """
    path = _quotient(right)
    if not isinstance(left, Derivative) or path is None or path == _quotient(left):
        return None
    above = [name for name, count in path.items() if count == 1]
    below = [name for name, count in path.items() if count == -1]
    if len(above) != 1 or len(below) != 1 or len(path) > len((above, below)):
        return None
    met = {_unset(access) for access in accesses(right)}
    own = {name for name in (left.of, *left.by) if isinstance(name, Access)}
    strays = {_unset(name) for name in own} - set(path)
    return replace(left, of=above[0], by=(below[0],)) if strays and strays <= met else None


def _quotient(node: Node) -> Counter[Node] | None:
    """Count what a product of derivatives has above, less what it has below."""
    found: Counter[Node] = Counter()
    for factor in node.factors if isinstance(node, Product) else (node,):
        part = factor.operand if isinstance(factor, Transpose) else factor
        if not isinstance(part, Derivative) or not isinstance(part.of, Access) or part.at:
            return None
        if len(part.by) != 1 or not isinstance(part.by[0], Access):
            return None
        found[_unset(part.of)] += 1
        found[_unset(part.by[0])] -= 1
    return Counter({name: count for name, count in found.items() if count})


def spelled(name: Access) -> object:
    """Return a name with its labels, whatever its indices are."""
    return name.symbol, tuple(label.key for label in name.labels)


def _unset(node: Node) -> Node:
    """Return a name however it is set."""
    return rewritten(node, lambda n: replace(n, style="") if isinstance(n, Access) else n)


def _weighted_sum(left: Node, right: Node, defined: Collection[object]) -> bool:
    """Derivatives of z = Wx + b where the document draws its neurons but writes no such sum."""
    if not isinstance(left, Derivative) or len(left.by) != 1:
        return False
    z, variable = left.of, left.by[0]
    if not (isinstance(z, Access) and isinstance(variable, Access)):
        return False
    free = spelled(z) not in defined and z.name in SUMS and z.symbol != variable.symbol
    return free and _rate(z, variable, right)


def _rate(z: Access, variable: Access, right: Node) -> bool:
    """Whether a right side is what a weighted sum changes by with a variable."""
    if isinstance(right, Number):
        same = variable.indices == z.indices and variable.labels == z.labels
        return variable.name in BIASES and right.value == 1 and same
    other = right.operand if isinstance(right, Transpose) else right
    if not isinstance(other, Access):
        return False
    if variable.name in WEIGHTS and other.name in INPUTS:
        return _fits(z, variable, other)
    return other.name in WEIGHTS and variable.name in INPUTS and _fits(z, other, variable)


def _fits(z: Access, weight: Access, read: Access) -> bool:
    """Whether a weight leads from what is read to z, by indices and layers."""
    if z.symbol == read.symbol and z.labels == read.labels:
        return False
    between = ((*z.indices, *read.indices), (*read.indices, *z.indices))
    return (
        weight.indices in between
        and weight.labels in (z.labels, ())
        and (not read.labels or read.labels != z.labels)
    )


CUSTOMS = (
    Custom("along the named path", _cancels),
    Custom("z is the weighted sum of its inputs and a bias", _weighted_sum),
)
