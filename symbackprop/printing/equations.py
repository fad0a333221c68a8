"""Equations as one line of Unicode each: z1[n, i] = Σ_j W1[j, i] x[n, j] + b1[i]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Equation,
    Extent,
    Index,
    IndexExpression,
    Operand,
    Quotient,
    Term,
    Variable,
    accesses_of,
    indices_of,
)
from symbackprop.scalar import ONE, Apply, Expression, Named, Number, Slot, decimal
from symbackprop.sizes import Size, shown

# How tightly a text binds: a weaker one is put in parentheses.
_SUM, _SIGN, _REDUCED, _PRODUCT, _POWER, _ATOM = range(6)
_COMPARISON = -1

_RELATIONS = {
    "greater": ">",
    "greater_equal": "≥",
    "less": "<",
    "less_equal": "≤",
    "equal": "=",
    "not_equal": "≠",
    "logical_and": "and",
    "logical_or": "or",
}
_REDUCTIONS = {
    "total": "Σ",
    "product": "Π",
    "largest": "max",
    "smallest": "min",
    "argmax": "argmax",
    "argmin": "argmin",
}
_NAMES = {"pi": "π", "maximum": "max", "minimum": "min"}
_GREEK = {
    name: chr(code)
    for name, code in [
        ("alpha", 0x3B1),
        ("beta", 0x3B2),
        ("gamma", 0x3B3),
        ("delta", 0x3B4),
        ("eta", 0x3B7),
        ("lambda", 0x3BB),
        ("mu", 0x3BC),
        ("sigma", 0x3C3),
    ]
}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_Text = tuple[str, int]


def equation_lines(equations: Sequence[Equation]) -> list[str]:
    """Return a line for each equation; those made by normalising stand inside their reader."""
    made = {e.target.variable: e for e in equations if e.target.variable.made}
    reads = [
        access.variable
        for equation in equations
        for operand in equation.operands
        for access in accesses_of(operand)
    ]
    inner = {variable: e for variable, e in made.items() if reads.count(variable) == 1}
    return [
        _Line(inner).text(equation)
        for equation in equations
        if equation.target.variable not in inner
    ]


def adjoint_lines(adjoint: Adjoint) -> list[str]:
    """Return the sum of the terms as one line, and a line for each term that is scattered."""
    bare = [term for term in adjoint.terms if _is_bare(term.target)]
    rest = [term for term in adjoint.terms if not _is_bare(term.target)]
    lines = []
    if bare:
        line, names = _Line({}), dict[Index, str]()
        indices = [index for index in bare[0].target.indices if isinstance(index, Index)]
        for index in indices:
            names[index] = line._fresh(index)
        texts = []
        for term in bare:
            own = [index for index in term.target.indices if isinstance(index, Index)]
            same = {mine: names[shared] for mine, shared in zip(own, indices, strict=True)}
            texts.append(line.term(term, same))
        total = " + ".join(texts).replace("+ −", "− ")
        lines.append(f"{line._access(bare[0].target, names)} = {total}")
    for term in rest:
        line, names = _Line({}), dict[Index, str]()
        text = line.term(term, names)
        lines.append(f"{line._access(term.target, names)} {'=' if term.assigned else '+='} {text}")
    return lines


def _is_bare(access: Access) -> bool:
    return all(isinstance(index, Index) for index in access.indices)


def scalar_text(expression: Expression) -> str:
    """Return a scalar expression without slots, as an extent is."""
    return _scalar(expression, ())[0]


class _Line:
    """One printed equation; ``names`` gives every index of every scope in it a text."""

    def __init__(self, inner: Mapping[Variable, Equation]) -> None:
        self._inner = inner
        self._taken: set[str] = set()

    def text(self, equation: Equation) -> str:
        names: dict[Index, str] = {}
        for index in equation.free:
            names[index] = self._fresh(index)
        target = self._access(equation.target, names)
        return f"{target} = {self._right_side(equation, names)[0]}"

    def _right_side(self, equation: Equation, names: dict[Index, str]) -> _Text:
        for index in (*equation.reduced, *_indices(equation)):
            if index not in names:
                names[index] = self._fresh(index)
        operands = [self._operand(operand, names) for operand in equation.operands]
        body = _scalar(equation.function, operands)
        if equation.reduction is None:
            return body
        bounds = ", ".join(names[index] for index in equation.reduced)
        left_out = [f"{names[i]} ≠ {self._index(e, names)}" for i, e in equation.excluding]
        subscript = f"({', '.join([bounds, *left_out])})" if left_out or ", " in bounds else bounds
        sign = f"{_REDUCTIONS[equation.reduction]}_{subscript}"
        return f"{sign} {_enclosed(body, _REDUCED)}", _REDUCED

    def term(self, term: Term, names: dict[Index, str]) -> str:
        """Return coefficient, sum and factors of a term; fills in the names it makes."""
        for index in term.space:
            if index not in names:
                names[index] = self._fresh(index)
        kept = set(indices_of(term.target))
        factors = []
        for factor in term.factors:
            operands = [self._operand(operand, names) for operand in factor.operands]
            factors.append((factor.function, _scalar(factor.function, operands)))
        if term.coefficient != ONE or not factors:
            factors.insert(0, (term.coefficient, _scalar(term.coefficient, [])))
        body = _product(Apply("multiply", ()), [text for _, text in factors])
        bounds = ", ".join(names[index] for index in term.space if index not in kept)
        if not bounds:
            return body[0]
        return f"Σ_{f'({bounds})' if ', ' in bounds else bounds} {_enclosed(body, _REDUCED)}"

    def _fresh(self, index: Index) -> str:
        """Return the index's name, or for one made or taken already the next free letter."""
        name = index.name
        if name in self._taken or "_" in name or name.endswith("'"):
            free = [letter for letter in "ijklmpqrstuvw" if letter not in self._taken]
            name = free[0] if free else f"{name}′"
        self._taken.add(name)
        return name

    def _operand(self, operand: Operand, names: Mapping[Index, str]) -> _Text:
        if isinstance(operand, Index):
            return names[operand], _ATOM
        inner = self._inner.get(operand.variable)
        if inner is None:
            text = self._access(operand, names)
            return f"padded({text})" if _may_leave(operand) else text, _ATOM
        scope = {
            index: self._index(outer, names)
            for index, outer in zip(inner.free, operand.indices, strict=True)
        }
        return self._right_side(inner, scope)

    def _access(self, access: Access, names: Mapping[Index, str]) -> str:
        if not access.indices:
            return _variable(access.variable)
        inside = ", ".join(self._index(index, names) for index in access.indices)
        return f"{_variable(access.variable)}[{inside}]"

    def _index(self, index: IndexExpression, names: Mapping[Index, str]) -> str:
        if isinstance(index, Index):
            return names[index]
        if isinstance(index, Access):
            return self._access(index, names)
        if isinstance(index, Affine):
            return _affine(index, names)
        sign = "//" if isinstance(index, Quotient) else "%"
        dividend = self._index(index.dividend, names)
        grouped = f"({dividend})" if isinstance(index.dividend, Affine) else dividend
        return f"{grouped} {sign} {_extent(index.divisor)}"


