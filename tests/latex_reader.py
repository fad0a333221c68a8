r"""Reads formulas as the LaTeX of a document prints them, and works them out to 60 digits.

It shares no code with the printers. What it knows of the notation:

- juxtaposition is a product, and binds tighter than + and -; a sum or a maximum over an index
  reaches to the next + or -
- ``z^{(1)}_{ij}`` reads an array by its name, label included; ``[a > b]`` is 1 or 0; the first
  case that holds counts; units are counted from ``first``, class numbers too
- an index under max runs along the axis where it stands by itself
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
from mpmath.ctx_mp import MPContext

MP = MPContext()
MP.dps = 60

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[0-9]+(?:\.[0-9]+)?|[^\s]", re.DOTALL)
_SPACE = {"\\,", "\\ ", "\\;", "\\left", "\\right"}
_SIZE = re.compile(r"\\[bB]igg?[lr]")
_CALLED = {f"\\{name}": name for name in ("exp", "log", "sin", "cos", "tanh", "max", "min")}
_NAMED = {"erf", "erfc", "expm1", "log1p", "sign", "copysign"}
_LARGE = {"\\sum": "sum", "\\prod": "prod", "\\max": "max", "\\min": "min"}
_RELATIONS = {"=": "=", "\\neq": "≠", "<": "<", ">": ">", "\\leq": "≤", "\\geq": "≥"}
_BRACKETS = {
    "(": (")", ()),
    "[": ("]", ("truth",)),
    "|": ("|", ("call", "abs")),
    "\\lfloor": ("\\rfloor", ("call", "floor")),
}
_STOPS = {"+", "-", ",", ")", "]", "}", "&", "\\\\", "\\end", "\\rfloor", "\\mathbin"}
_STOPS |= {"\\wedge", "\\vee", *_RELATIONS}


class UnreadableError(Exception):
    """The text is no formula that the reader knows."""


@dataclass(frozen=True)
class Array:
    """An array by its printed name, its axes in the order of the printed indices."""

    values: np.ndarray
    integer: bool = False


@dataclass
class Vocabulary:
    """What names stand for; an adjoint's name begins with ∂."""

    arrays: dict[str, Array] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    functions: Mapping[str, Any] = field(default_factory=dict)
    first: int = 1
    cost: str = "L"
    partials: Mapping[str, Any] = field(default_factory=dict)  # of "above/below", at both places
    lengths: Mapping[str, int] = field(default_factory=dict)  # of letters, as a line tells them
    outside: bool = False  # whether reads outside are 0, under a maximum less than any number


def tokens(text: str) -> list[str]:
    return [t for t in _TOKEN.findall(text) if t not in _SPACE and not _SIZE.fullmatch(t)]


def read(text: str, vocabulary: Vocabulary) -> tuple:
    """Return the formula as a tree of tuples."""
    reader = _Reader(tokens(text), vocabulary)
    tree = reader.expression()
    if reader.left:
        raise UnreadableError(f"{' '.join(reader.left)} is left over")
    return tree


