"""How a tree is printed, whatever the notation: parentheses, order, scripts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.model import UNNAMED
from symbackprop.auditing.formulas.reading.words import GREEK
from symbackprop.auditing.formulas.tree import Access, Bound, Label, Node

SUM, NEGATIVE, PRODUCT, POWER, ATOM = range(5)
SIGNS = dict(
    zip(
        GREEK,
        "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ",
        strict=True,
    )
)
RAISED = {"square": "2", "star": "*", "dagger": "†", "plus": "+", "minus": "-"}
_BIG = {"sum": "Σ", "product": "Π", "mean": "mean"}
_COMPARED_PLAIN = {"!=": "≠", "<=": "≤", ">=": "≥", "in": "∈", "notin": "∉"}


@dataclass(frozen=True, slots=True)
class Text:
    """A printed node and how tightly it holds together."""

    text: str
    level: int = ATOM

    def within(self, level: int, opening: str = "(", closing: str = ")") -> str:
        """Return the text, in parentheses where it holds together less than asked."""
        return self.text if self.level >= level else f"{opening}{self.text}{closing}"


class Printer(ABC):
    """Prints trees; a subclass says how symbols, scripts and fractions look."""

    opening, closing = "(", ")"

    def text(self, node: Node) -> str:
        """Return a whole tree as text; children first, without recursion."""
        done: dict[int, Text] = {}
        waiting: list[tuple[Node, bool]] = [(node, False)]
        while waiting:
            here, ready = waiting.pop()
            if ready:
                self.done = done
                done[id(here)] = METHODS[type(here)](self, here)
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

    @abstractmethod
    def _name(self, name: str, accents: tuple[str, ...], style: str) -> str: ...

    @abstractmethod
    def _scripts(self, below: str, above: str) -> str: ...

    @abstractmethod
    def _quotient(self, node: tree.Quotient) -> Text: ...

    @abstractmethod
    def _symbol(self, which: str) -> str: ...

    # Nodes.

    def _number(self, node: tree.Number) -> Text:
        if node.text and node.text != "√":
            return Text(node.text)
        return Text(str(node.value), ATOM if node.value.denominator == 1 else PRODUCT)

    def _constant(self, node: tree.Constant) -> Text:
        return Text(self._symbol(node.name))

    def _access(self, node: Access) -> Text:
        accents = tuple(a for a in node.accents if a not in RAISED)
        written = node.name.lower() if node.style == tree.SMALL else node.name
        name = self._name(written, accents, node.style)
        below = [self._label(m) for m in node.labels if m.place == "below"]
        above = [self._label(m) for m in node.labels if m.place != "below"]
        above += [
            RAISED[a] if a != "dagger" else self._symbol(a) for a in node.accents if a in RAISED
        ]
        indices = [self.at(i) for i in node.indices]
        compact = all(len(i) == 1 for i in indices)
        spelled = ("" if compact and not any(len(b) > 1 for b in below) else ",").join(
            [*below, *indices]
        )
        return Text(name + "'" * node.primes + self._scripts(spelled, "".join(above)))

    def _label(self, label: Label) -> str:
        sign = f"+{label.shift}" if label.shift > 0 else str(label.shift)
        text = (
            (self._word(label.base) + (sign if label.shift else ""))
            if label.base
            else str(label.shift)
        )
        shapes = {"round": f"({text})", "square": f"[{text}]"}
        return shapes.get(label.place, text)

    def _word(self, text: str) -> str:
        return text

    def _element(self, node: tree.Element) -> Text:
        base = self.done[id(node.base)]
        held = base.within(ATOM) if isinstance(node.base, tree.Apply) else f"[{base.text}]"
        return Text(held + self._scripts(",".join(self.at(i) for i in node.indices), ""))

    def _apply(self, node: tree.Apply) -> Text:
        function = self._function(node)
        if not node.arguments:
            return Text(function)
        return Text(f"{function}{self.opening}{self.listed(node.arguments)}{self.closing}")

    def _function(self, node: tree.Apply) -> str:
        base = self._scripts(self.at(node.base), "") if node.base is not None else ""
        return self.at(node.function) + base + "'" * node.primes

    def _add(self, node: tree.Add) -> Text:
        text = ""
        for k, term in enumerate(node.terms):
            if isinstance(term, tree.Negate) and k:
                text += " - " + self.at(term.operand, PRODUCT)
            else:
                text += (" + " if k else "") + self.at(term, NEGATIVE)
        return Text(text, SUM)

    def _negate(self, node: tree.Negate) -> Text:
        return Text("-" + self.at(node.operand, PRODUCT), NEGATIVE)

    def _product(self, node: tree.Product) -> Text:
        text = ""
        for k, factor in enumerate(node.factors):
            join = node.joins[k - 1] if k else ""
            text += (f" {self._join(join)} " if join else " ") if k else ""
            nested = isinstance(factor, tree.Product)
            open_ended = isinstance(factor, tree.Big) and k < len(node.factors) - 1
            tight = open_ended or (nested and not self._is_group(node))
            text += self.at(factor, POWER if tight else PRODUCT)
        return Text(text, PRODUCT)

    def _is_group(self, node: tree.Product) -> bool:
        return set(node.joins) == {tree.HADAMARD}

    def _join(self, mark: str) -> str:
        return mark

    def _power(self, node: tree.Power) -> Text:
        exponent = node.exponent
        if isinstance(exponent, tree.Number) and exponent.text == "√":
            return Text(self._root(self.at(node.base)))
        base = self.at(node.base, ATOM)
        if self._is_scripted(node.base):
            base = f"{self.opening}{base}{self.closing}"
        return Text(base + self._scripts("", self.at(exponent)), POWER)

    def _is_scripted(self, base: Node) -> bool:
        has_labels = isinstance(base, Access) and any(m.place != "below" for m in base.labels)
        return has_labels or isinstance(base, tree.Transpose | tree.Quotient | tree.Derivative)

    def _root(self, inner: str) -> str:
        return f"√({inner})"

    def _transpose(self, node: tree.Transpose) -> Text:
        inner = self.at(node.operand, ATOM)
        if self._is_scripted(node.operand) or isinstance(node.operand, tree.Apply):
            inner = f"{self.opening}{inner}{self.closing}"
        return Text(inner + self._scripts("", self._symbol("transpose")), POWER)

    def _norm(self, node: tree.Norm) -> Text:
        bar = self._symbol("norm") if node.bars == 2 else "|"
        order = self._scripts(self.at(node.order), "") if node.order is not None else ""
        return Text(f"{bar}{self.at(node.operand)}{bar}{order}")

    def _bound(self, node: Bound) -> Text:
        text = self.at(node.index)
        if node.lower is not None:
            text += "=" + self.at(node.lower)
        if node.members is not None:
            text += f" {self._compared('in')} {self.at(node.members)}"
        if node.condition is not None:
            text += ", " + self.at(node.condition)
        return Text(text)

    def _big(self, node: tree.Big) -> Text:
        below = ", ".join(self.at(b) for b in node.bounds)
        last = node.bounds[-1].upper if node.bounds else None
        above = self.at(last) if last is not None else ""
        body = self.at(node.body, PRODUCT)
        return Text(f"{self._operator(node.kind)}{self._scripts(below, above)} {body}", PRODUCT)

    def _operator(self, kind: str) -> str:
        return _BIG.get(kind, kind)

    def _derivative(self, node: tree.Derivative) -> Text:
        symbol = self._symbol(node.symbol)
        points = self._at_points(node.at)
        if node.form == "prime" and node.of is not None:
            return Text(f"({self.at(node.of)})'")
        by = [self.at(v, ATOM) for v in node.by]
        if node.of is None or node.of == UNNAMED:
            return Text(f"{symbol}{' ' if symbol[-1].isalpha() and len(symbol) > 1 else ''}{by[0]}")
        of = self.at(node.of, ATOM)
        if node.symbol == "∇" or node.form == "subscript":
            return Text(symbol + self._scripts(", ".join(by), "") + " " + of + points, POWER)
        return self._fraction_of(node, symbol, of, by, points)

    def _fraction_of(
        self, node: tree.Derivative, symbol: str, of: str, by: list[str], points: str
    ) -> Text:
        order = self._scripts("", str(len(by))) if len(by) > 1 else ""
        below = " ".join(f"{self._spaced(symbol)}{v}" for v in by)
        if node.form == "operator":
            held = self.at(node.of, PRODUCT) if node.of is not None else ""
            return Text(f"{self._fraction(symbol + order, below)} {held}{points}", PRODUCT)
        return Text(self._fraction(f"{self._spaced(symbol + order)}{of}", below) + points)

    def _spaced(self, symbol: str) -> str:
        return symbol

    def _fraction(self, top: str, bottom: str) -> str:
        return f"{top}/{bottom}"

    def _at_points(self, points: tuple[Node, ...]) -> str:
        return f"({self.listed(points)})" if points else ""

    def _differential(self, node: tree.Differential) -> Text:
        return Text(self._spaced(self._symbol(node.symbol)) + self.at(node.of, ATOM))

    def _comparison(self, node: tree.Comparison) -> Text:
        return Text(
            f"{self.at(node.left)} {self._compared(node.operator)} {self.at(node.right)}", SUM
        )

    def _compared(self, operator: str) -> str:
        return _COMPARED_PLAIN.get(operator, operator)

    def _logic(self, node: tree.Logic) -> Text:
        return Text(f" {self._word(node.operator)} ".join(self.at(p) for p in node.parts), SUM)

    def _indicator(self, node: tree.Indicator) -> Text:
        return Text(f"{self._symbol('one')}[{self.at(node.condition)}]")

    def _delta(self, node: tree.Delta) -> Text:
        both = [self.at(node.left), self.at(node.right)]
        return Text(
            self._symbol("delta")
            + self._scripts(("" if len("".join(both)) == 2 else ",").join(both), "")
        )

    def _branch(self, node: tree.Branch) -> Text:
        when = "otherwise" if node.condition is None else "if " + self.at(node.condition)
        return Text(f"{self.at(node.value)} {when}")

    def _cases(self, node: tree.Cases) -> Text:
        return Text("{" + "; ".join(self.at(b) for b in node.branches) + "}")

    def _matrix(self, node: tree.Matrix) -> Text:
        return Text("[" + "; ".join(self.listed(row) for row in node.rows) + "]")

    def _listing(self, node: tree.Listing) -> Text:
        inner = self.listed(node.items)
        return Text(f"({inner})" if node.kind == "tuple" else "{" + inner + "}")

    def _point(self, node: tree.At) -> Text:
        return Text(f"{self.at(node.base, PRODUCT)} at {self.listed(node.points)}", PRODUCT)

    def _space(self, node: tree.Space) -> Text:
        return Text("ℝ" + self._scripts("", "×".join(self.at(e) for e in node.extents)))


METHODS: dict[type[Any], Callable[[Any, Any], Text]] = {
    tree.Number: lambda p, n: p._number(n),
    tree.Constant: lambda p, n: p._constant(n),
    tree.Access: lambda p, n: p._access(n),
    tree.Element: lambda p, n: p._element(n),
    tree.Apply: lambda p, n: p._apply(n),
    tree.Add: lambda p, n: p._add(n),
    tree.Negate: lambda p, n: p._negate(n),
    tree.Product: lambda p, n: p._product(n),
    tree.Quotient: lambda p, n: p._quotient(n),
    tree.Power: lambda p, n: p._power(n),
    tree.Transpose: lambda p, n: p._transpose(n),
    tree.Norm: lambda p, n: p._norm(n),
    tree.Bound: lambda p, n: p._bound(n),
    tree.Big: lambda p, n: p._big(n),
    tree.Derivative: lambda p, n: p._derivative(n),
    tree.Differential: lambda p, n: p._differential(n),
    tree.Comparison: lambda p, n: p._comparison(n),
    tree.Logic: lambda p, n: p._logic(n),
    tree.Indicator: lambda p, n: p._indicator(n),
    tree.Delta: lambda p, n: p._delta(n),
    tree.Branch: lambda p, n: p._branch(n),
    tree.Cases: lambda p, n: p._cases(n),
    tree.Matrix: lambda p, n: p._matrix(n),
    tree.Listing: lambda p, n: p._listing(n),
    tree.At: lambda p, n: p._point(n),
    tree.Space: lambda p, n: p._space(n),
}
