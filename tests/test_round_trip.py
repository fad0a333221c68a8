"""Every formula of the catalogue, printed as LaTeX, reads back as what it was."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from latex_reader import MP, UnreadableError, Vocabulary, Work, read
from round_trip import (
    TOLERANCE,
    bare,
    is_number,
    printed,
    random_point,
    variables_of,
    worst_difference,
)

from symbackprop import api
from symbackprop.calculus import derive_head, derive_layers, derive_penalty
from symbackprop.calculus.derive import derive
from symbackprop.calculus.textbook import textbook
from symbackprop.catalog import CATALOG
from symbackprop.equations import (
    Access,
    Adjoint,
    Equation,
    Index,
    Variable,
)
from symbackprop.formula import Call, Reference
from symbackprop.formula_reader import read_equation
from symbackprop.network import Head, Network
from symbackprop.notation.toml import read_toml
from symbackprop.reference import decimal_arithmetic
from symbackprop.render import scalars, setting, symbols
from symbackprop.render.latex import latex
from symbackprop.render.notation import Notation, read_notation
from symbackprop.render.setting import Setting, counts_from_zero, inner_equations
from symbackprop.render.typeset import Math, Numeral, Row, Symbol, listed, row
from symbackprop.scalar import ARITY, Apply, Expression, Named, Number, Slot, apply

PLAIN = Notation()
SIZES = {"n_0": 2, "n_1": 3, "n_2": 2}


@dataclass(frozen=True)
class Subject:
    """Records to print, and what the notation has to know of them."""

    network: Network | None
    head: Head | None
    equations: tuple[Equation, ...]
    adjoints: tuple[Adjoint, ...]
    fused: bool | None = None  # of stable forms: whether loss and activation are one

    @property
    def records(self) -> tuple[Equation | Adjoint, ...]:
        return (*self.equations, *self.adjoints)

    def setting(self, notation: Notation, *, samples: bool, first: str = "") -> Setting:
        first = first or ("0" if counts_from_zero(self.equations) else notation.first)
        every = [v for v in variables_of(self.records) if not v.adjoint]
        return Setting(
            replace(notation, first=first),
            cost=self.head and self.head.cost,
            input=self.network and self.network.input,
            output=self.network and self.network.output,
            inner=inner_equations(self.equations, self.adjoints),
            samples=samples,
            swapped=[v for v in every if v.symbol == "W" and len(v.axes) == 2],
            variables=every,
        )


def layers_of(network: Network) -> tuple[Equation, ...]:
    return tuple(e for layer in network.layers for e in (*layer.equations, *layer.activation))


def subjects(network: Network) -> Iterator[Subject]:
    """Every derivation of a network: as written, in stable form, and the textbook's."""
    written = layers_of(network)
    wrt = [network.input, *(p.variable for p in network.parameters)]
    plain = derive(written, [network.output], wrt)
    stable = derive_layers(network)
    yield Subject(network, None, plain.equations, plain.adjoints)
    yield Subject(network, None, stable.equations, stable.adjoints, fused=False)
    shown = textbook(network, stable)
    yield Subject(network, None, written, tuple(total.adjoint for total in shown.totals))
    for head in network.heads:
        plain = derive(head.equations, [head.cost], [network.output])
        yield Subject(network, head, plain.equations, plain.adjoints)
        for fused in (False, True):
            found = derive_head(network, head, fused=fused)
            yield Subject(network, head, found.equations, found.adjoints, fused)
    for loss in shown.losses:
        adjoints = tuple(total.adjoint for total in loss.totals)
        yield Subject(network, loss.head, loss.equations, adjoints)


def failures(
    subject: Subject,
    notation: Notation = PLAIN,
    *,
    samples: bool = False,
    first: str = "",
    seen: set[object] | None = None,
) -> list[str]:
    """The records whose print does not read back as what they compute, but for those seen."""
    chosen = subject.setting(notation, samples=samples, first=first)
    seen = set() if seen is None else seen
    sizes = {**SIZES, "N": 2 if samples else 1}
    every = variables_of(subject.records)
    points = [random_point(every, sizes, signed=signed, seed=7) for signed in (False, True)]
    found = []
    for record in subject.records:
        if isinstance(record, Equation) and record.target.variable in chosen.inner:
            continue
        sides = printed(chosen, record)
        if (record, sides) in seen:
            continue
        seen.add((record, sides))
        for signed, point in enumerate(points):
            worst, places = worst_difference(chosen, record, point, sides)
            if not worst <= TOLERANCE or not (places or signed):
                found.append(f"{' = '.join(sides)}: {worst}")
    return found


