"""Total derivatives and differentials as documents, and as what Python shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction as Rational
from functools import cached_property

from symbackprop.calculus.total import Differential, Line, Mark, Total
from symbackprop.notation.composition import names_of
from symbackprop.render import scalars
from symbackprop.render.document import Display, Document, Inlines, Paragraph, Section
from symbackprop.render.document import Line as Shown
from symbackprop.render.latex import latex
from symbackprop.render.plain import text
from symbackprop.render.typeset import Fraction, Math, Numeral, Operator, Symbol, Words, listed, row
from symbackprop.scalar import Expression, Named, Slot, substitute

_SIGN = Operator("∂", "plain")
_D = Symbol("d")
_LONG = 60  # characters of an expression; the title names the value of a longer one instead


@dataclass(frozen=True)
class TotalDerivative:
    """A total derivative or differential with every step; notebooks show its result.

    ``str()`` is the derivation as text.

    Attributes:
        totals: what was derived, one for each name that it was derived by.
        source: Python code that derives it again.
    """

    totals: tuple[Total, ...]
    source: str

    def document(self) -> Document:
        """Return the derivation as a document, for the writers of ``symbackprop.render``."""
        return total_document(self.totals, self.source)

    def __str__(self) -> str:
        return text(self.document())

    def _repr_latex_(self) -> str:
        lines = [rf"{latex(left)} &= {latex(right)}" for left, right in map(_result, self.totals)]
        return r"$\displaystyle \begin{aligned}" + r" \\ ".join(lines) + r"\end{aligned}$"


def total_document(totals: Sequence[Total], source: str = "") -> Document:
    """Return derivations of one composition as a document.

    Args:
        totals: one for each name that it was derived by.
        source: Python code that derives them again.
    """
    first = totals[0]
    composition = first.composition
    differential = isinstance(first.left, Differential)
    kind = "Total differential" if differential else "Total derivative"
    what = composition.text if len(composition.text) <= _LONG else composition.name
    by = ", ".join(name for total in totals for name in total.wrt)
    title = f"{kind} of {what}" + ("" if differential else f" with respect to {by}")
    sections = [_definitions(totals)]
    for place, total in enumerate(totals, start=1):
        sections.extend(_derivation(total, kind, place, several=len(totals) > 1))
    summary = [part for total in totals for part in (", ", _equation(*_result(total)))][1:]
    return Document(title, tuple(summary), tuple(sections), source)


def _result(total: Total) -> tuple[Math, Math]:
    return _mark(total.left), _Setting(total).math(total.result)


def _equation(left: Math, right: Math) -> Math:
    return row(left, Operator("=", "relation"), right)


def _mark(mark: Mark) -> Math:
    if isinstance(mark, Differential):
        return row(_D, scalars.named(mark.of))
    sign = _SIGN if mark.partial else _D
    return Fraction(row(sign, scalars.named(mark.above)), row(sign, scalars.named(mark.below)))


@dataclass(frozen=True)
class _Setting:
    """Sets the expressions of one derivation."""

    total: Total

    def math(self, expression: Expression) -> Math:
        marks = {mark.named.name: mark for mark in self.total.marks}
        names = names_of(expression)
        slots: dict[Expression, Expression] = {Named(n): Slot(k) for k, n in enumerate(names)}
        operands = [_mark(marks[n]) if n in marks else scalars.named(n) for n in names]
        named = scalars.lettered(substitute(expression, slots), self.numbers)
        composition = self.total.composition
        spoken = {*composition.free, *(d.name for d in composition.definitions)}
        return scalars.enclosed(scalars.scalar(named, operands, written_exp="e" in spoken))

    @cached_property
    def numbers(self) -> dict[Rational, str]:
        """Names of numbers that are too long to be read."""
        composition = self.total.composition
        values = (definition.value for definition in composition.definitions)
        return scalars.letters_for(values, [d.name for d in composition.definitions])

    def shown(self, line: Line, reason: Inlines = (), condition: Math | None = None) -> Shown:
        return Shown(
            _mark(line.left),
            self.math(line.right),
            condition=condition,
            rule=line.rule,
            reason=reason,
        )


def _definitions(totals: Sequence[Total]) -> Section:
    first = totals[0]
    setting = _Setting(first)
    definitions = first.composition.definitions
    numbers = [
        Shown(scalars.named(name), Numeral(scalars.long_number(value) or ""))
        for value, name in setting.numbers.items()
    ]
    named = [Shown(scalars.named(d.name), setting.math(d.value)) for d in definitions]
    lines = (*numbers, *named)
    sentences: list[Inlines] = []
    opened = [scalars.named(d.name) for d in definitions if d.open]
    if opened:
        verb = _verb(opened)
        sentences.append((*_enumerated(opened), verb, " left open; derivatives stay symbols."))
    varying = [scalars.named(name) for total in totals for name in total.wrt]
    if len(totals) > 1:
        sentences.append(("Each of ", *_enumerated(varying), " varies while the others are held."))
    constants = [scalars.named(n) for n in first.constants if scalars.named(n) not in varying]
    if constants:
        sentences.append((*_enumerated(constants), _verb(constants), " held constant."))
    words = [piece for sentence in sentences for piece in (" ", *sentence)][1:]
    paragraph = [Paragraph(tuple(words))] if words else []
    return Section(("Definitions",), "definitions", (Display(lines, "given"), *paragraph))


def _verb(subjects: Sequence[Math]) -> str:
    return " is" if len(subjects) == 1 else " are"


def _enumerated(items: Sequence[Math]) -> Inlines:
    """Return items as in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    parts: list[str | Math] = []
    for place, item in enumerate(items):
        parts += [" and " if place == len(items) - 1 else ", "] if place else []
        parts.append(item)
    return tuple(parts)


