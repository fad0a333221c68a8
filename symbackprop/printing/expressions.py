"""Values as NumPy expressions.

An operand's axes are aligned with those of the operation that reads it: transposed where the
orders differ, a None where it lacks an axis. Names of values that are already in a variable
are given; everything else is printed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from symbackprop.equations import Extent, Role
from symbackprop.lowering.contraction import Memory
from symbackprop.lowering.layout import Layout
from symbackprop.lowering.values import Value, reachable
from symbackprop.lowering.views import VIEWS, natural
from symbackprop.printing.contractions import contracted, transposition
from symbackprop.printing.lookups import taken
from symbackprop.printing.texts import LEVELS, Text
from symbackprop.printing.windows import VIEW_PRINTERS, between
from symbackprop.scalar import Apply, Expression, Named, Number
from symbackprop.sizes import Size, Whole
from symbackprop.sizing import CONSTANTS, is_size, names_in, size_of, whole, word

_COMPARE, _SUM, _TERM, _UNARY, _ATOM = LEVELS
_INFIX = {
    "add": ("+", _SUM),
    "subtract": ("-", _SUM),
    "multiply": ("*", _TERM),
    "divide": ("/", _TERM),
    "greater": (">", _COMPARE),
    "greater_equal": (">=", _COMPARE),
    "less": ("<", _COMPARE),
    "less_equal": ("<=", _COMPARE),
    "equal": ("==", _COMPARE),
    "not_equal": ("!=", _COMPARE),
}
# NumPy's functions of two numbers that reduce arrays.
UFUNCS = {"total": "add", "product": "multiply", "largest": "maximum", "smallest": "minimum"}
# Functions that NumPy lacks, and the file of templates/special that has each.
HELPERS = {"erf": "erf", "erfc": "erf", "others": "others", "quotient": "quotient"}


@dataclass
class NumpyPrinter:
    """Prints values; collects what the module must define for them.

    Attributes:
        layout: the order of every value's axes.
        names: by value number, the variable that holds it.
        constants: module-level constants by name, filled while printing.
        helpers: files of ``HELPERS`` whose functions were printed.
        variables: by value number, the name of the variable that it is, for when it needs one.
        width: of a text, as far as breaking statements goes.
    """

    layout: Layout
    names: dict[int, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    helpers: set[str] = field(default_factory=set)
    variables: Mapping[int, str] = field(default_factory=dict)
    width: Callable[[str], int] = len

    def value(self, value: Value) -> Text:
        """Return the value's text: its name, or the expression that computes it."""
        name = self.names.get(value.number)
        return Text(name) if name is not None else self.computed(value)

    def computed(self, value: Value) -> Text:
        """Return the expression that computes the value."""
        special = _SPECIAL.get(value.operation)
        if special is not None:
            return special(self, value)
        texts = [self.operand(value, k) for k in range(len(value.operands))]
        if value.operation == "divide" and _may_divide_by_zero(value):
            return Text(f"{self.function('quotient')}({texts[0].source}, {texts[1].source})")
        if value.operation in _INFIX:
            sign, level = _INFIX[value.operation]
            first = level + (level == _COMPARE)  # a comparison of comparisons is no chain
            return Text(f"{texts[0].within(first)} {sign} {texts[1].within(level + 1)}", level)
        if value.operation == "negative":
            level = _TERM if _may_lead(value.operands[0]) else _UNARY
            return Text(f"-{texts[0].within(level)}", level)
        return Text(f"{self.function(value.operation)}({', '.join(text.source for text in texts)})")

    def function(self, operation: str) -> str:
        """Return the callable of a scalar function."""
        if operation in HELPERS:
            self.helpers.add(HELPERS[operation])
            return operation
        return f"np.{operation}"

    def dimensions(self, value: Value) -> list[int]:
        """Return the value's dimension numbers in the order in which they lie in memory."""
        return list(self.layout.order(value))

    def operand(self, value: Value, k: int, order: Sequence[int] | None = None) -> Text:
        """Return operand k aligned with the dimensions of the value (or with ``order``)."""
        target = list(order if order is not None else self.dimensions(value))
        return self.aligned(value.operands[k], value.subscripts[k], target)

    def aligned(self, value: Value, subscript: Sequence[int], target: Sequence[int]) -> Text:
        """Return the value so that its axes lie as ``target`` says, ready to broadcast."""
        text = self.value(value)
        own = [subscript[axis] for axis in self.layout.order(value)]
        wanted = [dimension for dimension in target if dimension in own]
        if own != wanted:
            axes = [own.index(dimension) for dimension in wanted]
            text = Text(f"{text.within(_ATOM)}{transposition(axes)}")
        if not wanted:
            return text
        after = target[target.index(wanted[0]) :]
        if len(after) == len(wanted):
            return text
        slots = ", ".join(":" if dimension in wanted else "None" for dimension in after)
        return Text(f"{text.within(_ATOM)}[{slots}]")

    def memory(self, value: Value) -> Callable[[int | None], Memory]:
        """Return, for matrix_product, how the operands and the result (None) lie."""

        def lies(k: int | None) -> Memory:
            if k is None:
                return tuple(self.dimensions(value)), True
            operand, subscript = value.operands[k], value.subscripts[k]
            order = tuple(subscript[axis] for axis in self.layout.order(operand))
            return order, operand.operation not in VIEWS

        return lies

    def extents(self, value: Value) -> Callable[[int], Whole | None]:
        """Return what gives the extent of each of the value's dimensions, None for the batch."""

        def extent(dimension: int) -> Whole | None:
            found = value.dimensions[dimension]
            return None if found.role is Role.BATCH else whole(found.extent)

        return extent

    def shape(self, value: Value) -> str:
        """Return the value's shape, as it lies in memory."""
        axes = [value.axes[axis] for axis in self.layout.order(value)]
        return f"({', '.join(self.extent(a.extent) for a in axes)}{',' if value.rank == 1 else ''})"

    def array(self, value: Value) -> str:
        """Return the value's text, ready to be subscripted."""
        return self.value(value).within(_ATOM)

    def turned(self, source: str, dimensions: Sequence[int], value: Value) -> str:
        """Return what lies in this order of dimensions as the value lies."""
        wanted = self.dimensions(value)
        if list(dimensions) == wanted:
            return source
        return source + transposition([dimensions.index(dimension) for dimension in wanted])

    def arranged(self, value: Value, k: int, order: Sequence[int] | None = None) -> str:
        """Return operand k of the value with its axes in this order, or as the value lies."""
        return self.operand(value, k, order).within(_ATOM)

    def axis(self, value: Value, k: int, dimension: int) -> int:
        """Return the axis in memory of operand k that runs over the dimension."""
        own = [value.subscripts[k][axis] for axis in self.layout.order(value.operands[k])]
        return own.index(dimension)

    def extent(self, extent: Extent) -> str:
        """Return the extent's text; the batch is ``n``."""
        return str(extent) if isinstance(extent, int | Size) else self.number(extent).source

    def number(self, expression: Expression) -> Text:
        """Return the text of a constant: a literal, a size, or a module-level constant."""
        if isinstance(expression, Number):
            return rational(expression.value)
        if names_in(expression):
            return self._scalar(expression)
        name = constant_name(expression)
        self.constants.setdefault(name, self._scalar(expression).source)
        return Text(name)

    def _scalar(self, expression: Expression) -> Text:
        if isinstance(expression, Number):
            return rational(expression.value)
        size = _as_size(expression)
        if size is not None:
            return Text(str(size), _ATOM if size.name.isidentifier() else _SUM)
        if isinstance(expression, Named):
            return Text(f"math.{expression.name}" if expression.name in CONSTANTS else "n")
        assert isinstance(expression, Apply)
        texts = [self._scalar(argument) for argument in expression.arguments]
        if expression.function in ("add", "multiply"):
            sign, level = _INFIX[expression.function]
            joined = f" {sign} ".join(text.within(level) for text in texts)
            return Text(joined.replace("+ -", "- "), level)
        writer = _SCALARS.get(expression.function)
        listed = ", ".join(text.source for text in texts)
        return writer(texts) if writer else Text(f"math.{expression.function}({listed})")