def checked(text: str, loss: str | None = None, notation: Notation = PLAIN) -> None:
    every = list(subjects(api.build(text, loss=loss)))
    for samples in (False, True):
        seen: set[object] = set()
        for subject in every:
            assert failures(subject, notation, samples=samples, seen=seen) == []


# What each loss reads.
OUTPUTS = {"binary_cross_entropy": ":sigmoid", "cross_entropy": ":softmax"}


@pytest.mark.parametrize("name", list(CATALOG.activations))
def test_activations_read_back(name: str) -> None:
    checked(f"2-3:{name}")


@pytest.mark.parametrize("name", list(CATALOG.losses))
def test_losses_read_back(name: str) -> None:
    checked(f"2-4{OUTPUTS.get(name, '')}", name)


@pytest.mark.parametrize("name", list(CATALOG.penalties))
def test_penalties_read_back(name: str) -> None:
    text = f"spec = 1\n[network]\ninput = [2]\n{name} = 0.25\n"
    text += '[[layer]]\ntype = "dense"\nunits = 3\n'
    network = api.build(read_toml(text, "arch.toml"))
    weight = network.parameters[0].variable
    (equations,) = network.penalties
    found = derive_penalty(equations, weight)
    subject = Subject(network, None, found.equations, found.adjoints)
    assert failures(subject) == []


def rule(text: str, constants: frozenset[str]) -> Equation:
    """An optimizer's assignment, for each number of a parameter."""
    unit = Index("i", 3)
    assignment = read_equation(text)
    operands: dict[Access, int] = {}

    def variable(name: str) -> Access:
        if name in ("eta", "t"):
            return Access(Variable(name))
        return Access(Variable(name, axes=(unit,)), (unit,))

    def expression(formula: object) -> Expression:
        if isinstance(formula, Reference):
            if formula.name in constants:
                return Named(formula.name)
            return Slot(operands.setdefault(variable(formula.name), len(operands)))
        if isinstance(formula, Call):
            return apply(formula.function, *map(expression, formula.arguments))
        assert isinstance(formula, Number | Named)
        return formula

    function = expression(assignment.value)
    # The new value, under a name that is not read.
    target = variable(assignment.target.name)
    new = replace(target.variable, symbol=f"next_{target.variable.symbol}")
    return Equation(Access(new, target.indices), function, tuple(operands))


@pytest.mark.parametrize("name", list(CATALOG.optimizers))
def test_optimizers_read_back(name: str) -> None:
    entry = CATALOG.optimizers[name]
    for text in entry.equations:
        equation = rule(text, frozenset(entry.constants))
        sizes = {"beta1": 0.9, "beta2": 0.99, "eps": 0.001, "momentum": 0.8}
        chosen = Setting(Notation(), variables=variables_of([equation]))
        point = random_point(variables_of([equation]), sizes, signed=False, seed=1)
        worst, places = worst_difference(chosen, equation, point, printed(chosen, equation))
        assert (worst <= TOLERANCE, places) == (True, 3)


DEFINED = """spec = 1
[network]
input = [2, 6, 4]
[[define]]
kind = "layer"
name = "strided"
input = ["channels", "height", "width"]
sizes = ["units"]
parameters = { W = ["units", "channels", "2", "3"], b = ["units"] }
equations = [
  "z[o, h, w] = total(c, k, l, W[o, c, k, l] * x[c, 2*h + k, w + l]) + b[o]",
]
output = ["units", "3", "2"]
[[define]]
kind = "layer"
name = "pooled"
input = ["channels", "height", "width"]
equations = [
  "m[c] = largest(h, x[c, h, 1])",
  "v[c, h] = product(w, x[c, h, w] * x[c, h % 2, w // 2] * (h + 1))",
  "z[c, h] = m[c] * sigmoid(v[c, h]) + x[c, 0, 0]",
]
[[layer]]
type = "strided"
units = 3
activation = "tanh"
[[layer]]
type = "pooled"
name = "last_one"
"""
PEAK = """
[[define]]
kind = "layer"
name = "peak"
input = ["channels", "height"]
equations = ["z = largest(c, h, x[c, h])"]
[[layer]]
type = "peak"
"""


@pytest.mark.parametrize("first", ["0", "1"])
def test_index_expressions_read_back_from_either_count(first: str) -> None:
    """Strides, windows, // and %, an index as a number, names; a place in two axes from 0."""
    text = DEFINED + PEAK * (first == "0")
    network = api.build(read_toml(text, "arch.toml"))
    for subject in subjects(network):
        assert counts_from_zero(subject.equations)
        assert failures(subject, first=first) == []