def _may_leave(access: Access) -> bool:
    """Whether a moved index may lead outside, where the read counts as nothing."""
    return access.fill is not None and any(isinstance(i, Affine) for i in access.indices)


def _variable(variable: Variable) -> str:
    return variable.name.replace("_", "", 1) if variable.made else variable.name


def _indices(equation: Equation) -> Iterator[Index]:
    for operand in equation.operands:
        yield from indices_of(operand)


def _affine(affine: Affine, names: Mapping[Index, str]) -> str:
    signs: dict[Extent, str] = {1: "", -1: "-"}
    parts = [
        f"{signs.get(factor, f'{_extent(factor)}*')}{names[index]}"
        for factor, index in affine.terms
    ]
    if affine.offset != 0 or not parts:
        parts.append(_extent(affine.offset))
    return " + ".join(parts).replace("+ -", "- ")


def _extent(extent: Extent) -> str:
    return shown(extent) if isinstance(extent, int | Size) else scalar_text(extent)


def _enclosed(text: _Text, least: int) -> str:
    """Return the text, in parentheses where it binds too loosely; a condition as [a > b]."""
    if text[1] == _COMPARISON:
        return f"[{text[0]}]"
    return text[0] if text[1] >= least else f"({text[0]})"


def _scalar(node: Expression, operands: Sequence[_Text]) -> _Text:
    if isinstance(node, Slot):
        return operands[node.position]
    if isinstance(node, Named):
        return _GREEK.get(node.name, _NAMES.get(node.name, node.name)), _ATOM
    if isinstance(node, Number):
        return _number(node.value)
    parts = [_scalar(argument, operands) for argument in node.arguments]
    if node.function in _WRITERS:
        return _WRITERS[node.function](node, parts)
    if node.function in _RELATIONS:
        sign = f" {_RELATIONS[node.function]} "
        return sign.join(_enclosed(part, _SUM) for part in parts), _COMPARISON
    name = _NAMES.get(node.function, node.function)
    return f"{name}({', '.join(part[0] for part in parts)})", _ATOM


