"""A scheduled training step as NumPy statements that write into bound arrays.

Nothing is allocated in a step: targets, views, constants and vectors of ones are bound once for
a batch size. Constants are rank-0 arrays and products are methods, since on short rows a
Python scalar or ``np.dot``'s dispatch costs as much as the arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from fractions import Fraction

from symbackprop.equations import Extent, Role
from symbackprop.lowering.affine import block_name
from symbackprop.lowering.contraction import View
from symbackprop.lowering.program import ArrayProgram, Part, Statement, visible_from
from symbackprop.lowering.values import Value
from symbackprop.printing.contractions import contraction, einsum, regrouping, transposition
from symbackprop.printing.expressions import (
    HELPERS,
    UFUNCS,
    NumpyPrinter,
    constant_name,
)
from symbackprop.printing.lookups import placing, putting, taking
from symbackprop.printing.texts import Text
from symbackprop.printing.view_names import suffix
from symbackprop.printing.window_statements import WINDOW_STATEMENTS
from symbackprop.scalar import Expression, Number
from symbackprop.sizes import Size, factor_text, product
from symbackprop.sizing import whole, word

_WORDS = {
    Fraction(0): "zero",
    Fraction(1): "one",
    Fraction(2): "two",
    Fraction(1, 2): "half",
    Fraction(-1): "minus_one",
}
_STEMS = {"window": "windows", "split": "parts", "join": "merged"}  # of what views of them show
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass
class StatementPrinter(NumpyPrinter):
    """Prints statements of one section.

    Attributes:
        bound: by name, the expression that binds it once for a batch size ``n``.
        with_ones: arrays that carry a row of ones; ``a_and_1`` is ``a`` with that row.
        functions: NumPy functions that the module binds by their bare names.
        aliases: names for views of what is given, to be made at the start of the section.
        reserved: names of arrays, which no binding may take.
        given: names handed in anew at every step, whose views cannot be bound.
        parts: names of a recurrence's present step of arrays.
    """

    bound: MutableMapping[str, str] = field(default_factory=dict)
    with_ones: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset({"y"})
    reserved: frozenset[str] = frozenset()
    batch_last: bool = False
    functions: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)

    def value(self, value: Value) -> Text:
        """Return the value's text; the numbers of an index are bound like a constant."""
        if value.operation == "range":
            count = self.extent(value.axes[0].extent)
            return Text(self.bind(f"range_{word(count)}", f"np.arange({count})"))
        if value.operation == "step" and value.number not in self.names:
            return Text(self._step(value))
        text = super().value(value)
        if value.operation not in _STEMS or value.number in self.names:
            return text
        base = next(iter(_NAME.findall(text.source.removeprefix("windows("))))
        if base in self.given or base in self.aliases:
            return text
        return Text(self.bind(f"{base}_{_STEMS[value.operation]}", text.source))

    def _step(self, value: Value) -> str:
        """Return the name of the present step of an array."""
        assert isinstance(value.attribute, tuple)
        base = value.operands[0]
        array = self.view(self.value(base).source)
        axis = self.layout.order(base).index(value.attribute[0])
        name = f"{array}_t"
        while name in self.reserved:
            name += "_"
        self.parts[name] = Part(array, axis, "k", base.rank == 1)
        return name

    def bind(self, name: str, expression: str) -> str:
        """Return a name bound to the expression: the given one, unless it is another's."""
        while name in self.reserved or self.bound.get(name, expression) != expression:
            name += "_"
        self.bound[name] = expression
        return name

    def aligned(self, value: Value, subscript: tuple[int, ...], target: list[int]) -> Text:  # type: ignore[override]
        """Return the operand's text; a view of a bound array is bound itself."""
        text = super().aligned(value, subscript, target)
        return Text(self.view(text.source), text.binds)

    def view(self, source: str) -> str:
        """Return a name for a view of a bound array, or the source itself."""
        name = _NAME.match(source)
        if name is None or name.group() == source:
            return source
        rest = source[name.end() :]
        if name.group() in self.given or name.group() in self.aliases:
            return self._alias(name.group(), rest)
        if not rest.startswith(("[", ".transpose", ".reshape", ".T")):
            return source
        added = suffix(rest)
        if re.fullmatch(r"\[\d+\]", rest):
            source = f"{source[:-1]}, ...]"  # a view; a bare number would copy the element
        return self.bind(name.group() + added, source)

    def _alias(self, given: str, rest: str) -> str:
        """Return a name for a view of the batch, made once a step."""
        if not rest.startswith((".T", ".reshape(-1, ")):
            return given + rest
        name = given + suffix(rest)
        self.aliases[name] = given + rest
        return name

    def number(self, expression: Expression) -> Text:
        """Return a rank-0 array of the constant."""
        text = super().number(expression)
        word = _WORDS.get(expression.value) if isinstance(expression, Number) else None
        name = word or f"c_{constant_name(expression).lower().removeprefix('c_')}"
        return Text(self.bind(name, f"np.array({text.source}, dtype)"))

    def extent(self, extent: Extent) -> str:
        """Return the extent's text; the batch is ``n``."""
        return str(extent) if isinstance(extent, int | Size) else "n"

    def scalar(self, value: Value) -> Text:
        """Return a rank-0 value as an expression over Python floats."""
        numbers = _Scalars(self.layout, self.names, self.constants, self.helpers, arrays=self)
        return numbers.computed(value)

    def full_sum(self, value: Value) -> Text | None:
        """Return a sum over everything as a dot product, or None where the value is none."""
        if value.operation == "contract":
            return Text(f"float({self._full_product(value)})")
        return Text(f"float({self._full_sum(value)})") if value.operation == "total" else None

    def _full_product(self, value: Value) -> str:
        first = next((k for k, o in enumerate(value.operands) if o.operation != "input"), 0)
        operand = value.operands[first]
        order = [value.subscripts[first][axis] for axis in self.layout.order(operand)]
        texts = [self.operand(value, k, order).source for k in range(2)]
        if any(self._is_turned(o, t) for o, t in zip(value.operands, texts, strict=True)):
            return einsum(self, value)
        left, right = (self.raveled(t, o) for t, o in zip(texts, value.operands, strict=True))
        return f"{left}.dot({right})"

    def _is_turned(self, operand: Value, text: str) -> bool:
        """Whether what is given lies otherwise in memory, so that to flatten it is to copy it."""
        several = sum(dimension.extent != 1 for dimension in operand.axes) > 1
        return several and operand.operation == "input" and text != self.value(operand).source

    def _full_sum(self, value: Value) -> str:
        operand = value.operands[0]
        flat = self.raveled(self.value(operand).source, operand)
        return f"{flat}.dot({self.ones(operand)})"

    def raveled(self, source: str, value: Value) -> str:
        """Return the value's text as one axis; a part of memory is copied where it is read."""
        flat = source if value.rank == 1 else f"{source}.reshape(-1)"
        return flat if value.rank == 1 or self.layout.is_part(value) else self.view(flat)

    def reduced(self, statement: Statement) -> str:
        """Return a reduction's target with its axes in the operand's order."""
        value = statement.value
        order, _ = self.memory(value)(0)
        own = self.dimensions(value)
        turned = [own.index(dimension) for dimension in order if dimension < value.rank]
        return self.view(f"{statement.target}{transposition(turned)}")

    def ones(self, value: Value, axes: Collection[int] | None = None) -> str:
        """Return a vector of ones as long as the value, or as some of its axes together."""
        chosen = value.axes if axes is None else [value.axes[axis] for axis in axes]
        size = product(whole(d.extent) for d in chosen if d.role is not Role.BATCH)
        batched = any(dimension.role is Role.BATCH for dimension in chosen)
        if not batched:
            return self.bind(f"ones_{word(size)}", f"np.ones({size}, dtype)")
        if size == 1:
            return self.bind("ones", "np.ones(n, dtype)")
        return self.bind(f"ones_{word(size)}n", f"np.ones({factor_text(size)} * n, dtype)")

    def statement(self, statement: Statement) -> list[str]:
        """Return the lines of one statement."""
        value = statement.value
        if value.rank == 0 and statement.operation != "copy":
            return [f"{statement.target} = {self.scalar(value).source}"]
        printer = _STATEMENTS.get(statement.operation)
        if printer is not None:
            return printer(self, statement)
        if value.operation in HELPERS:
            return [f"{self.computed(value).source[:-1]}, {statement.target})"]
        ufunc = "absolute" if value.operation == "abs" else value.operation
        texts = [self._ufunc_operand(value, k) for k in range(len(value.operands))]
        # Written as the last argument, the target costs a sixth of a call less than as a keyword;
        # maximum and minimum warn about it.
        out = f"out={statement.target}" if ufunc in ("maximum", "minimum") else statement.target
        self.functions.add(ufunc)
        return [f"{ufunc}({', '.join([*texts, out])})"]

    def _ufunc_operand(self, value: Value, k: int) -> str:
        """Compare narrow arrays with zeros, which NumPy does faster than with a number."""
        operand = value.operands[k]
        zero = operand.operation == "literal" and operand.attribute == Number(Fraction(0))
        if zero and self.batch_last and value.operation in ("maximum", "minimum"):
            rows = [self.extent(value.axes[axis].extent) for axis in self.layout.order(value)]
            return self.bind(f"zeros{word(rows[0])}", f"np.zeros(({', '.join(rows)}), dtype)")
        return self.operand(value, k).source


