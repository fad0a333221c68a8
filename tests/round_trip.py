"""Formulas printed as LaTeX, read back, and compared with what the records compute."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from latex_reader import MP, Array, Vocabulary, Work, read

from symbackprop.equations import Adjoint, Equation, Role, Variable, accesses_of
from symbackprop.reference import accumulate, decimal_arithmetic, evaluate
from symbackprop.render.latex import latex
from symbackprop.render.setting import Setting

GREEK = {unicodedata.name(chr(code)).split()[-1].lower(): chr(code) for code in range(0x3B1, 0x3CA)}
SLOPES = {  # functions left open, and their derivatives: sines
    f"f_{k}{primes}": (lambda x, k=k, p=p: k**p * MP.sin(x * k + p * MP.pi / 2 + MP.mpf(1) / 3))
    for k in (1, 2, 3)
    for p, primes in enumerate(("", "'"))
}
DIGITS = decimal_arithmetic(60)
DIGITS = replace(DIGITS, functions={**DIGITS.functions, **SLOPES})
TOLERANCE = MP.mpf(10) ** -40


@dataclass(frozen=True)
class Point:
    """Values of all that equations read."""

    arrays: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]


def variables_of(records: Iterable[Equation | Adjoint]) -> list[Variable]:
    """Every variable that records mention, adjoints included, each once."""
    found: dict[Variable, None] = {}
    for record in records:
        operands = []
        if isinstance(record, Adjoint):
            found[record.variable.bar()] = None
            for term in record.terms:
                operands += [o for factor in term.factors for o in factor.operands]
                operands += [*term.target.indices, *(place for _, place in term.excluding)]
        else:
            operands = [record.target, *record.operands]
            operands += [place for _, place in record.excluding]
        for operand in operands:
            found.update(dict.fromkeys(access.variable for access in accesses_of(operand)))
    return list(found)


def extents(variable: Variable, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(
        axis.extent if isinstance(axis.extent, int) else sizes[axis.extent.name]
        for axis in variable.axes
    )


def printed_name(variable: Variable, setting: Setting) -> str:
    """The name that a variable has in print, by the conventions of a document."""
    if variable.adjoint:
        return f"∂{printed_name(replace(variable, adjoint=False), setting)}"
    notation = setting.notation
    if variable == setting.cost:
        return notation.cost
    if variable == setting.input:
        return "x" if notation.input == "x" else f"{notation.activation}^{{(0)}}"
    if variable == setting.output and notation.output == "yhat":
        return r"\hat{y}"
    text = variable.symbol.strip("_")
    if text == "a" and variable.owner:
        text = notation.activation
    elif variable.axes and variable.axes[0].role is not Role.BATCH:
        text = text[0].lower() + text[1:]
    text, owner = word(text), variable.owner
    if len(owner) > 1 and not owner.isdigit():
        owner = rf"\mathit{{{owner}}}".replace("_", r"\_").replace(".", "{.}")
    return f"{text}^{{({owner})}}" if owner else text


def word(text: str) -> str:
    if text in GREEK or text == "eps":
        commands = {"epsilon": "varepsilon", "eps": "varepsilon", "phi": "varphi"}
        return "\\" + commands.get(text, text)
    return text if len(text) == 1 else rf"\mathit{{{text}}}".replace("_", r"\_")


def constant_name(name: str) -> str:
    match = re.fullmatch(r"([a-zA-Z]+)_?([0-9]+)", name)
    return f"{word(match[1])}_{{{match[2]}}}" if match else word(name)


def vocabulary(setting: Setting, values: Mapping[Variable, np.ndarray], sizes) -> Vocabulary:
    arrays = {}
    for variable, array in values.items():
        axes = [axis.role is not Role.BATCH or setting.samples for axis in variable.axes]
        kept = np.asarray(array)[tuple(slice(None) if keep else 0 for keep in axes)]
        if replace(variable, adjoint=False) in setting.swapped:
            kept = kept.T
        name = printed_name(variable, setting)
        assert name not in arrays, name
        arrays[name] = Array(np.asarray(kept, dtype=object), variable.integer)
    constants = {constant_name(name): size for name, size in sizes.items()}
    numbers = {
        constant_name(name): MP.mpf(value.numerator) / value.denominator
        for value, name in setting.numbers.items()
    }
    constants |= numbers
    functions = {name.replace("_1", "_{1}").replace("_2", "_{2}"): f for name, f in SLOPES.items()}
    first = int(setting.notation.first)
    return Vocabulary(arrays, {**constants, "\\pi": MP.pi}, functions, first, setting.notation.cost)


def is_number(value) -> bool:
    value = MP.convert(value)
    return not isinstance(value, MP.mpc) and bool(MP.isfinite(value))


def difference(left: str, right: str, known: Vocabulary, limits: str = "") -> tuple[object, int]:
    """The largest relative difference of two printed sides, and at how many places.

    ``limits`` are the ranges of indices that are printed beside them.
    """
    target, formula = read(left, known), read(right, known)
    assert target[0] in ("read", "partial"), left
    work, worst, count = Work(known), MP.mpf(0), 0
    known.lengths = _lengths(limits, work)
    for at in work.points(target, formula, known.lengths):
        expected = work.value(target, at)
        if not is_number(expected):
            continue
        found = work.value(formula, at)
        if not is_number(found):
            return MP.inf, count
        worst = max(worst, abs(found - expected) / (1 + abs(expected)))
        count += 1
    return worst, count


def _lengths(limits: str, work: Work) -> dict[str, int]:
    """How many values each index has by its printed range."""
    found = {}
    for piece in filter(None, re.split(r";\\; ", limits)):
        letter, _, values = piece.partition(" = ")
        last = work.value(read(values.split(",")[-1], work.known), {})
        found[letter] = int(last) - work.known.first + 1
    return found


def bare(text: str) -> str:
    """LaTeX without the sizes of brackets and without thin spaces."""
    text = re.sub(r" ?\\[bB]igg?[lr] ?|\\[,;]", "", text)
    return re.sub(r" +", " ", re.sub(r" ([\])])", r"\1", text))


def printed(setting: Setting, record: Equation | Adjoint) -> tuple[str, str]:
    if isinstance(record, Equation):
        left, right = setting.equation(record)
    else:
        ((left, right),) = setting.adjoint(record)
    return latex(left), latex(right)


def read_through(setting: Setting, record: Equation | Adjoint) -> list[Equation]:
    """The equations that are printed inside the record."""
    found: list[Equation] = []
    waiting: list[Equation | Adjoint] = [record]
    while waiting:
        read_there = variables_of([waiting.pop()])
        through = [setting.inner[v] for v in read_there if v in setting.inner]
        waiting += (equation for equation in through if equation not in found)
        found += through
    return list(dict.fromkeys(found))


def computed(
    setting: Setting, record: Equation | Adjoint, point: Point
) -> dict[Variable, np.ndarray]:
    """The values of all that the record reads, and of what it defines."""
    inner = [e for e in read_through(setting, record) if e != record]
    mentioned = variables_of([*inner, record])
    made = {e.target.variable for e in inner}
    given = {v.name: point.arrays[v.name] for v in mentioned if v not in made}
    if isinstance(record, Equation):
        given.pop(record.target.variable.name)
        arrays = evaluate([*inner, record], given, point.sizes, DIGITS)
    else:
        bar = record.variable.bar()
        given.pop(bar.name)
        arrays = evaluate(inner, given, point.sizes, DIGITS)
        total = accumulate([record], arrays, {}, point.sizes, DIGITS)
        arrays[bar.name] = total[record.variable.name]
    return {v: arrays[v.name] for v in mentioned}


def worst_difference(
    setting: Setting, record: Equation | Adjoint, point: Point, sides: tuple[str, str]
) -> tuple[object, int]:
    """How far what is said to be the record in print is from the record itself."""
    values = computed(setting, record, point)
    return difference(*sides, vocabulary(setting, values, point.sizes))


def random_point(variables: Iterable[Variable], sizes, *, signed: bool, seed: int) -> Point:
    """Numbers of (0, 1), or small and large ones of both signs; classes and positions within 2."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for variable in sorted(variables, key=lambda v: v.name):
        shape = extents(variable, sizes)
        if variable.integer:
            arrays[variable.name] = rng.integers(0, 2, shape)
        elif variable.values is not None:
            arrays[variable.name] = np.array([float(v) for v in variable.values]).reshape(shape)
        else:
            wide = rng.normal(0, 2, shape) * rng.choice([1, 1, 15], shape)
            values = rng.uniform(0.05, 0.95, shape)
            arrays[variable.name] = wide if signed else values
    return Point(arrays, sizes)
