"""What was read, printed back: in Unicode for a terminal, in LaTeX in the author's notation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symbackprop.audit import formula_tree as tree
from symbackprop.audit.formula_tree import Access, Bound, Label, Node
from symbackprop.audit.reading.words import GREEK

SUM, NEGATIVE, PRODUCT, POWER, ATOM = range(5)
_GREEK = dict(
    zip(
        GREEK,
        "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ",
        strict=True,
    )
)
_COMBINING = {"hat": "̂", "bar": "̄", "tilde": "̃", "dot": "̇", "ddot": "̈", "check": "̌"}
_RAISED = {"star": "*", "dagger": "†", "plus": "+", "minus": "-"}
_BIG = {"sum": "Σ", "product": "Π", "mean": "mean"}
_BIG_LATEX = {"sum": r"\sum", "product": r"\prod", "max": r"\max", "min": r"\min"}
_COMPARED = {"!=": r"\neq", "<=": r"\leq", ">=": r"\geq", "in": r"\in", "notin": r"\notin"}
_COMPARED_PLAIN = {"!=": "≠", "<=": "≤", ">=": "≥", "in": "∈", "notin": "∉"}
_JOINED = {"·": r"\cdot", "×": r"\times", "⊙": r"\odot", "@": "@", "⊗": r"\otimes", "*": "*"}


@dataclass(frozen=True, slots=True)
class _Text:
    """A printed node and how tightly it holds together."""

    text: str
    level: int = ATOM

    def within(self, level: int, opening: str = "(", closing: str = ")") -> str:
        """Return the text, in parentheses where it holds together less than asked."""
        return self.text if self.level >= level else f"{opening}{self.text}{closing}"


class _Printer:
    """Prints trees; a subclass says how symbols, scripts and fractions look."""

    opening, closing = "(", ")"

    def text(self, node: Node) -> str:
        """Return a whole tree as text; children first, without recursion."""
        done: dict[int, _Text] = {}
        waiting: list[tuple[Node, bool]] = [(node, False)]
        while waiting:
            here, ready = waiting.pop()
            if ready:
                self.done = done
                done[id(here)] = _METHODS[type(here)](self, here)
            else:
                waiting.append((here, True))
                waiting.extend((child, False) for child in tree.children(here))
        return done[id(node)].text

    def at(self, node: Node, level: int = SUM) -> str:
        """Return a child, in parentheses where it needs them."""
        return self.done[id(node)].within(level, self.opening, self.closing)

    def listed(self, nodes: tuple[Node, ...]) -> str:
        """Return children between commas."""
        return ", ".join(self.at(n) for n in nodes)

    # How the two notations differ.

    def name(self, name: str, accents: tuple[str, ...], style: str) -> str:
        raise NotImplementedError

    def scripts(self, below: str, above: str) -> str:
        raise NotImplementedError

    def quotient(self, node: tree.Quotient) -> _Text:
        raise NotImplementedError

    def symbol(self, which: str) -> str:
        raise NotImplementedError

    # Nodes.

    def number(self, node: tree.Number) -> _Text:
        if node.text and node.text != "√":
            return _Text(node.text)
        return _Text(str(node.value), ATOM if node.value.denominator == 1 else PRODUCT)

    def constant(self, node: tree.Constant) -> _Text:
        return _Text(self.symbol(node.name))

    def access(self, node: Access) -> _Text:
        accents = tuple(a for a in node.accents if a not in _RAISED)
        name = self.name(node.name, accents, node.style)
        below = [self.label(m) for m in node.labels if m.place == "below"]
        above = [self.label(m) for m in node.labels if m.place != "below"]
        above += [
            _RAISED[a] if a != "dagger" else self.symbol(a) for a in node.accents if a in _RAISED
        ]
        indices = [self.at(i) for i in node.indices]
        compact = all(len(i) == 1 for i in indices)
        spelled = ("" if compact and not any(len(b) > 1 for b in below) else ",").join(
            [*below, *indices]
        )
        return _Text(name + "'" * node.primes + self.scripts(spelled, "".join(above)))

    def label(self, label: Label) -> str:
        sign = f"+{label.shift}" if label.shift > 0 else str(label.shift)
        text = (
            (self.word(label.base) + (sign if label.shift else ""))
            if label.base
            else str(label.shift)
        )
        shapes = {"round": f"({text})", "square": f"[{text}]"}
        return shapes.get(label.place, text)

    def word(self, text: str) -> str:
        return text

    def element(self, node: tree.Element) -> _Text:
        base = self.done[id(node.base)]
        held = base.within(ATOM) if isinstance(node.base, tree.Apply) else f"[{base.text}]"
        return _Text(held + self.scripts(",".join(self.at(i) for i in node.indices), ""))

    def apply(self, node: tree.Apply) -> _Text:
        function = self.function(node)
        if not node.arguments:
            return _Text(function)
        return _Text(f"{function}{self.opening}{self.listed(node.arguments)}{self.closing}")

    def function(self, node: tree.Apply) -> str:
        base = self.scripts(self.at(node.base), "") if node.base is not None else ""
        return self.at(node.function) + base + "'" * node.primes

    def add(self, node: tree.Add) -> _Text:
        text = ""
        for k, term in enumerate(node.terms):
            if isinstance(term, tree.Negate) and k:
                text += " - " + self.at(term.operand, PRODUCT)
            else:
                text += (" + " if k else "") + self.at(term, NEGATIVE)
        return _Text(text, SUM)

    def negate(self, node: tree.Negate) -> _Text:
        return _Text("-" + self.at(node.operand, PRODUCT), NEGATIVE)

    def product(self, node: tree.Product) -> _Text:
        text = ""
        for k, factor in enumerate(node.factors):
            join = node.joins[k - 1] if k else ""
            text += (f" {self.join(join)} " if join else " ") if k else ""
            nested = isinstance(factor, tree.Product)
            open_ended = isinstance(factor, tree.Big) and k < len(node.factors) - 1
            tight = open_ended or (nested and not self._is_group(node))
            text += self.at(factor, POWER if tight else PRODUCT)
        return _Text(text, PRODUCT)

    def _is_group(self, node: tree.Product) -> bool:
        return set(node.joins) == {tree.HADAMARD}

    def join(self, mark: str) -> str:
        return mark

    def power(self, node: tree.Power) -> _Text:
        exponent = node.exponent
        if isinstance(exponent, tree.Number) and exponent.text == "√":
            return _Text(self.root(self.at(node.base)))
        base = self.at(node.base, ATOM)
        if self._is_scripted(node.base):
            base = f"{self.opening}{base}{self.closing}"
        return _Text(base + self.scripts("", self.at(exponent)), POWER)

    def _is_scripted(self, base: Node) -> bool:
        has_labels = isinstance(base, Access) and any(m.place != "below" for m in base.labels)
        return has_labels or isinstance(base, tree.Transpose | tree.Quotient | tree.Derivative)

    def root(self, inner: str) -> str:
        return f"√({inner})"

    def transpose(self, node: tree.Transpose) -> _Text:
        inner = self.at(node.operand, ATOM)
        if self._is_scripted(node.operand) or isinstance(node.operand, tree.Apply):
            inner = f"{self.opening}{inner}{self.closing}"
        return _Text(inner + self.scripts("", self.symbol("transpose")), POWER)

    def norm(self, node: tree.Norm) -> _Text:
        bar = self.symbol("norm") if node.bars == 2 else "|"
        order = self.scripts(self.at(node.order), "") if node.order is not None else ""
        return _Text(f"{bar}{self.at(node.operand)}{bar}{order}")

    def bound(self, node: Bound) -> _Text:
        text = self.at(node.index)
        if node.lower is not None:
            text += "=" + self.at(node.lower)
        if node.members is not None:
            text += f" {self.compared('in')} {self.at(node.members)}"
        if node.condition is not None:
            text += ", " + self.at(node.condition)
        return _Text(text)

    def big(self, node: tree.Big) -> _Text:
        below = ", ".join(self.at(b) for b in node.bounds)
        last = node.bounds[-1].upper if node.bounds else None
        above = self.at(last) if last is not None else ""
        body = self.at(node.body, PRODUCT)
        return _Text(f"{self.operator(node.kind)}{self.scripts(below, above)} {body}", PRODUCT)

    def operator(self, kind: str) -> str:
        return _BIG.get(kind, kind)

    def derivative(self, node: tree.Derivative) -> _Text:
        symbol = self.symbol(node.symbol)
        points = self._at_points(node.at)
        if node.form == "prime" and node.of is not None:
            return _Text(f"({self.at(node.of)})'")
        by = [self.at(v, ATOM) for v in node.by]
        if node.of is None:
            return _Text(
                f"{symbol}{' ' if symbol[-1].isalpha() and len(symbol) > 1 else ''}{by[0]}"
            )
        of = self.at(node.of, ATOM)
        if node.symbol == "∇" or node.form == "subscript":
            return _Text(symbol + self.scripts(", ".join(by), "") + " " + of + points, POWER)
        return self._fraction_of(node, symbol, of, by, points)

    def _fraction_of(
        self, node: tree.Derivative, symbol: str, of: str, by: list[str], points: str
    ) -> _Text:
        order = self.scripts("", str(len(by))) if len(by) > 1 else ""
        below = " ".join(f"{self.spaced(symbol)}{v}" for v in by)
        if node.form == "operator":
            held = self.at(node.of, PRODUCT) if node.of is not None else ""
            return _Text(f"{self.fraction(symbol + order, below)} {held}{points}", PRODUCT)
        return _Text(self.fraction(f"{self.spaced(symbol + order)}{of}", below) + points)

    def spaced(self, symbol: str) -> str:
        return symbol

    def fraction(self, top: str, bottom: str) -> str:
        return f"{top}/{bottom}"

    def _at_points(self, points: tuple[Node, ...]) -> str:
        return f"({self.listed(points)})" if points else ""

    def differential(self, node: tree.Differential) -> _Text:
        return _Text(self.spaced(self.symbol(node.symbol)) + self.at(node.of, ATOM))

    def comparison(self, node: tree.Comparison) -> _Text:
        return _Text(
            f"{self.at(node.left)} {self.compared(node.operator)} {self.at(node.right)}", SUM
        )

    def compared(self, operator: str) -> str:
        return _COMPARED_PLAIN.get(operator, operator)

    def logic(self, node: tree.Logic) -> _Text:
        return _Text(f" {self.word(node.operator)} ".join(self.at(p) for p in node.parts), SUM)

    def indicator(self, node: tree.Indicator) -> _Text:
        return _Text(f"{self.symbol('one')}[{self.at(node.condition)}]")

    def delta(self, node: tree.Delta) -> _Text:
        both = [self.at(node.left), self.at(node.right)]
        return _Text(
            self.symbol("delta")
            + self.scripts(("" if len("".join(both)) == 2 else ",").join(both), "")
        )

    def branch(self, node: tree.Branch) -> _Text:
        when = "otherwise" if node.condition is None else "if " + self.at(node.condition)
        return _Text(f"{self.at(node.value)} {when}")

    def cases(self, node: tree.Cases) -> _Text:
        return _Text("{" + "; ".join(self.at(b) for b in node.branches) + "}")

    def matrix(self, node: tree.Matrix) -> _Text:
        return _Text("[" + "; ".join(self.listed(row) for row in node.rows) + "]")

    def listing(self, node: tree.Listing) -> _Text:
        inner = self.listed(node.items)
        return _Text(f"({inner})" if node.kind == "tuple" else "{" + inner + "}")

    def point(self, node: tree.At) -> _Text:
        return _Text(f"{self.at(node.base, PRODUCT)} at {self.listed(node.points)}", PRODUCT)

    def space(self, node: tree.Space) -> _Text:
        return _Text("ℝ" + self.scripts("", "×".join(self.at(e) for e in node.extents)))


class _Plain(_Printer):
    def name(self, name: str, accents: tuple[str, ...], style: str) -> str:
        text = _GREEK.get(
            name, {"ones": "1", "ell": "ℓ", "all": ":", "placeholder": "·"}.get(name, name)
        )
        marks = "".join(_COMBINING.get(a, f"[{a}]") for a in accents)
        return text + marks

    def scripts(self, below: str, above: str) -> str:
        low = f"_{below}" if len(below) == 1 else f"_{{{below}}}" if below else ""
        if above == "ᵀ":
            return low + above
        high = f"^{above}" if len(above) == 1 or (above[:1] in "([" and above) else f"^{{{above}}}"
        return low + (high if above else "")

    def quotient(self, node: tree.Quotient) -> _Text:
        return _Text(
            f"{self.at(node.numerator, POWER)}/{self.at(node.denominator, POWER)}", PRODUCT
        )

    def symbol(self, which: str) -> str:
        known = {
            "pi": "π",
            "infinity": "∞",
            "transpose": "ᵀ",
            "norm": "‖",
            "one": "1",
            "delta": "δ",
        }
        return known.get(which, which)


class _Latex(_Printer):
    opening, closing = r"\left(", r"\right)"

    def name(self, name: str, accents: tuple[str, ...], style: str) -> str:
        special = {"ones": r"\mathbf{1}", "ell": r"\ell", "all": ":", "placeholder": r"\cdot"}
        commands = {"bold": r"\mathbf", "double": r"\mathbb", "script": r"\mathcal"}
        known = name in tree.FUNCTIONS
        if name in special:
            text = special[name]
        elif name in _GREEK:
            text = "\\" + name
        elif len(name) > 1:
            text = ("\\" + name) if known and name in _COMMANDS else self.word(name)
        else:
            text = name
        if style in commands and name not in special:
            is_greek = style == "bold" and name in _GREEK
            text = (r"\boldsymbol" if is_greek else commands[style]) + "{" + text + "}"
        for accent in accents:
            text = f"\\{accent}{{{text}}}"
        return text

    def word(self, text: str) -> str:
        return rf"\text{{{text.replace('_', ' ')}}}" if len(text) > 1 and text.isascii() else text

    def scripts(self, below: str, above: str) -> str:
        low = f"_{{{below}}}" if below else ""
        return low + (f"^{{{above}}}" if above else "")

    def quotient(self, node: tree.Quotient) -> _Text:
        if node.slash:
            text = f"{self.at(node.numerator, POWER)} / {self.at(node.denominator, POWER)}"
            return _Text(text, PRODUCT)
        return _Text(self.fraction(self.at(node.numerator), self.at(node.denominator)))

    def fraction(self, top: str, bottom: str) -> str:
        return rf"\frac{{{top}}}{{{bottom}}}"

    def symbol(self, which: str) -> str:
        known = {"pi": r"\pi", "infinity": r"\infty", "transpose": r"\top", "norm": r"\|"}
        known |= {"one": r"\mathbb{1}", "delta": r"\delta", "∂": r"\partial", "∇": r"\nabla"}
        return (known | {"δ": r"\delta", "dagger": r"\dagger"}).get(which, which)

    def spaced(self, symbol: str) -> str:
        return symbol + " " if len(symbol) > 1 else symbol

    def join(self, mark: str) -> str:
        return _JOINED[mark]

    def root(self, inner: str) -> str:
        return rf"\sqrt{{{inner}}}"

    def operator(self, kind: str) -> str:
        return _BIG_LATEX.get(
            kind, r"\mathbb{E}" if kind == "mean" else rf"\operatorname{{{kind}}}"
        )

    def compared(self, operator: str) -> str:
        return _COMPARED.get(operator, operator)

    def branch(self, node: tree.Branch) -> _Text:
        when = r"\text{otherwise}" if node.condition is None else self.at(node.condition)
        return _Text(f"{self.at(node.value)} & {when}")

    def cases(self, node: tree.Cases) -> _Text:
        rows = r" \\ ".join(self.at(b) for b in node.branches)
        return _Text(rf"\begin{{cases}} {rows} \end{{cases}}")

    def matrix(self, node: tree.Matrix) -> _Text:
        rows = r" \\ ".join(" & ".join(self.at(cell) for cell in row) for row in node.rows)
        return _Text(rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}")

    def listing(self, node: tree.Listing) -> _Text:
        inner = self.listed(node.items)
        return _Text(f"({inner})" if node.kind == "tuple" else rf"\{{{inner}\}}")

    def point(self, node: tree.At) -> _Text:
        return _Text(
            rf"{self.at(node.base, PRODUCT)} \big|_{{{self.listed(node.points)}}}", PRODUCT
        )

    def space(self, node: tree.Space) -> _Text:
        extents = r" \times ".join(self.at(e) for e in node.extents)
        return _Text(r"\mathbb{R}" + self.scripts("", extents))


_COMMANDS = frozenset(
    ["exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "arcsin", "arccos", "det", "dim", "max", "min"]
)
_METHODS: dict[type[Any], Callable[[Any, Any], _Text]] = {
    tree.Number: lambda p, n: p.number(n),
    tree.Constant: lambda p, n: p.constant(n),
    tree.Access: lambda p, n: p.access(n),
    tree.Element: lambda p, n: p.element(n),
    tree.Apply: lambda p, n: p.apply(n),
    tree.Add: lambda p, n: p.add(n),
    tree.Negate: lambda p, n: p.negate(n),
    tree.Product: lambda p, n: p.product(n),
    tree.Quotient: lambda p, n: p.quotient(n),
    tree.Power: lambda p, n: p.power(n),
    tree.Transpose: lambda p, n: p.transpose(n),
    tree.Norm: lambda p, n: p.norm(n),
    tree.Bound: lambda p, n: p.bound(n),
    tree.Big: lambda p, n: p.big(n),
    tree.Derivative: lambda p, n: p.derivative(n),
    tree.Differential: lambda p, n: p.differential(n),
    tree.Comparison: lambda p, n: p.comparison(n),
    tree.Logic: lambda p, n: p.logic(n),
    tree.Indicator: lambda p, n: p.indicator(n),
    tree.Delta: lambda p, n: p.delta(n),
    tree.Branch: lambda p, n: p.branch(n),
    tree.Cases: lambda p, n: p.cases(n),
    tree.Matrix: lambda p, n: p.matrix(n),
    tree.Listing: lambda p, n: p.listing(n),
    tree.At: lambda p, n: p.point(n),
    tree.Space: lambda p, n: p.space(n),
}


def read_as(node: Node) -> str:
    """Return a tree on one line of Unicode, with every scope in parentheses that needs them."""
    return _Plain().text(node)


def latex(node: Node) -> str:
    """Return a tree as LaTeX in the author's own letters, accents and labels."""
    return _Latex().text(node)