@dataclass
class _Scalars(NumpyPrinter):
    """Prints rank-0 arithmetic over Python floats, numbers written out."""

    arrays: StatementPrinter | None = None

    def computed(self, value: Value) -> Text:
        """Return the expression; sums over arrays are dot products."""
        assert self.arrays is not None
        return self.arrays.full_sum(value) or super().computed(value)


def _total(printer: StatementPrinter, statement: Statement) -> list[str]:
    """A sum over the first axes or over the last ones is a product with a vector of ones."""
    value, operand = statement.value, statement.value.operands[0]
    (order, neighbours), target = printer.memory(value)(0), printer.reduced(statement)
    summed = [dimension >= value.rank for dimension in order]
    text = printer.value(operand).source
    first = summed[0]
    count = summed.index(not first)
    grouped = len(order) == 2 or (neighbours and not operand.boolean)
    if not grouped or first in summed[count:] or target != statement.target:
        axes = tuple(k for k, gone in enumerate(summed) if gone)
        return [f"np.add.reduce({text}, axis={axes}, out={target})"]
    view = View((order[:count], order[count:]), (0, 1))
    matrix = printer.view(f"{text}{regrouping(view, printer.extents(value))}")
    ones = printer.ones(operand, [value.subscripts[0].index(d) for d in order if d >= value.rank])
    flat = printer.view(f"{target}.reshape(-1)") if value.rank > 1 else target
    return [f"{ones}.dot({matrix}, {flat})" if first else f"{matrix}.dot({ones}, {flat})"]