def _derivation(total: Total, kind: str, place: int, *, several: bool) -> list[Section]:
    setting = _Setting(total)
    by: Inlines = (" by ", scalars.named(total.wrt[0])) if several else ()
    number = f"-{place}" if several else ""
    sections = []
    if total.partials:
        lines = tuple(setting.shown(line, condition=_held(line.names)) for line in total.partials)
        display = Display(lines, f"partials{number}")
        title: Inlines = ("Local partials", *by)
        sections.append(Section(title, f"local{number}", (display,)))
    displays = tuple(
        Display(_chain(setting, lines), f"sum{number}-{k}")
        for k, lines in enumerate(total.sums, start=1)
    )
    if displays:
        sections.append(Section((kind, *by), f"total{number}", displays))
    return sections


def _held(names: Sequence[str]) -> Math | None:
    if not names:
        return None
    return row(listed(*map(scalars.named, names)), Words(" held constant"))


def _chain(setting: _Setting, lines: Sequence[Line]) -> tuple[Shown, ...]:
    """Return the forms of one sum; the first says what it runs over, the others have no left."""
    first, *rest = lines
    shown = [setting.shown(first, _paths(first, setting.total) if first.names else ())]
    shown += [Shown(None, setting.math(line.right), rule=line.rule) for line in rest]
    return tuple(shown)


def _paths(line: Line, total: Total) -> Inlines:
    """Return why a sum runs over what it runs over."""
    inner = _enumerated([scalars.named(name) for name in line.names if name not in total.wrt])
    if isinstance(line.left, Differential):
        varying = _enumerated([scalars.named(name) for name in line.names])
        return (scalars.named(line.left.of), " varies with ", *varying)
    through: Inlines = (" through ", *inner) if inner else ()
    if len(line.names) == 1 and inner:
        through = (*through, " alone")
    if len(line.names) > len([name for name in line.names if name not in total.wrt]):
        through = (*through, " and directly" if through else " directly")
    end = "; this is the sum over every path" if len(line.names) > 1 else ""
    above = scalars.named(line.left.above)
    return (above, " depends on ", scalars.named(total.wrt[0]), *through, end)