def test_functions_left_open_read_back() -> None:
    checked("n_0-n_1:f_1-n_2:f_2", "squared_error")


NOTATIONS = (
    "cost=E input=a0 activation=h output=a first=0",
    "cost=J output=a",
    "cost=C input=a0",
)


@pytest.mark.parametrize("settings", NOTATIONS)
def test_every_notation_reads_back(settings: str) -> None:
    checked("2-3:tanh-4:softmax", "cross_entropy", read_notation(settings.split()))


A, C = Named("a"), Named("c")

TRUTHS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")
NUMBERS = (0, 1, 2, -3, Fraction(1, 2), Fraction(-2, 3), Fraction(1, 10))


def random_expression(rng: random.Random, depth: int, *, truth: bool = False) -> Expression:
    """An expression of any function, real at most points; names a, c, n_1."""
    if truth:
        joints = ("logical_and", "logical_or", "logical_not") if depth > 0 else ()
        joint = rng.choice((*TRUTHS, *joints))
        inner = joint not in TRUTHS
        parts = [random_expression(rng, depth - 1, truth=inner) for _ in range(ARITY[joint] or 2)]
        return Apply(joint, tuple(parts))
    if depth <= 0:
        return rng.choice((A, C, Named("n_1"), Number(Fraction(rng.choice(NUMBERS)))))
    name = rng.choice(
        [n for n in ARITY if not n.startswith("logical") and n not in TRUTHS]
        + ["add", "multiply", "negative", "divide"] * 4
        + ["truth"]
    )
    if name == "truth":
        return random_expression(rng, depth, truth=True)
    if name == "power":
        exponent = Number(Fraction(rng.choice((2, 3, -1, -2))))
        return Apply(name, (random_expression(rng, depth - 1), exponent))
    count = ARITY[name] or rng.choice((2, 3))
    parts = [random_expression(rng, depth - 1) for _ in range(count)]
    if name == "where":
        parts[0] = random_expression(rng, 1, truth=True)
    return Apply(name, tuple(parts))


POINTS = [
    {"a": MP.mpf("0.7"), "c": MP.mpf("1.3"), "n_{1}": MP.mpf("0.4")},
    {"a": MP.mpf("-1.1"), "c": MP.mpf("0.6"), "n_{1}": MP.mpf("2.2")},
    {"a": MP.mpf("0.9"), "c": MP.mpf("-0.8"), "n_{1}": MP.mpf("-1.7")},
]


DIGITS = decimal_arithmetic(60)


def value_of(expression: Expression, point: dict[str, object]) -> object:
    """The value, if all that it is made of are numbers of a common size."""
    if isinstance(expression, Named):
        return DIGITS.number(point["n_{1}" if expression.name == "n_1" else expression.name])
    if isinstance(expression, Number):
        return DIGITS.number(expression.value)
    assert isinstance(expression, Apply)
    parts = [value_of(argument, point) for argument in expression.arguments]
    if expression.function == "where":
        return parts[1] if parts[0] else parts[2]
    value = DIGITS.number(DIGITS.functions[expression.function](*map(DIGITS.number, parts)))
    if not is_number(value) or abs(value) > 1e9:
        raise ValueError(expression.function)
    return value


def agreeing(expression: Expression, text: str) -> list[bool]:
    """Whether the text says the same as the expression, at every point where it is a number."""
    found = []
    for point in POINTS:
        try:
            expected = value_of(expression, point)
        except (ZeroDivisionError, ValueError):
            continue
        known = Vocabulary(constants=point)
        try:
            value = Work(known).value(read(text, known), {})
        except (ZeroDivisionError, TypeError):
            value = MP.nan
        found.append(bool(abs(value - expected) <= TOLERANCE * (1 + abs(expected))))
    return found


def text_of(expression: Expression) -> str:
    return latex(scalars.enclosed(Setting(PLAIN).scalar(expression, ())))


@pytest.mark.parametrize("seed", range(20))
def test_any_expression_reads_back(seed: int) -> None:
    rng = random.Random(seed)
    compared = 0
    for _ in range(25):
        expression = random_expression(rng, rng.choice((1, 2, 3, 4)))
        found = agreeing(expression, text_of(expression))
        assert all(found), text_of(expression)
        compared += len(found)
    assert compared > 10


# Faults: a reader that takes anything would prove nothing.