def _extreme(printer: StatementPrinter, statement: Statement) -> list[str]:
    value, operand = statement.value, statement.value.operands[0]
    order = printer.layout.order(operand)
    axes = sorted(order.index(a) for a, d in enumerate(value.subscripts[0]) if d >= value.rank)
    axis = str(axes[0]) if len(axes) == 1 else str(tuple(axes))
    text = printer.value(operand).source
    target = printer.reduced(statement)
    if value.operation in ("argmax", "argmin"):
        arguments = f"{text}, axis={axis}, out={target}"
        if axes == [len(order) - 1]:
            return [f"np.{value.operation}({arguments})"]
        printer.helpers.add("pieces")
        return [f"by_pieces(np.{value.operation}, {arguments})"]
    return [f"np.{UFUNCS[value.operation]}.reduce({text}, axis={axis}, out={target})"]


def _where(printer: StatementPrinter, statement: Statement) -> list[str]:
    """Two copies, the second one masked: np.where would allocate."""
    condition, yes, no = (printer.operand(statement.value, k).source for k in range(3))
    lines = [] if statement.reused == 2 else [f"{statement.target}[...] = {no}"]
    return [*lines, f"np.copyto({statement.target}, {yes}, where={condition})"]


def _copied(printer: StatementPrinter, statement: Statement) -> list[str]:
    return [f"{statement.target}[...] = {printer.operand(statement.value, 0).source}"]


def _copy_of_target(printer: StatementPrinter, statement: Statement) -> list[str]:
    return [f"{statement.target}[...] = {printer.value(statement.value).source}"]