_SCALARS: Mapping[str, Callable[[list[Text]], Text]] = {
    "divide": lambda t: Text(f"{t[0].within(_TERM)} / {t[1].within(_UNARY)}", _TERM),
    "power": lambda t: Text(f"{t[0].within(_ATOM)} ** {t[1].within(_UNARY)}", _TERM),
    "floor_divide": lambda t: Text(f"{t[0].within(_TERM)} // {t[1].within(_UNARY)}", _SUM),
    "negative": lambda t: Text(f"-{t[0].within(_UNARY)}", _UNARY),
    "abs": lambda t: Text(f"abs({t[0].source})"),
    "maximum": lambda t: Text(f"max({t[0].source}, {t[1].source})"),
    "minimum": lambda t: Text(f"min({t[0].source}, {t[1].source})"),
}


def _may_lead(value: Value) -> bool:
    """Whether -a / b may be written for -(a / b): the same number, unless a holds truth values."""
    while value.operation in ("multiply", "divide"):
        value = value.operands[0]
    return not value.boolean


def _may_divide_by_zero(value: Value) -> bool:
    """Whether a number is divided by one that a batch decides, such as a count."""
    divisor = value.operands[1]
    return value.rank == 0 and any(v.rank for v in reachable([divisor]))


def _as_size(expression: Expression) -> Size | None:
    """Return the size that the expression is, where it has names besides the batch's."""
    if not (names_in(expression) - {"N"} and is_size(expression)):
        return None
    size = size_of(expression, {})
    return size if isinstance(size, Size) else None