def without_brackets(text: str) -> Iterator[str]:
    """The text without one pair of parentheses each; labels and arguments of functions aside."""
    text = bare(text)
    for start in (m.start() for m in re.finditer(r"\(", text)):
        depth, end = 0, start
        for end in range(start, len(text)):
            depth += (text[end] == "(") - (text[end] == ")")
            if not depth:
                break
        yield f"{text[:start]} {text[start + 1 : end]} {text[end + 1 :]}"


def swapped_indices(text: str) -> Iterator[str]:
    for match in re.finditer(r"_\{([a-z])([a-z])\}", text):
        if match[1] != match[2]:
            yield f"{text[: match.start()]}_{{{match[2]}{match[1]}}}{text[match.end() :]}"


def lost_signs(text: str) -> Iterator[str]:
    for match in re.finditer("-", text):
        before = text[: match.start()].rstrip()
        sign = "" if not before or before[-1] in "({[=&" else "+"
        yield text[: match.start()] + sign + text[match.end() :]


def other_words(text: str) -> Iterator[str]:
    """Limits, functions, exponents and factors that are off by a little."""
    pairs = [("max", "min"), ("exp", "tanh"), ("log", "sin"), (">", r"\leq"), ("2", "3")]
    pairs += [("= 1}", "= 2}"), (r"\neq", "="), (r"\frac{1}", r"\frac{2}")]
    for old, new in pairs:
        for match in re.finditer(re.escape(old), text):
            yield text[: match.start()] + new + text[match.end() :]


FAULTS = (without_brackets, swapped_indices, lost_signs, other_words)


def fault_subjects() -> Iterator[Subject]:
    """As written, where each number and each bracket counts."""
    for text, loss in (("2-3:gelu_tanh-4:softmax", "cross_entropy"), ("2-3", "focal")):
        written = [s for s in subjects(api.build(text, loss=loss)) if s.fused is None]
        assert len(written) > 3
        yield from written


def is_noticed(chosen: Setting, record: Equation | Adjoint, faulty: tuple[str, str]) -> bool:
    every = variables_of([*chosen.inner.values(), record])
    for signed in (False, True):
        point = random_point(every, {**SIZES, "N": 2}, signed=signed, seed=5)
        try:
            worst, _ = worst_difference(chosen, record, point, faulty)
        except (UnreadableError, TypeError, ZeroDivisionError):
            return True
        if not worst <= TOLERANCE:
            return True
    return False


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_text_is_noticed(fault: Callable[[str], Iterator[str]]) -> None:
    """So no bracket that is printed could be left out either."""
    count = 0
    for subject in fault_subjects():
        chosen = subject.setting(PLAIN, samples=True)
        for record in subject.records:
            if isinstance(record, Equation) and record.target.variable in chosen.inner:
                continue
            left, right = printed(chosen, record)
            for text in fault(right):
                assert is_noticed(chosen, record, (left, text)), f"{right} as {text}"
                count += 1
    assert count > 40


def fails(subject: Subject) -> bool:
    try:
        return failures(subject, samples=True, first="1") != []
    except (UnreadableError, AssertionError, KeyError, TypeError):
        return True


def signless(math: Math) -> tuple[bool, Math]:
    signed = isinstance(math, Row) and math.parts[0] == scalars.MINUS
    return False, row(*math.parts[1:]) if signed else math


def unswapped(self: Setting, access: Access, names: dict[Index, Math]) -> Math:
    return symbols.Symbols.access(replace(self, swapped=()), access, names)


PRINTER_FAULTS = {
    "brackets": (scalars, "enclosed", lambda math, least=0: math),
    "signs": (scalars, "_unsigned", signless),
    "factors": (scalars, "product", lambda parts: (*parts, Numeral("1"))[0]),
    "limits": (Setting, "_last", lambda self, extent: Numeral("1")),
    "order of indices": (Setting, "access", unswapped),
    "places": (Setting, "_place", lambda self, place, names: next(iter(names.values()))),
    "deltas": (setting, "subscript", lambda places: listed(*places[:1] * len(places))),
    "what is left out": (Setting, "_unequal", lambda *_: []),
    "letters": (symbols, "_fresh", lambda index, taken: Symbol(index.name[0])),
    "numbers": (setting, "as_numbers", lambda function, operands, first: function),
}


@pytest.mark.parametrize("name", list(PRINTER_FAULTS))
def test_a_fault_in_the_printer_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in ("numbers", "places"):
        network = api.build(read_toml(DEFINED, "arch.toml"))
    else:
        network = api.build("2-3:tanh-4:softmax", loss="cross_entropy")
    chosen = list(subjects(network))
    assert not fails(chosen[-1])
    monkeypatch.setattr(*PRINTER_FAULTS[name])
    assert any(fails(subject) for subject in chosen)
