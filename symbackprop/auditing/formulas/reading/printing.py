"""What was read, printed back: in Unicode for a terminal, in LaTeX in the author's notation."""

from __future__ import annotations

import unicodedata

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.reading.printer import POWER, PRODUCT, SIGNS, Printer, Text
from symbackprop.auditing.formulas.tree import Node

_COMBINING = {"hat": "̂", "bar": "̄", "tilde": "̃", "dot": "̇", "ddot": "̈", "check": "̌"}
_BIG_LATEX = {"sum": r"\sum", "product": r"\prod", "max": r"\max", "min": r"\min"}
_COMPARED = {"!=": r"\neq", "<=": r"\leq", ">=": r"\geq", "in": r"\in", "notin": r"\notin"}
_JOINED = {"·": r"\cdot", "×": r"\times", "⊙": r"\odot", "@": "@", "⊗": r"\otimes", "*": "*"}


class _Plain(Printer):
    def _name(self, name: str, accents: tuple[str, ...], style: str) -> str:
        text = SIGNS.get(
            name, {"ones": "1", "ell": "ℓ", "all": ":", "placeholder": "·"}.get(name, name)
        )
        marks = "".join(_COMBINING.get(a, f"[{a}]") for a in accents)
        return text + marks

    def _scripts(self, below: str, above: str) -> str:
        low = f"_{below}" if len(below) == 1 else f"_{{{below}}}" if below else ""
        if above == "ᵀ":
            return low + above
        high = f"^{above}" if len(above) == 1 or (above[:1] in "([" and above) else f"^{{{above}}}"
        return low + (high if above else "")

    def _quotient(self, node: tree.Quotient) -> Text:
        return Text(f"{self.at(node.numerator, POWER)}/{self.at(node.denominator, POWER)}", PRODUCT)

    def _symbol(self, which: str) -> str:
        known = {
            "pi": "π",
            "infinity": "∞",
            "transpose": "ᵀ",
            "norm": "‖",
            "one": "1",
            "delta": "δ",
        }
        return known.get(which, which)


class _Latex(Printer):
    opening, closing = r"\left(", r"\right)"

    def _name(self, name: str, accents: tuple[str, ...], style: str) -> str:
        special = {"ones": r"\mathbf{1}", "ell": r"\ell", "all": ":", "placeholder": r"\cdot"}
        commands = {"bold": r"\mathbf", "double": r"\mathbb", "script": r"\mathcal"}
        if name in special:
            text = special[name]
        elif name in SIGNS:
            text = "\\" + name
        elif len(name) > 1:
            text = ("\\" + name) if name in _COMMANDS else self._word(name)
        else:
            text = name
        if style in commands and name not in special:
            is_greek = style == "bold" and name in SIGNS
            text = (r"\boldsymbol" if is_greek else commands[style]) + "{" + text + "}"
        for accent in accents:
            text = f"\\{accent}{{{text}}}"
        return text

    def _word(self, text: str) -> str:
        return rf"\text{{{text.replace('_', ' ')}}}" if len(text) > 1 and text.isascii() else text

    def _scripts(self, below: str, above: str) -> str:
        low = f"_{{{below}}}" if below else ""
        return low + (f"^{{{above}}}" if above else "")

    def _quotient(self, node: tree.Quotient) -> Text:
        if node.slash:
            text = f"{self.at(node.numerator, POWER)} / {self.at(node.denominator, POWER)}"
            return Text(text, PRODUCT)
        return Text(self._fraction(self.at(node.numerator), self.at(node.denominator)))

    def _fraction(self, top: str, bottom: str) -> str:
        return rf"\frac{{{top}}}{{{bottom}}}"

    def _symbol(self, which: str) -> str:
        known = {"pi": r"\pi", "infinity": r"\infty", "transpose": r"\top", "norm": r"\|"}
        known |= {"one": r"\mathbb{1}", "delta": r"\delta", "∂": r"\partial", "∇": r"\nabla"}
        return (known | {"δ": r"\delta", "dagger": r"\dagger"}).get(which, which)

    def _spaced(self, symbol: str) -> str:
        return symbol + " " if len(symbol) > 1 else symbol

    def _join(self, mark: str) -> str:
        return _JOINED[mark]

    def _root(self, inner: str) -> str:
        return rf"\sqrt{{{inner}}}"

    def _operator(self, kind: str) -> str:
        return _BIG_LATEX.get(
            kind, r"\mathbb{E}" if kind == "mean" else rf"\operatorname{{{kind}}}"
        )

    def _compared(self, operator: str) -> str:
        return _COMPARED.get(operator, operator)

    def _branch(self, node: tree.Branch) -> Text:
        when = r"\text{otherwise}" if node.condition is None else self.at(node.condition)
        return Text(f"{self.at(node.value)} & {when}")

    def _cases(self, node: tree.Cases) -> Text:
        rows = r" \\ ".join(self.at(b) for b in node.branches)
        return Text(rf"\begin{{cases}} {rows} \end{{cases}}")

    def _matrix(self, node: tree.Matrix) -> Text:
        rows = r" \\ ".join(" & ".join(self.at(cell) for cell in row) for row in node.rows)
        return Text(rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}")

    def _listing(self, node: tree.Listing) -> Text:
        inner = self.listed(node.items)
        return Text(f"({inner})" if node.kind == "tuple" else rf"\{{{inner}\}}")

    def _point(self, node: tree.At) -> Text:
        return Text(rf"{self.at(node.base, PRODUCT)} \big|_{{{self.listed(node.points)}}}", PRODUCT)

    def _space(self, node: tree.Space) -> Text:
        extents = r" \times ".join(self.at(e) for e in node.extents)
        return Text(r"\mathbb{R}" + self._scripts("", extents))


_COMMANDS = frozenset(
    [
        "exp",
        "log",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arctan",
        "arcsin",
        "arccos",
        "det",
        "dim",
        "max",
        "min",
    ]
)


def read_as(node: Node) -> str:
    """Return a tree on one line of Unicode, with every scope in parentheses that needs them."""
    return unicodedata.normalize("NFC", _Plain().text(node))


def latex(node: Node) -> str:
    """Return a tree as LaTeX in the author's own letters, accents and labels."""
    return _Latex().text(node)