def _number(value: Fraction) -> _Text:
    short = repr(float(value)) if value.denominator != 1 else str(value.numerator)
    text = short if Fraction(short) == value else decimal(value)
    if text is None:
        return f"{value.numerator}/{value.denominator}".replace("-", "−"), _SIGN
    return text.replace("-", "−"), _ATOM if value >= 0 else _SIGN


def _sum(node: Apply, parts: Sequence[_Text]) -> _Text:
    text = _enclosed(parts[0], _SUM)
    for part in parts[1:]:
        term = _enclosed(part, _SIGN)
        text += f" − {term[1:]}" if term.startswith("−") else f" + {term}"
    return text, _SUM


def _negative(node: Apply, parts: Sequence[_Text]) -> _Text:
    return f"−{_enclosed(parts[0], _REDUCED)}", _SIGN


def _product(node: Apply, parts: Sequence[_Text]) -> _Text:
    first, *rest = parts
    sign = "−" if first[1] == _SIGN and first[0].startswith("−") else ""
    head = _enclosed(first, _SIGN if sign else _PRODUCT)
    factors = [_enclosed(part, _POWER) for part in rest]
    return " ".join([head, *factors]), _SIGN if sign else _PRODUCT


def _quotient(node: Apply, parts: Sequence[_Text]) -> _Text:
    above, below = parts
    return f"{_enclosed(above, _PRODUCT)} / {_enclosed(below, _POWER)}", _PRODUCT


def _floor(node: Apply, parts: Sequence[_Text]) -> _Text:
    return f"⌊{_quotient(node, parts)[0]}⌋", _ATOM


def _power(node: Apply, parts: Sequence[_Text]) -> _Text:
    base, exponent = _enclosed(parts[0], _ATOM), node.arguments[1]
    if isinstance(exponent, Number) and exponent.value.denominator == 1:
        return base + str(exponent.value).translate(_SUPERSCRIPTS), _POWER
    return f"{base}^{_enclosed(parts[1], _ATOM)}", _POWER


def _where(node: Apply, parts: Sequence[_Text]) -> _Text:
    condition, chosen, otherwise = (part[0] for part in parts)
    return f"{{{chosen} if {condition}, else {otherwise}}}", _ATOM


def _root(node: Apply, parts: Sequence[_Text]) -> _Text:
    return f"√{_enclosed(parts[0], _ATOM)}", _POWER


def _modulus(node: Apply, parts: Sequence[_Text]) -> _Text:
    return f"|{parts[0][0]}|", _ATOM


_WRITERS = {
    "add": _sum,
    "negative": _negative,
    "multiply": _product,
    "divide": _quotient,
    "floor_divide": _floor,
    "power": _power,
    "where": _where,
    "sqrt": _root,
    "abs": _modulus,
}