class _Reader:
    def __init__(self, left: list[str], vocabulary: Vocabulary) -> None:
        self.left = left
        self.vocabulary = vocabulary
        self.bars = 0

    @property
    def next(self) -> str:
        return self.left[0] if self.left else ""

    def take(self, expected: str = "") -> str:
        if not self.left or (expected and self.next != expected):
            raise UnreadableError(f"{expected!r} expected at {' '.join(self.left)[:60]!r}")
        return self.left.pop(0)

    def group(self) -> list[str]:
        """The tokens between braces."""
        self.take("{")
        depth, inside = 1, []
        while True:
            token = self.take()
            depth += (token == "{") - (token == "}")
            if not depth:
                return inside
            inside.append(token)

    def inside(self, left: list[str]) -> tuple:
        reader = _Reader(left, self.vocabulary)
        tree = reader.expression()
        if reader.left:
            raise UnreadableError(f"{' '.join(reader.left)} is left over")
        return tree

    # Sums, products, conditions.

    def expression(self) -> tuple:
        negative = self.next == "-" and bool(self.take())
        first = self.product()
        parts = [("negative", first) if negative else first]
        while self.next in ("+", "-"):
            negative = self.take() == "-"
            factor = self.product()
            parts.append(("negative", factor) if negative else factor)
        total = parts[0] if len(parts) == 1 else ("add", *parts)
        if self.next == "\\mathbin":
            self.take()
            if self.group() != ["\\text", "{", *"mod", "}"]:
                raise UnreadableError("an unknown sign")
            return ("mod", total, self.product())
        return total

    def condition(self) -> tuple:
        parts, signs = [self.comparison()], set()
        while self.next in ("\\wedge", "\\vee"):
            signs.add(self.take())
            parts.append(self.comparison())
        if len(signs) > 1:
            raise UnreadableError("and beside or")
        return parts[0] if not signs else ("all" if signs == {"\\wedge"} else "any", *parts)

    def comparison(self) -> tuple:
        if self.next == "\\neg":
            self.take()
            return ("not", self.factor())
        left = self.expression()
        if self.next not in _RELATIONS:
            return left
        return (_RELATIONS[self.take()], left, self.expression())

    def product(self) -> tuple:
        factors = [self.factor()]
        while self.left and self.next not in _STOPS and not (self.next == "|" and self.bars):
            if self.next == "\\cdot":
                self.take()
            elif re.match(r"[0-9]", self.next):
                raise UnreadableError("digits after a factor")
            factors.append(self.factor())
        return factors[0] if len(factors) == 1 else ("multiply", *factors)

    def factor(self) -> tuple:
        token = self.next
        if token == "\\mathop":
            self.take()
            name = "".join(self.group()).removeprefix("\\mathrm{").removesuffix("}")
            return self.large(name)
        if token in _LARGE and (token in ("\\sum", "\\prod") or self.left[1] == "_"):
            return self.large(_LARGE[self.take()])
        if token == "\\begin":
            return self.cases()
        if token in _CALLED:
            return self.powered(("call", _CALLED[self.take()], *self.arguments()), False)
        if token == "\\mathrm" and self.left[1] == "{":
            return self.upright()
        return self.powered(*self.primary())

    def upright(self) -> tuple:
        self.take()
        name = "".join(self.group())
        if name == "e":
            return self.powered(("number", MP.e), True)
        if name not in _NAMED:
            raise UnreadableError(f"{name} is no function")
        return ("call", name, *self.arguments())

    def primary(self) -> tuple[tuple, bool]:
        """What a power may stand on, and whether it may."""
        token = self.take()
        if token in ("\\frac", "\\sqrt"):
            fraction = token == "\\frac"
            return (
                self.fraction() if fraction else ("call", "sqrt", self.inside(self.group()))
            ), False
        if re.match(r"[0-9]", token):
            value = Fraction(token)
            return ("number", MP.mpf(value.numerator) / value.denominator), True
        return (self.bracketed(token) if token in _BRACKETS else self.name(token)), True

    def bracketed(self, opening: str) -> tuple:
        closing, name = _BRACKETS[opening]
        outer, self.bars = self.bars, int(opening == "|")
        tree = self.condition() if opening == "[" else self.expression()
        self.take(closing)
        self.bars = outer
        if opening == "(" and self.next == "_":
            return self.held(tree)
        return tree if opening == "(" else (*name, tree)

    def held(self, tree: tuple) -> tuple:
        """The partial of the cost, with what stands below it held constant."""
        self.take()
        names = tuple("".join(name) for name in _split(self.group()))
        if tree[0] == "read" and tree[1].startswith("∂"):
            cost, variable = ("read", self.vocabulary.cost), ("read", tree[1][1:], *tree[2:])
            return ("partial", cost, variable, names)
        if tree[0] != "partial" or tree[3]:
            raise UnreadableError("brackets with a subscript around no derivative")
        return (*tree[:3], names)

    def powered(self, base: tuple, may: bool) -> tuple:
        if self.next != "^":
            return base
        if not may:
            raise UnreadableError("a power of what has no brackets")
        self.take()
        return ("power", base, self.inside(self.group()))

    def arguments(self) -> list[tuple]:
        self.take("(")
        outer, self.bars = self.bars, 0
        arguments = [self.condition()]
        while self.next == ",":
            self.take()
            arguments.append(self.condition())
        self.take(")")
        self.bars = outer
        return arguments

    def fraction(self) -> tuple:
        above, below = self.group(), self.group()
        if above[:1] != ["\\partial"]:
            return ("divide", self.inside(above), self.inside(below))
        if below[:1] != ["\\partial"]:
            raise UnreadableError("a derivative with respect to nothing")
        reader = _Reader(below[1:], self.vocabulary)
        if "".join(above[1:]) != self.vocabulary.cost:
            return self.local(above[1:], reader)
        tree = reader.name(reader.take(), "∂")
        if tree[0] != "read" or reader.left:
            raise UnreadableError("a derivative with respect to no variable")
        return tree

    def local(self, above: list[str], below: _Reader) -> tuple:
        """The partial of one value with respect to another that it reads."""
        upper = _Reader(above, self.vocabulary)
        consumer, place = upper.name(upper.take()), below.name(below.take())
        if upper.left or below.left or {consumer[0], place[0]} != {"read"}:
            raise UnreadableError("a derivative of no variable")
        return ("partial", consumer, place, ())

    def cases(self) -> tuple:
        self.take()
        self.group()
        rows = []
        while self.next != "\\end":
            value = self.expression()
            self.take("&")
            self.take("\\text")
            when = None if "".join(self.group()) == "otherwise" else self.condition()
            rows.append((value, when))
            if self.next == "\\\\":
                self.take()
        self.take()
        self.group()
        return ("cases", *rows)

    def large(self, sign: str) -> tuple:
        self.take("_")
        limits = _split(self.group())
        start = None
        if sign in ("sum", "prod"):
            place = limits[0].index("=")
            start, limits[0] = self.inside(limits[0][place + 1 :]), limits[0][:place]
        bound = tuple(_letter(limit) for limit in limits if "\\neq" not in limit)
        out = []
        for limit in limits[len(bound) :]:
            place = limit.index("\\neq")
            out.append((_letter(limit[:place]), self.inside(limit[place + 1 :])))
        top = None
        if start is not None:
            self.take("^")
            top = self.inside(self.group())
        return ("large", sign, bound, start, top, tuple(out), self.product())

    # Names.

    def name(self, token: str, mark: str = "") -> tuple:
        base = token
        if token in ("\\mathit", "\\hat", "\\bar"):
            base += "{" + "".join(self.group()) + "}"
        primes = 0
        below: list[str] | None = None
        if self.next == "_":
            self.take()
            below = self.group()
        while self.next == "'":
            primes += len(self.take())
        label = self.label()
        if label and self.next in ("^", "'"):
            raise UnreadableError("two superscripts")
        full = mark + base + label
        numbered = base if below is None else f"{base}_{{{''.join(below)}}}"
        if numbered in self.vocabulary.functions and self.next == "(":
            return ("call", numbered + "'" * primes, *self.arguments())
        if token == "\\delta" and below is not None and full not in self.vocabulary.arrays:
            return ("delta", *self.places(below, 2))
        if numbered in self.vocabulary.constants and not label:
            return ("constant", numbered)
        array = self.vocabulary.arrays.get(full)
        if array is not None and not primes and (below is not None or not array.values.ndim):
            return ("read", full, *self.places(below or [], array.values.ndim))
        if below is None and not label and len(base) == 1 and base.isalpha():
            return ("letter", base + "'" * primes)
        raise UnreadableError(f"{numbered} {label} is not known")

    def label(self) -> str:
        """A layer's label: a superscript in parentheses."""
        if self.left[:3] != ["^", "{", "("]:
            return ""
        inside = _Reader(self.left[1:], self.vocabulary).group()
        if inside[-1] != ")" or "(" in inside[1:]:
            return ""
        del self.left[: len(inside) + 3]
        return f"^{{{''.join(inside)}}}"

    def places(self, below: list[str], count: int) -> list[tuple]:
        parts = _split(below) if below else []
        if len(parts) == 1 and count > 1:
            parts = [list(part) for part in re.findall(r"[A-Za-z]'*", "".join(below))]
            if "".join(map("".join, parts)) != "".join(below):
                raise UnreadableError(f"{' '.join(below)} are no {count} indices")
        if len(parts) != count:
            raise UnreadableError(f"{' '.join(below)} are no {count} indices")
        return [self.inside(part) for part in parts]


