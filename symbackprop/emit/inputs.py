"""How a module takes its input: one array as it is, or several by name, or whole numbers."""

from __future__ import annotations

from collections.abc import Iterator

from symbackprop.emit.body import shape_text
from symbackprop.emit.header import open_check_text, shape
from symbackprop.emit.lines import block, wrapped
from symbackprop.equations import Access, Equation, Variable, accesses_of
from symbackprop.network import Network
from symbackprop.scalar import Apply, Number, Slot, walk

EXAMPLES = 3  # samples in the check that a module carries


def input_context(network: Network) -> dict[str, object]:
    """Return what the frames of a module say about its input.

    ``one_array`` is the plain case, one input of real numbers: a step looks at it only where it
    is not the last one's. All others are checked in every step.
    """
    first, several = network.inputs[0], len(network.inputs) > 1
    told_by = "params" if network.parameters else "x"
    fetched = [f"{v.name} = {_written(v)}" for v in network.inputs] if several else []
    return {
        "one_array": not several and not first.integer,
        "several_inputs": several,
        "whole_inputs": any(variable.integer for variable in network.inputs),
        "told_by": told_by,
        "input_words": "" if several else f" {shape_text(shape(first))}",
        "input_lines": "\n".join(_words(network)) if several else "",
        "input_name": first.name,
        "input_check": open_check_text(first),
        "input_extents": ", ".join(map(str, shape(first)[1:])),
        "input_example": "\n".join(block([f"x = {_example(network)}"])),
        "input_keys": ", ".join(f'"{variable.owner}"' for variable in network.inputs),
        "input_checks": "\n".join(block(_items(network), 2)),
        "input_fetched": "\n".join(block(fetched)),
        "input_samples": f"len({_written(first)})",
        "checked": _checked(network, "dtype"),
        "checked_first": _checked(network, f"_dtype({told_by})"),
        "checked_again": _checked(network, "self.dtype"),
        "inputs_by_name": "\n".join(block([_real(network)])),
    }


def _words(network: Network) -> list[str]:
    """Return the shapes of several inputs, for a docstring."""
    each = []
    for variable in network.inputs:
        whole = " of integers" if variable.integer else ""
        each.append(f"{variable.owner} {shape_text(shape(variable))}{whole}")
    return wrapped(f"x is a dict of {', '.join(each)}.", " " * 4, " " * 4)


def _written(variable: Variable) -> str:
    return f'x["{variable.owner}"]' if variable.owner else "x"


def _checked(network: Network, dtype: str) -> str:
    """Return the expression of x as the computation takes it."""
    return f"_inputs(x, {dtype})" if len(network.inputs) > 1 else _check(network, 0, dtype)


def _check(network: Network, place: int, dtype: str) -> str:
    variable = network.inputs[place]
    given, wanted = _written(variable), open_check_text(variable)
    name = f"'{given}'" if variable.owner else f'"{given}"'
    if variable.integer:
        return f"_whole({name}, {given}, {wanted}, {_count(network, variable)})"
    return f"_checked({name}, {given}, {wanted}, {dtype})"


def _items(network: Network) -> Iterator[str]:
    """Yield the entries of the dict of checked inputs."""
    for place, variable in enumerate(network.inputs):
        yield f'"{variable.owner}": {_check(network, place, "dtype")},'


def _count(network: Network, variable: Variable) -> int | None:
    """Return how many places the array has that the input looks up; None where it looks up none."""
    found = []
    for layer in network.layers:
        for equation in (*layer.equations, *layer.activation):
            for access in (a for o in equation.operands for a in accesses_of(o)):
                for index, axis in zip(access.indices, access.variable.axes, strict=True):
                    looks_up = isinstance(index, Access) and index.variable == variable
                    if looks_up and access.fill is None and isinstance(axis.extent, int):
                        found.append(axis.extent)
    return min(found, default=None)


def _example(network: Network) -> str:
    """Return an expression that draws a batch."""
    drawn = {}
    for variable in network.inputs:
        extents = ", ".join(map(str, (EXAMPLES, *shape(variable)[1:])))
        extents = f"({extents})"
        drawn[variable] = f"rng.standard_normal({extents})"
        if variable.integer:
            first, stop = _range(network, variable)
            limits = f"{first}, {stop}" if first else str(stop)
            drawn[variable] = f"rng.integers({limits}, size={extents})"
    if len(drawn) == 1:
        return drawn[network.input]
    pairs = ", ".join(f'"{variable.owner}": {text}' for variable, text in drawn.items())
    return f"{{{pairs}}}"


def _range(network: Network, variable: Variable) -> tuple[int, int]:
    """Return the longest range of numbers that the check may draw.

    Where one number means that what is read is held constant (a row for padding), differences
    would not see it held.
    """
    apart = sorted(_held_at(network, variable))
    starts, stops = [0, *(k + 1 for k in apart)], [*apart, _count(network, variable) or 2]
    return max(zip(starts, stops, strict=True), key=lambda limits: limits[1] - limits[0])


def _held_at(network: Network, variable: Variable) -> set[int]:
    """Return the numbers that an equation compares the input with, and reads what is held."""
    equations = [e for layer in network.layers for e in (*layer.equations, *layer.activation)]
    held = {equation.target.variable for equation in equations if equation.held}
    found = set()
    for equation in equations:
        read = [access.variable for o in equation.operands for access in accesses_of(o)]
        if variable in read and held.intersection(read):
            found |= set(_compared(equation, variable))
    return found


def _compared(equation: Equation, variable: Variable) -> Iterator[int]:
    for part in walk(equation.function):
        if isinstance(part, Apply) and part.function == "equal":
            read, number = part.arguments
            if isinstance(read, Slot) and isinstance(number, Number):
                operand = equation.operands[read.position]
                if isinstance(operand, Access) and operand.variable == variable:
                    yield int(number.value)


def _real(network: Network) -> str:
    """Return a statement that names every input with a gradient."""
    real = [variable for variable in network.inputs if not variable.integer]
    pairs = ", ".join(f'"x.{v.owner}": {_written(v)}' for v in real)
    return f"inputs = {{{pairs}}}"