def _affine(printer: StatementPrinter, statement: Statement) -> list[str]:
    """``[W|b]`` by the input and its row of ones."""
    product = statement.value.operands[0]
    weight, source = weight_and_source(product)
    name = block_name(weight.variable.name)
    block = printer.bind(f"{name}_T", f"{name}.T")
    return [f"{block}.dot({with_row(printer.value(source).source)}, {statement.target})"]


def _affine_gradient(printer: StatementPrinter, statement: Statement) -> list[str]:
    value = statement.value
    with_ones = [o for o in value.operands if printer.value(o).source in printer.with_ones]
    # The cotangent is made later; it may lie where a row of ones was needed before.
    source = min(with_ones, key=lambda operand: operand.number)
    cotangent = next(o for o in value.operands if o is not source)
    transposed = printer.view(f"{printer.value(cotangent).source}.T")
    block = f"d{block_name(statement.target.removeprefix('d'))}"
    return [f"{with_row(printer.value(source).source)}.dot({transposed}, {block})"]


def weight_and_source(product: Value) -> tuple[Value, Value]:
    """Split the product of an affine map into the weights and what they weigh."""
    first, second = product.operands
    batched = any(axis.role is Role.BATCH for axis in first.axes)
    return (second, first) if batched else (first, second)


def with_row(name: str) -> str:
    """Return the name of an array together with its row of ones.

    A user's name for a layer may end in anything, but begin with no keyword.
    """
    own = re.fullmatch(r"[A-Za-z]+\d*", name)
    return f"{name}_and_1" if own else f"with_1_{name}"


def _masks(printer: StatementPrinter, statement: Statement) -> list[str]:
    """All masks in one comparison, as numbers."""
    hidden, active = statement.place.split()
    zero = printer.value(statement.value.operands[1]).source
    printer.functions.add("greater")
    return [
        f"greater({hidden}, {zero}, {active})",
        f"{statement.target}[...] = {active}",
    ]


def _tile(printer: StatementPrinter, statement: Statement) -> list[str]:
    text = printer.computed(statement.value).source
    return [f"{text[:-1]}, out={statement.target})"]


def _others(printer: StatementPrinter, statement: Statement) -> list[str]:
    text = printer.computed(statement.value).source
    return [f"{text[:-1]}, out={statement.target}, room={statement.place})"]


_STATEMENTS: Mapping[str, Callable[[StatementPrinter, Statement], list[str]]] = {
    "affine": _affine,
    "affine_gradient": _affine_gradient,
    "contract": contraction,
    "total": _total,
    "largest": _extreme,
    "smallest": _extreme,
    "product": _extreme,
    "argmax": _extreme,
    "argmin": _extreme,
    "where": _where,
    "number": _copied,
    "broadcast": _copied,
    "copy": _copy_of_target,
    "place": placing,
    "masks": _masks,
    "take": taking,
    "clip": _tile,
    "put": putting,
    "add_at": putting,
    "tile": _tile,
    "columns": _copied,
    "others": _others,
    **WINDOW_STATEMENTS,
}


def _reserved(arrays: set[str]) -> frozenset[str]:
    """Return the names of arrays, of blocks of parameters and of arrays with a row of ones."""
    blocks = {block_name(name) for name in arrays}
    blocks |= {f"d{block_name(name[1:])}" for name in arrays if name.startswith("d")}
    return frozenset({*arrays, *blocks, *(with_row(name) for name in arrays)})


def section_printer(
    program: ArrayProgram,
    section: str,
    inputs: Mapping[int, str],
    bound: MutableMapping[str, str],
    given: Iterable[str],
) -> StatementPrinter:
    """Return a printer that knows the names of the section's values and of the forward ones.

    ``given`` has the names of what a step gets anew: inputs, target, draws, running statistics.
    """
    names = dict(inputs)
    for part in visible_from(section):
        names |= {n: name for (owner, n), name in program.names.items() if owner == part}
    return StatementPrinter(
        program.layout,
        names,
        bound=bound,
        with_ones=frozenset(buffer.name for buffer in program.buffers if buffer.ones),
        given=frozenset(given),
        reserved=_reserved({*program.names.values(), *inputs.values()}),
        batch_last=program.layout.batch_last,
    )
