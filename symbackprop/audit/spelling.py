"""A formula in LaTeX again, and two formulas with their difference marked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping

from symbackprop.audit.formula_tree import (
    Access,
    Add,
    Apply,
    At,
    Big,
    Bound,
    Cases,
    Comparison,
    Constant,
    Delta,
    Derivative,
    Differential,
    Element,
    Indicator,
    Label,
    Logic,
    Matrix,
    Negate,
    Node,
    Norm,
    Number,
    Power,
    Product,
    Quotient,
    Transpose,
)

GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "pi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
        "ell",
    ]
)
WORDS = frozenset(("exp", "log", "ln", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min"))
JOINS = {
    "": " ",
    "·": r" \cdot ",
    "×": r" \times ",
    "*": " ",
    "⊙": r" \odot ",
    "@": " ",
    "⊗": r" \otimes ",
}
SIGNS = {"!=": r"\neq", "<=": r"\leq", ">=": r"\geq", "in": r"\in", "notin": r"\notin"}
BIG = {"sum": r"\sum", "product": r"\prod", "mean": r"\operatorname{mean}"}

# How tightly a node binds: a sum least, a name most.
SUM, PRODUCT, POWER, NAME = range(4)


def spelled(node: Node) -> str:
    """Return a formula in LaTeX."""
    return _spell(node)[0]


def _spell(node: Node) -> tuple[str, int]:
    rule = _RULES.get(type(node))
    if rule is None:
        return type(node).__name__.lower(), NAME
    return rule(node)


def _within(node: Node, least: int) -> str:
    text, strength = _spell(node)
    return text if strength >= least else rf"\left({text}\right)"


def _name(name: str) -> str:
    if name in GREEK or name in WORDS:
        return f"\\{name}"
    return name if len(name) == 1 or name.startswith("_") else rf"\mathrm{{{name}}}"


def _label(label: Label) -> str:
    text = label.base
    if not text:
        return str(label.shift)
    text = _name(text)
    return text + (f"{label.shift:+d}" if label.shift else "")


def _access(node: Access) -> tuple[str, int]:
    text = _name(node.name)
    if node.style == "bold":
        text = rf"\mathbf{{{text}}}"
    for accent in node.accents:
        text = rf"\{accent}{{{text}}}"
    text += "'" * node.primes
    below = [_label(a) for a in node.labels if a.place == "below"] + [
        spelled(index) for index in node.indices
    ]
    brackets = {"round": "({})", "square": "[{}]"}
    above = [
        brackets.get(a.place, "{}").format(_label(a)) for a in node.labels if a.place != "below"
    ]
    joint = "" if all(len(part) == 1 for part in below) else ","
    text += f"_{{{joint.join(below)}}}" if below else ""
    text += f"^{{{','.join(above)}}}" if above else ""
    return text, NAME


def _number(node: Number) -> tuple[str, int]:
    if node.text and "/" not in node.text:
        return node.text, NAME
    value = node.value
    if value.denominator == 1:
        return str(value.numerator), NAME if value >= 0 else SUM
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}", NAME


def _constant(node: Constant) -> tuple[str, int]:
    return {"e": "e", "pi": r"\pi", "infinity": r"\infty"}.get(node.name, node.name), NAME


def _add(node: Add) -> tuple[str, int]:
    text = _within(node.terms[0], SUM)
    for term in node.terms[1:]:
        if isinstance(term, Negate):
            text += f" - {_within(term.operand, PRODUCT)}"
        else:
            text += f" + {_within(term, PRODUCT)}"
    return text, SUM


def _negate(node: Negate) -> tuple[str, int]:
    return f"-{_within(node.operand, PRODUCT)}", SUM


def _product(node: Product) -> tuple[str, int]:
    parts = [_within(factor, POWER if k else PRODUCT) for k, factor in enumerate(node.factors)]
    text = parts[0]
    for join, part in zip(node.joins, parts[1:], strict=True):
        sign = JOINS[join]
        text += (r" \cdot " if sign == " " and part[:1].isdigit() else sign) + part
    return text, PRODUCT


def _quotient(node: Quotient) -> tuple[str, int]:
    return rf"\frac{{{spelled(node.numerator)}}}{{{spelled(node.denominator)}}}", POWER


def _power(node: Power) -> tuple[str, int]:
    return f"{{{_within(node.base, NAME)}}}^{{{spelled(node.exponent)}}}", POWER


def _transpose(node: Transpose) -> tuple[str, int]:
    text = _within(node.operand, NAME)
    return (rf"{{{text}}}^\top" if "^" in text else rf"{text}^\top"), NAME


def _apply(node: Apply) -> tuple[str, int]:
    text = _access(node.function)[0] + "'" * node.primes
    if not node.arguments:
        return text, NAME
    return rf"{text}({', '.join(spelled(a) for a in node.arguments)})", NAME


def _element(node: Element) -> tuple[str, int]:
    return rf"[{spelled(node.base)}]_{{{''.join(spelled(i) for i in node.indices)}}}", NAME


def _norm(node: Norm) -> tuple[str, int]:
    bar = "|" if node.bars == 1 else r"\|"
    order = f"_{{{spelled(node.order)}}}" if node.order is not None else ""
    return f"{bar}{spelled(node.operand)}{bar}{order}", NAME


def _bound(bound: Bound) -> tuple[str, int]:
    text = spelled(bound.index)
    if bound.condition is not None:
        return spelled(bound.condition), SUM
    if bound.members is not None:
        return rf"{text} \in {spelled(bound.members)}", SUM
    return text + (f"={spelled(bound.lower)}" if bound.lower is not None else ""), SUM


def _big(node: Big) -> tuple[str, int]:
    text = BIG.get(node.kind, f"\\{node.kind}")
    if node.bounds:
        text += f"_{{{', '.join(_bound(b)[0] for b in node.bounds)}}}"
        upper = node.bounds[-1].upper
        text += f"^{{{spelled(upper)}}}" if upper is not None else ""
    return f"{text} {_within(node.body, PRODUCT)}", PRODUCT


def _derivative(node: Derivative) -> tuple[str, int]:
    sign = {"∂": r"\partial", "∇": r"\nabla", "δ": r"\delta"}.get(node.symbol, "d")
    by = " ".join(f"{sign} {spelled(x)}" for x in node.by)
    if node.symbol == "∇" or node.of is None or not node.by:
        below = f"_{{{', '.join(spelled(x) for x in node.by)}}}" if node.by else ""
        return f"{sign}{below} {_within(node.of, NAME) if node.of else ''}".strip(), NAME
    order = f"^{len(node.by)}" if len(node.by) > 1 else ""
    return rf"\frac{{{sign}{order} {_within(node.of, POWER)}}}{{{by}}}", NAME


def _differential(node: Differential) -> tuple[str, int]:
    return f"d{spelled(node.of)}", POWER


def _comparison(node: Comparison) -> tuple[str, int]:
    sign = SIGNS.get(node.operator, node.operator)
    return f"{spelled(node.left)} {sign} {spelled(node.right)}", SUM


def _logic(node: Logic) -> tuple[str, int]:
    return rf" \text{{ {node.operator} }} ".join(spelled(part) for part in node.parts), SUM


def _indicator(node: Indicator) -> tuple[str, int]:
    return rf"\mathbb{{1}}[{spelled(node.condition)}]", NAME


def _delta(node: Delta) -> tuple[str, int]:
    return rf"\delta_{{{spelled(node.left)}{spelled(node.right)}}}", NAME


def _cases(node: Cases) -> tuple[str, int]:
    rows = [
        f"{spelled(b.value)} & "
        + (r"\text{otherwise}" if b.condition is None else spelled(b.condition))
        for b in node.branches
    ]
    joined = " \\\\ ".join(rows)
    return rf"\begin{{cases}} {joined} \end{{cases}}", NAME


def _matrix(node: Matrix) -> tuple[str, int]:
    rows = " \\\\ ".join(" & ".join(spelled(cell) for cell in row) for row in node.rows)
    return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}", NAME


def _at(node: At) -> tuple[str, int]:
    return rf"{spelled(node.base)}|_{{{', '.join(spelled(p) for p in node.points)}}}", POWER


_RULES: Mapping[type[Node], Callable[..., tuple[str, int]]] = {
    Access: _access,
    Add: _add,
    Apply: _apply,
    At: _at,
    Big: _big,
    Bound: _bound,
    Cases: _cases,
    Comparison: _comparison,
    Constant: _constant,
    Delta: _delta,
    Derivative: _derivative,
    Differential: _differential,
    Element: _element,
    Indicator: _indicator,
    Logic: _logic,
    Matrix: _matrix,
    Negate: _negate,
    Norm: _norm,
    Number: _number,
    Power: _power,
    Product: _product,
    Quotient: _quotient,
    Transpose: _transpose,
}

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.")


def marked_difference(wrong: str, right: str) -> str:
    """Return the right formula with what it drops as [-…-] and what it adds as {+…+}."""
    old, new = _TOKEN.findall(wrong), _TOKEN.findall(right)
    parts = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append("".join(new[k:m]))
            continue
        gone, come = "".join(old[i:j]), "".join(new[k:m])
        parts.append((f"[-{gone}-]" if gone.strip() else "") + (f"{{+{come}+}}" if come else ""))
    return "".join(parts)
