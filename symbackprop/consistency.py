"""What is wrong with a definition wherever it is used: unknown names, parameters never read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from symbackprop.definition import Activation, Definition, Layer, Loss
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.formula import Assignment, Reference, bound_letters, references
from symbackprop.formula_reader import read_equation, read_expression


def check_definition(definition: Definition, functions: Collection[str]) -> None:
    """Refuse names that stand for nothing, and parameters that the result does not depend on.

    Args:
        definition: an activation, a loss or a layer; of other kinds nothing is checked.
        functions: the activations that its equations may call.

    Raises:
        SymbackpropError: names the definition, and the equation or the parameter.
    """
    try:
        if isinstance(definition, Loss):
            given = ["a", "y", *_names_in((*definition.output, *definition.target))]
            given += [*definition.constants, *definition.vectors]
            for texts in filter(None, (definition.equations, definition.indices)):
                _check_reads("output", ["a"], _check_names(texts, given, functions))
        elif isinstance(definition, Activation):
            _check(definition, ["z"], list(definition.constants), functions)
        elif isinstance(definition, Layer):
            extents = (extent for shape in definition.inputs.values() for extent in shape)
            numbers = [*definition.sizes, *definition.defaults]
            numbers += _names_in(extents)
            _check_extents("output", definition.output, numbers)
            _check_extents("ranges", definition.ranges.values(), numbers)
            _check(definition, list(definition.inputs), numbers, functions)
            _check_modes(definition, numbers, functions)
    except SymbackpropError as error:
        kind = type(definition).__name__.lower()
        raise error.at(f"{kind} {definition.name!r}") from None


def _check(
    definition: Activation | Layer,
    inputs: Sequence[str],
    numbers: Sequence[str],
    functions: Collection[str],
) -> None:
    for name, parameter in definition.parameters.items():
        _check_extents(f"parameter {name!r}", parameter.extents, numbers)
    given = [*inputs, *numbers, *definition.parameters]
    if isinstance(definition, Layer):
        given += [*definition.draws, *definition.state]
    read = _check_names(definition.equations, given, functions)
    _check_reads("input", inputs, read)
    _check_reads("parameter", definition.parameters, read)


def _check_modes(layer: Layer, numbers: Sequence[str], functions: Collection[str]) -> None:
    """Refuse draws in evaluation, updates of what is no statistic, and what stands for nothing."""
    for name, state in layer.state.items():
        _check_extents(f"state {name!r}", state.extents, numbers)
    given = [*layer.inputs, *numbers, *layer.parameters, *layer.draws, *layer.state]
    targets = [_target(text, functions) for text in layer.equations]
    for text in layer.evaluation:
        if (target := _target(text, functions)) not in targets:
            raise SymbackpropError(f"evaluation {text!r}: {allowed(target, targets)}")
    for text in layer.updates:
        if (target := _target(text, functions)) not in layer.state:
            raise SymbackpropError(f"update {text!r}: {allowed(target, layer.state)}")
    if not (layer.draws or layer.state or layer.evaluation):
        return
    others = {_target(text, functions): text for text in layer.evaluation}
    evaluation = [
        others.get(name, text) for name, text in zip(targets, layer.equations, strict=True)
    ]
    _check_reads("draw", layer.draws, _check_names(layer.equations, given, functions))
    read = _check_names(evaluation, given, functions)
    for name in layer.draws:
        if name in read:
            raise SymbackpropError(f"draw {name!r} is read in evaluation, too")


def _target(text: str, functions: Collection[str]) -> str:
    return read_equation(text, functions).target.name


def _check_reads(kind: str, names: Iterable[str], read: Collection[str]) -> None:
    for name in names:
        if name not in read:
            raise SymbackpropError(f"{kind} {name!r} is not used: the result does not read it")


def _check_extents(place: str, texts: Iterable[str], numbers: Sequence[str]) -> None:
    for text in texts:
        for name in _names_in([text]):
            if name not in numbers:
                known = allowed(name, numbers) if numbers else "allowed: whole numbers"
                raise SymbackpropError(f"{place}: extent {text!r}: unknown size {name!r}; {known}")


def _names_in(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (reference.name for reference in references(read_expression(text)))


def _check_names(
    texts: Sequence[str], given: Sequence[str], functions: Collection[str]
) -> frozenset[str]:
    """Refuse unknown names; return those that the result, the last equation, depends on."""
    assignments = [read_equation(text, functions) for text in texts]
    reads: dict[str, set[str]] = {}
    targets = [assignment.target.name for assignment in assignments]
    for text, assignment in zip(texts, assignments, strict=True):
        names = [reference.name for reference in references(assignment.value)]
        known = {*given, *targets, *_letters(assignment)}
        for name in names:
            if name not in known:
                raise SymbackpropError(
                    f"equation {text!r}: unknown name {name!r}; {allowed(name, known)}"
                )
        reads[assignment.target.name] = {*names}
    return _reached(targets[-1], reads)


def _letters(assignment: Assignment) -> Iterator[str]:
    yield from bound_letters(assignment.value)
    yield from (item.name for item in assignment.target.subscripts if isinstance(item, Reference))


def _reached(start: str, reads: dict[str, set[str]]) -> frozenset[str]:
    reached, stack = {start}, [start]
    while stack:
        new = reads.get(stack.pop(), set()) - reached
        reached |= new
        stack.extend(new)
    return frozenset(reached)
