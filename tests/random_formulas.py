"""Random equations in the notation, and their values straight from what was read."""

import math

from symbackprop.formula import Reduce, Reference
from symbackprop.formula_reader import read_equation
from symbackprop.scalar import Named, Number

GIVEN = {"hid": 2.0}
BINARY = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "remainder": lambda a, b: a % b,
    "floor_divide": lambda a, b: a // b,
    "maximum": max,
    "minimum": min,
    "greater": lambda a, b: a > b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "logical_and": lambda a, b: bool(a) and bool(b),
}
UNARY = {
    "negative": lambda a: -a,
    "logical_not": lambda a: not a,
    "exp": math.exp,
    "abs": abs,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "relu": lambda a: max(0.0, a),
}
REDUCE = {"total": sum, "product": math.prod, "largest": max}


class Writer:
    """Writes equations over x[4], W[4, 3], v[4] and an integer y of one sample."""

    def __init__(self, random):
        self.random = random

    def subscript(self, letters):
        letter = self.random.choice(letters)
        shapes = ["{}"] * 4 + ["{} % 2", "{} // 2", "3 - {}", "y", "1", "hid", "({} + 1) % 3"]
        return self.random.choice(shapes).format(letter)

    def read(self, letters):
        shape = self.random.choice(["x[{}]", "s[{}]", "v[{}]", "W[{}, y % 3]", "W[{}, {} % 3]"])
        return shape.format(self.subscript(letters), self.random.choice(letters))

    def value(self, depth, letters):
        choose, kind = self.random.choice, self.random.random()
        if depth <= 0 or kind < 0.2:
            return choose([*letters, "1", "2", "0.5", "hid", "y"])
        if kind < 0.5:
            return self.read(letters)
        parts = [self.value(depth - 1, letters) for _ in range(2)]
        if kind < 0.7:
            return f"({parts[0]} {choose('+-*')} {parts[1]})"
        if kind < 0.85:
            new = next(letter for letter in "klmopq" if letter not in letters)
            body = self.value(depth - 1, [*letters, new])
            return f"{choose(sorted(REDUCE))}({new}, {body} * x[{new}])"
        if kind < 0.93:
            letter = choose(letters)
            shift = choose(["x[{} - 1]", "x[{} - 1] * x[{}]", "total(h, W[{} - 1, h])"])
            guard = choose(["{} > 0", "{} > 1", "{} != 0", "not {} <= 0 and {} <= hid"])
            branches = shift.replace("{}", letter), choose(["0", parts[1]])
            return f"where({guard.replace('{}', letter)}, {branches[0]}, {branches[1]})"
        function = choose(["exp", "abs", "relu", "sigmoid"])
        return f"{function}(x[{choose(letters)}] / 4 + {choose('01')})"

    def equations(self):
        return [
            f"s[i] = x[i] + {self.value(2, ['i'])}".replace("s[", "v[").replace("v", "s", 1),
            f"a[i] = x[i] * {self.value(4, ['i'])} + s[i]",
        ]


def value_of(formula, places, values):
    """The value of a formula at one place, by recursion over what was read."""
    if isinstance(formula, Number):
        return float(formula.value)
    if isinstance(formula, Named):
        return math.pi
    if isinstance(formula, Reference):
        return _read(formula, places, values)
    if isinstance(formula, Reduce):
        (letter,) = formula.indices
        extent = 3 if letter == "h" else 4
        rows = [value_of(formula.body, {**places, letter: k}, values) for k in range(extent)]
        return REDUCE[formula.reduction](rows)
    if formula.function == "where":
        condition, first, second = formula.arguments
        return value_of(first if value_of(condition, places, values) else second, places, values)
    arguments = [value_of(argument, places, values) for argument in formula.arguments]
    return {**UNARY, **BINARY}[formula.function](*arguments)


def _read(reference, places, values):
    if reference.name in places:
        return places[reference.name]
    if reference.name in GIVEN:
        return GIVEN[reference.name]
    item = values[reference.name]
    for subscript in reference.subscripts:
        place = int(value_of(subscript, places, values))
        assert place >= 0
        item = item[place]
    return item


def results(texts, values, functions):
    """The last target's values over its one index, which runs over 4 places."""
    for text in texts:
        assignment = read_equation(text, functions)
        target = [value_of(assignment.value, {"i": place}, values) for place in range(4)]
        values = {**values, assignment.target.name: target}
    return target