def rational(value: Fraction) -> Text:
    """Return the shortest literal of a rational: an integer, a decimal, or a quotient."""
    sign, value = ("-" if value < 0 else ""), abs(value)
    level = _UNARY if sign else _ATOM
    if value.denominator == 1 and value < 10**16:
        return Text(f"{sign}{value.numerator}", level)
    decimal = repr(float(value)).replace("e+", "e")
    if Fraction(decimal) == value or value.denominator > 10**6:
        return Text(sign + decimal, level)
    return Text(f"{sign}{value.numerator} / {value.denominator}", _TERM)


def constant_name(expression: Expression) -> str:
    """Return a name that says what the constant is: SQRT_2_OVER_PI."""
    words = {"divide": "OVER", "multiply": "TIMES", "add": "PLUS", "power": "TO"}
    if isinstance(expression, Number):
        text = rational(expression.value).source
        return (
            text.replace(" / ", "_OVER_")
            .replace(".", "_")
            .replace("-", "MINUS_")
            .replace("+", "")
            .upper()
        )
    if (size := _as_size(expression)) is not None:
        return word(size).upper()
    if isinstance(expression, Named):
        return expression.name.upper()
    assert isinstance(expression, Apply)
    names = [constant_name(argument) for argument in expression.arguments]
    if expression.function in words:
        name = f"_{words[expression.function]}_".join(names)
    else:
        name = "_".join([expression.function.upper(), *names])
    return name if name[0].isalpha() else f"C_{name}"


def _literal(printer: NumpyPrinter, value: Value) -> Text:
    assert isinstance(value.attribute, Expression)
    return printer.number(value.attribute)


def _where(printer: NumpyPrinter, value: Value) -> Text:
    """Two numbers take the network's dtype, which NumPy cannot see from the condition."""
    condition, yes, no = (printer.operand(value, k) for k in range(3))
    if all(operand.operation == "literal" for operand in value.operands[1:]):
        yes = Text(f"dtype.type({yes.source})")
    return Text(f"np.where({condition.source}, {yes.source}, {no.source})")


def _number(printer: NumpyPrinter, value: Value) -> Text:
    return Text(f"{printer.operand(value, 0).within(_ATOM)}.astype(dtype)")


_METHODS = {
    "total": "sum",
    "largest": "max",
    "smallest": "min",
    "product": "prod",
    "argmax": "argmax",
    "argmin": "argmin",
}


