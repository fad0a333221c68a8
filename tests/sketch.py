"""Trees of formulas written short, for tests."""

from __future__ import annotations

from symbackprop.audit import formula_tree as tree
from symbackprop.audit.formula_tree import Label, Node

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


def sketch(node: Node | None) -> str:
    """Return a tree as nested lists, each with its kind first."""
    if node is None:
        return "none"
    if isinstance(node, tree.Number):
        return node.text
    if isinstance(node, tree.Constant):
        return f"#{node.name}"
    if isinstance(node, tree.Access):
        return _access(node)
    held = " ".join(sketch(child) for child in tree.children(node))
    if isinstance(node, tree.Product):
        parts = [sketch(node.factors[0])]
        for join, factor in zip(node.joins, node.factors[1:], strict=True):
            parts += [join or ".", sketch(factor)]
        return f"<{' '.join(parts)}>"
    if isinstance(node, tree.Quotient):
        return f"({'/' if node.slash else 'frac'} {held})"
    if isinstance(node, tree.Big):
        return f"({node.kind} {held})"
    if isinstance(node, tree.Bound):
        ends = [
            ("from", node.lower),
            ("to", node.upper),
            ("in", node.members),
            ("if", node.condition),
        ]
        said = "".join(f" {word} {sketch(end)}" for word, end in ends if end is not None)
        return "{" + sketch(node.index) + said + "}"
    if isinstance(node, tree.Derivative):
        by = " ".join(sketch(v) for v in node.by)
        points = "".join(f" at {sketch(p)}" for p in node.at)
        return f"({node.symbol}:{node.form} {sketch(node.of)} by {by}{points})"
    if isinstance(node, tree.Differential):
        return f"({node.symbol}: {held})"
    if isinstance(node, tree.Apply):
        base = f" base {sketch(node.base)}" if node.base is not None else ""
        arguments = "".join(" " + sketch(a) for a in node.arguments)
        return f"({_access(node.function)}{chr(39) * node.primes}!{base}{arguments})"
    if isinstance(node, tree.Comparison | tree.Logic):
        return f"({node.operator} {held})"
    if isinstance(node, tree.Norm):
        return f"({'|' * node.bars} {held})"
    if isinstance(node, tree.Matrix):
        return f"(matrix {' ; '.join(' '.join(sketch(c) for c in row) for row in node.rows)})"
    if isinstance(node, tree.Listing):
        return f"({node.kind} {held})"
    return f"({_WORDS.get(type(node), 'element')} {held})"