def _split(left: list[str]) -> list[list[str]]:
    """The parts between commas outside of brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in left:
        depth += (token in "{([") - (token in "})]")
        if token == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _letter(left: list[str]) -> str:
    text = "".join(left)
    if not re.fullmatch(r"[A-Za-z]'*", text):
        raise UnreadableError(f"{text} is no index")
    return text


def letters(tree: tuple) -> list[str]:
    """The indices by which the places of a read, or of both of a partial, are named, in order."""
    found = [tree[1]] if tree[0] == "letter" else []
    inner = tree[2:] if tree[0] == "read" else tree[1:3]
    found += [name for part in inner if isinstance(part, tuple) for name in letters(part)]
    return [*dict.fromkeys(found)]


def _axis(tree: tuple, letter: str, arrays: Mapping[str, Array]) -> int:
    size = next(_axes(tree, letter, arrays), None)
    if size is None:
        raise UnreadableError(f"the index {letter} runs along no axis")
    return size


def _axes(tree: Any, letter: str, arrays: Mapping[str, Array]) -> Iterator[int]:
    """How long the axes are along which an index runs by itself."""
    if isinstance(tree, tuple):
        if tree[:1] == ("read",):
            for axis, place in enumerate(tree[2:]):
                if place == ("letter", letter):
                    yield arrays[tree[1]].values.shape[axis]
        for part in tree:
            yield from _axes(part, letter, arrays)


NOTHING = {"max": -MP.inf, "argmax": -MP.inf, "min": MP.inf, "argmin": MP.inf}


class Work:
    """Works trees out, numbers to 60 digits."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.known = vocabulary
        self._nothing: Any = 0  # what a read outside gives

    def points(
        self, tree: tuple, other: tuple = (), lengths: Mapping[str, int] | None = None
    ) -> Iterator[dict[str, int]]:
        """Every value of the indices of a read or a partial; ``other`` may have their axes.

        ``lengths`` are those of indices that are known, along whatever axis they run.
        """
        names, told, arrays = letters(tree), lengths or {}, self.known.arrays
        own = [next(_axes((tree, other), name, arrays), None) for name in names]
        sizes = [
            told.get(name) or size or _axis((tree, other), name, arrays)
            for name, size in zip(names, own, strict=True)
        ]
        for point in product(*(range(size) for size in sizes)):
            yield {name: at + self.known.first for name, at in zip(names, point, strict=True)}

    def value(self, tree: tuple, at: Mapping[str, int]) -> Any:
        kind, *parts = tree
        return getattr(self, f"_{kind}", self._compared(kind))(at, *parts)

    def _values(self, at, trees):
        return [self.value(tree, at) for tree in trees]

    def _number(self, at, value):
        return value

    def _constant(self, at, name):
        return self.known.constants[name]

    def _letter(self, at, name):
        if name not in at:
            raise UnreadableError(f"the index {name} has no range")
        return at[name]

    def _add(self, at, *parts):
        return sum(self._values(at, parts))

    def _negative(self, at, part):
        return -self.value(part, at)

    def _multiply(self, at, *parts):
        return prod(self._values(at, parts))

    def _divide(self, at, above, below):
        return MP.convert(self.value(above, at)) / self.value(below, at)

    def _power(self, at, base, exponent):
        return MP.convert(self.value(base, at)) ** self.value(exponent, at)

    def _mod(self, at, a, b):
        return self.value(a, at) % self.value(b, at)

    def _truth(self, at, condition):
        return int(bool(self.value(condition, at)))

    def _delta(self, at, a, b):
        return int(self.value(a, at) == self.value(b, at))

    def _not(self, at, part):
        return not self.value(part, at)

    def _all(self, at, *parts):
        return all(self._values(at, parts))

    def _any(self, at, *parts):
        return any(self._values(at, parts))

    def _compared(self, sign):
        def compare(at, a, b):
            a, b = self._values(at, (a, b))
            return {"=": a == b, "≠": a != b, "<": a < b, ">": a > b, "≤": a <= b, "≥": a >= b}[
                sign
            ]

        return compare

    def _cases(self, at, *rows):
        for value, when in rows:
            if when is None or self.value(when, at):
                return self.value(value, at)
        raise UnreadableError("no case holds")

    def _call(self, at, name, *arguments):
        values = self._values(at, arguments)
        if name in ("max", "min"):
            return max(values) if name == "max" else min(values)
        if name == "copysign":
            return abs(values[0]) * (1 if values[1] >= 0 else -1)
        if name == "abs":
            return abs(values[0])
        if name in self.known.functions:
            return self.known.functions[name](*values)
        return getattr(MP, name)(*values)

    def _read(self, at, name, *places):
        array = self.known.arrays[name]
        place = tuple(int(v) - self.known.first for v in self._values(at, places))
        if not all(0 <= p < size for p, size in zip(place, array.values.shape, strict=True)):
            if self.known.outside:
                return self._nothing
            raise UnreadableError(f"{name} has no place {place}")
        value = array.values[place]
        return int(value) + self.known.first if array.integer else MP.convert(value)

    def _partial(self, at, consumer, place, held):
        name = f"{consumer[1]}/{place[1]}"
        if name not in self.known.partials:
            raise UnreadableError(f"{name}: no such partial")
        where = tuple(int(v) - self.known.first for v in self._values(at, consumer[2:]))
        which = tuple(int(v) - self.known.first for v in self._values(at, place[2:]))
        return self.known.partials[name](where, which, held)

    def _large(self, at, *parts):
        sign, bound, start, top, out, body = parts
        where = []
        for point in product(*(self._range(at, letter, start, top, body) for letter in bound)):
            here = dict(zip(bound, point, strict=True))
            if all(here[letter] != self.value(place, at) for letter, place in out):
                where.append(here)
        before, self._nothing = self._nothing, NOTHING.get(sign, 0)
        values = [self.value(body, {**at, **here}) for here in where]
        self._nothing = before
        if sign in ("argmax", "argmin"):
            chosen = values.index(max(values) if sign == "argmax" else min(values))
            return where[chosen][bound[0]] if len(bound) == 1 else chosen
        return {"sum": sum, "prod": prod, "max": max, "min": min}[sign](values)

    def _range(self, at, *limits):
        letter, start, top, body = limits
        if start is None and letter in self.known.lengths:
            return range(self.known.first, self.known.first + self.known.lengths[letter])
        if start is None:
            size = _axis(body, letter, self.known.arrays)
            return range(self.known.first, self.known.first + size)
        return range(int(self.value(start, at)), int(self.value(top, at)) + 1)