def _reduction(printer: NumpyPrinter, value: Value) -> Text:
    operand = value.operands[0]
    order, _ = printer.memory(value)(0)
    axes = [k for k, dimension in enumerate(order) if dimension >= value.rank]
    text = printer.value(operand)
    method = _METHODS[value.operation]
    arguments = []
    if len(axes) < operand.rank:
        arguments.append(f"axis={axes[0]}" if len(axes) == 1 else f"axis={tuple(axes)}")
    if operand.boolean:
        arguments.append("dtype=dtype")
    argument = ", ".join(arguments)
    left = [dimension for dimension in order if dimension < value.rank]
    turned = transposition([left.index(dimension) for dimension in printer.dimensions(value)])
    if text.binds < _ATOM:
        return Text(f"np.{method}({text.source}{', ' if argument else ''}{argument}){turned}")
    return Text(f"{text.source}.{method}({argument}){turned}")


def _others(printer: NumpyPrinter, value: Value) -> Text:
    printer.helpers.add(HELPERS["others"])
    assert isinstance(value.attribute, tuple)
    reduction, place = value.attribute
    axis = printer.dimensions(value).index(value.subscripts[0][place])
    values = printer.operand(value, 0).source
    return Text(f"reduce_others(np.{UFUNCS[reduction]}, {values}, axis={axis})")


def _clip(printer: NumpyPrinter, value: Value) -> Text:
    assert isinstance(value.attribute, int)
    return Text(f"np.clip({printer.operand(value, 0).source}, 0, {value.attribute - 1})")


def _step(printer: NumpyPrinter, value: Value) -> Text:
    assert isinstance(value.attribute, tuple)
    base = value.operands[0]
    before = printer.layout.order(base).index(value.attribute[0])
    place = ", ".join([":"] * before + ["t"])
    return Text(f"{printer.value(base).within(_ATOM)}[{place}]")


def _slice(printer: NumpyPrinter, value: Value) -> Text:
    assert isinstance(value.attribute, tuple)
    axis, start, extent = value.attribute
    base = value.operands[0]
    order, parts = printer.layout.order(base), []
    for position in order:
        if position != axis:
            parts.append(":")
        else:
            parts.append(str(start) if extent is None else between(start, start + extent))
    while parts[-1] == ":":
        parts.pop()
    source = f"{printer.value(base).within(_ATOM)}[{', '.join(parts)}]"
    return Text(printer.turned(source, natural(value, order), value))


def _tile(printer: NumpyPrinter, value: Value) -> Text:
    whole, order = value.rank - 1, printer.dimensions(value)
    texts = ", ".join(
        printer.aligned(operand, [min(d, whole) for d in subscript], order).source
        for operand, subscript in zip(value.operands, value.subscripts, strict=True)
    )
    return Text(f"np.concatenate(({texts}), axis={order.index(whole)})")


def _broadcast(printer: NumpyPrinter, value: Value) -> Text:
    shape = printer.shape(value)
    text = printer.operand(value, 0)
    if value.operands[0].operation == "literal":
        return Text(f"np.full({shape}, {text.source}, dtype)")
    return Text(f"np.broadcast_to({text.source}, {shape}).copy()")


def _range(printer: NumpyPrinter, value: Value) -> Text:
    return Text(f"np.arange({printer.extent(value.axes[0].extent)})")


_SPECIAL: Mapping[str, Callable[[NumpyPrinter, Value], Text]] = {
    "literal": _literal,
    "alias": lambda printer, value: printer.operand(value, 0),
    "where": _where,
    "number": _number,
    "contract": contracted,
    "others": _others,
    "take": taken,
    "clip": _clip,
    "slice": _slice,
    "step": _step,
    "tile": _tile,
    "broadcast": _broadcast,
    "range": _range,
    **dict.fromkeys(_METHODS, _reduction),
    **dict.fromkeys(VIEW_PRINTERS, lambda p, v: Text(VIEW_PRINTERS[v.operation](p, v))),
}
