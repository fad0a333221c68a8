"""Trees of formulas written short, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.tree import Label, Node

_PLACES = {"above": "^", "round": "^()", "square": "^[]", "below": "_"}
_WORDS = {
    tree.Add: "+",
    tree.Negate: "-",
    tree.Power: "power",
    tree.Transpose: "T",
    tree.Delta: "delta",
    tree.Indicator: "one",
    tree.Cases: "cases",
    tree.Branch: "branch",
    tree.At: "at",
    tree.Space: "R",
}


def _label(label: Label) -> str:
    shift = f"{label.shift:+d}" if label.shift and label.base else str(label.shift or "")
    return f"{_PLACES[label.place]}{label.base}{shift if label.base or shift else '0'}"


def _access(node: tree.Access) -> str:
    name = "~".join((node.name, *node.accents)) + "'" * node.primes
    name += "".join(_label(label) for label in node.labels)
    if node.style:
        name = f"{node.style}:{name}"
    return name + (f"[{','.join(sketch(i) for i in node.indices)}]" if node.indices else "")


def _product(node: tree.Product) -> str:
    parts = [sketch(node.factors[0])]
    for join, factor in zip(node.joins, node.factors[1:], strict=True):
        parts += [join or ".", sketch(factor)]
    return f"<{' '.join(parts)}>"


def _bound(node: tree.Bound) -> str:
    ends = [("from", node.lower), ("to", node.upper), ("in", node.members), ("if", node.condition)]
    said = "".join(f" {word} {sketch(end)}" for word, end in ends if end is not None)
    return "{" + sketch(node.index) + said + "}"


def _derivative(node: tree.Derivative) -> str:
    by = " ".join(sketch(v) for v in node.by)
    points = "".join(f" at {sketch(p)}" for p in node.at)
    return f"({node.symbol}:{node.form} {sketch(node.of)} by {by}{points})"


def _apply(node: tree.Apply) -> str:
    base = f" base {sketch(node.base)}" if node.base is not None else ""
    arguments = "".join(" " + sketch(a) for a in node.arguments)
    return f"({_access(node.function)}{chr(39) * node.primes}!{base}{arguments})"


def _matrix(node: tree.Matrix) -> str:
    return f"(matrix {' ; '.join(' '.join(sketch(c) for c in row) for row in node.rows)})"


_WHOLE: dict[type[Node], Callable[[Any], str]] = {
    tree.Number: lambda n: n.text,
    tree.Constant: lambda n: f"#{n.name}",
    tree.Access: _access,
    tree.Product: _product,
    tree.Bound: _bound,
    tree.Derivative: _derivative,
    tree.Apply: _apply,
    tree.Matrix: _matrix,
}
_HEADS: dict[type[Node], Callable[[Any], str]] = {
    tree.Quotient: lambda n: "/" if n.slash else "frac",
    tree.Big: lambda n: n.kind,
    tree.Differential: lambda n: n.symbol + ":",
    tree.Comparison: lambda n: n.operator,
    tree.Logic: lambda n: n.operator,
    tree.Norm: lambda n: "|" * n.bars,
    tree.Listing: lambda n: n.kind,
}


def sketch(node: Node | None) -> str:
    """Return a tree as nested lists, each with its kind first."""
    if node is None:
        return "none"
    if type(node) in _WHOLE:
        return _WHOLE[type(node)](node)
    held = " ".join(sketch(child) for child in tree.children(node))
    head = _HEADS.get(type(node), lambda n: _WORDS.get(type(n), "element"))
    return f"({head(node)} {held})"
