"""Reads a typeset matrix formula as a person does, and computes it by NumPy.

``⊙``, fractions, ``∘`` and functions act entry by entry; what stands side by side is a matrix
product, or scaled by a number. Brackets count, and so does how tightly signs bind.
"""

import math

import numpy as np

from symbackprop.render.typeset import (
    APPLICATION,
    TIMES,
    Cases,
    Fenced,
    Fraction,
    Large,
    Numeral,
    Operator,
    Root,
    Row,
    Script,
    Symbol,
    row,
)

FUNCTIONS = {name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "sin", "cos")} | {
    "tanh": np.tanh,
    "erf": np.vectorize(math.erf, otypes=[float]),
    "sign": np.sign,
    "copysign": np.copysign,
    "min": lambda *a: np.minimum(*a) if len(a) == 2 else np.min(a[0]),
    "max": lambda *a: np.maximum(*a) if len(a) == 2 else np.max(a[0]),
}
RELATIONS = {
    "<": np.less,
    ">": np.greater,
    "≤": np.less_equal,
    "≥": np.greater_equal,
    "=": np.equal,
    "≠": np.not_equal,
}
MARKS = (Operator("⊤", "plain"), Symbol("T", "upright"))


class Reader:
    """``values`` are the numbers of letters; one of one entry is a number."""

    def __init__(self, values):
        self.values = {letter: number(value) for letter, value in values.items()}

    def of(self, math_):
        if math_ in self.values:
            return self.values[math_]
        rules = {
            Numeral: lambda: float(math_.text),
            Symbol: lambda: {"π": math.pi, "e": math.e}[math_.text],
            Root: lambda: np.sqrt(self.of(math_.body)),
            Fraction: lambda: entrywise(np.divide, self.of(math_.above), self.of(math_.below)),
            Fenced: lambda: self.fenced(math_),
            Cases: lambda: self.cases(math_),
            Script: lambda: self.script(math_),
            Row: lambda: self.relation(list(math_.parts)),
        }
        return number(rules[type(math_)]())

    def fenced(self, math_):
        inside = self.of(math_.body)
        return np.abs(inside) if math_.opening == "|" else np.multiply(inside, 1.0)

    def cases(self, math_):
        result = None
        for value, condition in reversed(math_.rows):
            chosen = self.of(value)
            result = chosen if condition is None else np.where(self.of(condition), chosen, result)
        return result

    def script(self, math_):
        base, below, above = math_.base, math_.below, math_.above
        if base == Symbol("1", "bold"):
            ones = np.ones((int(self.of(below)), 1))
            return ones.T if above in MARKS else ones
        *rest, last = above.parts if isinstance(above, Row) else (above,)
        if last in MARKS:
            return self.of(Script(base, below, row(*rest)) if rest else base).T
        if isinstance(base, Fenced) and base.opening == "‖":
            return np.sum(np.square(self.of(base.body)))
        exponents = [Operator("∘", "plain")] == rest
        return np.power(self.of(base), self.of(last if exponents else above))

    def relation(self, parts):
        for place, part in enumerate(parts):
            if isinstance(part, Operator) and part.text in RELATIONS:
                sides = self.sum(parts[:place]), self.sum(parts[place + 1 :])
                return entrywise(RELATIONS[part.text], *sides)
        return self.sum(parts)

    def sum(self, parts):
        total, sign, term = None, 1.0, []
        for part in [*parts, Operator("+")]:
            if isinstance(part, Operator) and part.text in "+−":
                if term:
                    value = np.multiply(sign, self.hadamard(term))
                    total = value if total is None else entrywise(np.add, total, value)
                sign, term = (-1.0 if part.text == "−" else 1.0), []
            else:
                term.append(part)
        return total

    def hadamard(self, parts):
        return self.chain(parts, "⊙", self.product, lambda a, b: entrywise(np.multiply, a, b))

    def product(self, parts):
        def times(a, b):
            return a * b if np.ndim(a) == 0 or np.ndim(b) == 0 else number(a @ b)

        return self.chain([p for p in parts if p != Operator("·")], TIMES, self.factor, times)

    def chain(self, parts, sign, inner, joint):
        pieces = [[]]
        for part in parts:
            if isinstance(part, Operator) and part.text == sign:
                pieces.append([])
            else:
                pieces[-1].append(part)
        result = inner(pieces[0])
        for piece in pieces[1:]:
            result = joint(result, inner(piece))
        return result

    def factor(self, parts):
        if len(parts) == 3 and parts[1] == Operator(APPLICATION, "plain"):
            body = parts[2].body
            arguments = listed(body)
            return FUNCTIONS[parts[0].text](*(self.of(argument) for argument in arguments))
        if isinstance(parts[0], Large):
            return self.extremum(parts[0], parts[1])
        (part,) = parts
        return self.of(part)

    def extremum(self, large, entry):
        turned = isinstance(entry, Script) and entry.above in MARKS
        entry = entry.base.body if turned else entry
        base = entry.base if entry.above is None else Script(entry.base, None, entry.above)
        columns = entry.below.parts[0] == Operator("·", "plain")
        assert columns != turned
        reduce = {"max": np.max, "min": np.min}[large.sign]
        return reduce(self.of(base), axis=1 if columns else 0).reshape(-1, 1)


def listed(body):
    """What stands between commas."""
    parts = body.parts if isinstance(body, Row) else (body,)
    places = [k for k, part in enumerate(parts) if part == Operator(",", "punctuation")]
    ends = zip([-1, *places], [*places, len(parts)], strict=True)
    return [row(*parts[start + 1 : end]) for start, end in ends]


def number(value):
    """A number where there is but one entry."""
    return float(np.reshape(value, ())) if np.size(value) == 1 else np.asarray(value, dtype=float)


def entrywise(function, a, b):
    """The function of arrays of one shape, or of a number and an array."""
    assert np.ndim(a) == 0 or np.ndim(b) == 0 or np.shape(a) == np.shape(b)
    return function(a, b)
