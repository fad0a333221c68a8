"""What may be differentiated: the function's own number, its output with an upstream, a loss."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.claims import as_nodes
from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.discovery import discover
from symbackprop.auditing.code.faults import Fault, Unknown
from symbackprop.auditing.code.interpreter.scopes import of_module
from symbackprop.auditing.code.interpreter.values import Array, Tensor
from symbackprop.auditing.code.judge import Objective, objective, state_outputs
from symbackprop.auditing.code.pairs import Pair, Part, definition, parameters
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.running import Followed, main_output

LOSS_NAMES = ("loss", "cost", "error", "J", "L", "total_loss", "data_loss", "E")


class Losses:
    """The losses that a pair may be about, where its function gives no number."""

    def __init__(self, project: Project, pair: Pair) -> None:
        self.project = project
        self.pair = pair
        # Losses of the file with derivatives of their own.
        self.pairs = [
            other
            for other in discover(project)
            if other.function is not None
            and "." not in other.function.name
            and _has_label(project, other.function)
        ]


def _has_label(project: Project, part: Part) -> bool:
    node = definition(project.module, part.name)
    return isinstance(node, ast.FunctionDef) and any(map(naming.names_label, parameters(node)))


def objectives(followed: Followed, losses: Losses) -> Iterator[Objective]:
    """Yield what the derivative may differentiate, likeliest first."""
    named = _named_loss(followed, losses)
    if named is not None:
        yield named
        return
    own = _own_loss(followed, losses)
    if own is not None:
        yield own
        return
    if main_output(followed.output) is None and followed.upstream is not None:
        for name, value in state_outputs(followed).items():
            yield objective(followed, value, name)
        return
    try:
        first = objective(followed)
    except Unknown:
        first = None
    if first is not None and (first.scalar or first.words == "upstream"):
        yield first
        return
    called = _called_loss(followed, losses)
    if called is not None:
        yield called
        return
    if first is not None and first.elementwise and _is_loss(followed):
        yield first
        return
    labels = _labels(followed)
    outputs = _outputs(followed)
    if labels is not None and outputs:
        yield from _given(followed, outputs[0])
        for number, array in enumerate(outputs):
            for words, total in _known_losses(followed, array, labels):
                yield _guess(followed, total, words, f" of result {number}" if number else "")
        return
    if first is not None:
        yield first


def _is_loss(followed: Followed) -> bool:
    """Whether a function compares each of its elements with a target of its own."""
    node = followed.forward.node
    return node is not None and any(map(naming.names_label, parameters(node)))


def _named_loss(followed: Followed, losses: Losses) -> Objective | None:
    part = losses.pair.loss
    return None if part is None else _loss_of(followed, losses, part)


def _loss_of(followed: Followed, losses: Losses, part: Part) -> Objective:
    """The value of a loss of the file, of the function's output and the targets."""
    machine = followed.machine
    function = of_module(machine, machine.module(losses.project.module), part.path[-1])
    labels, main = _label_values(followed), main_output(followed.output)
    if not labels or not hasattr(function, "node"):
        raise Unknown(f"the loss {part.name} lacks its targets")
    arguments: dict[str, Any] = {}
    names = parameters(function.node)
    required = names[: len(names) - len(function.defaults)]
    for name in required:
        if name in followed.inputs.values:
            arguments[name] = followed.inputs.values[name]
        elif naming.names_label(name):
            arguments[name] = next(iter(labels.values()))
        else:
            arguments[name] = main
    value = as_nodes(followed, machine.call(function, [], arguments))
    if value is None or value.size != 1:
        raise Unknown(f"the loss {part.name} gives no number")
    return Objective({value.reshape(-1)[0]: machine.number(1)}, f"loss {part.name}", True)


def _called_loss(followed: Followed, losses: Losses) -> Objective | None:
    """The loss whose own derivative the derivative calls."""
    names = set(followed.machine.record.calls)
    for pair in losses.pairs:
        own = pair.derivative.name == losses.pair.derivative.name
        if pair.function is not None and pair.derivative.name in names and not own:
            return _loss_of(followed, losses, pair.function)
    return None


def _own_loss(followed: Followed, losses: Losses) -> Objective | None:
    """The loss that the derivative itself computes and returns, or names so."""
    parts = followed.result if isinstance(followed.result, tuple) else ()
    for part in parts:
        value = as_nodes(followed, part) if isinstance(part, Node | np.ndarray) else None
        varies = value is not None and value.size == 1 and value.reshape(-1)[0].constant is None
        named = any(followed.locals.get(name) is part for name in LOSS_NAMES)
        if value is not None and varies and named:
            seeds = {value.reshape(-1)[0]: followed.machine.number(1)}
            return Objective(seeds, "the loss that is returned", True)
    if losses.pair.function is None:
        for name in LOSS_NAMES:
            value = as_nodes(followed, followed.locals.get(name))
            if value is not None and value.size == 1 and value.reshape(-1)[0].constant is None:
                return Objective({value.reshape(-1)[0]: followed.machine.number(1)}, "loss", True)
    return None


def _label_values(followed: Followed) -> dict[str, Any]:
    return {
        name: value
        for name, value in followed.inputs.values.items()
        if naming.names_label(naming.last(name)) and isinstance(value, np.ndarray)
    }


def _labels(followed: Followed) -> Array | None:
    for value in _label_values(followed).values():
        return as_nodes(followed, value)
    return None


def _outputs(followed: Followed) -> list[Array]:
    """What a loss may be of: what the function gives, pre-activations beside activations."""
    main = main_output(followed.output)
    parts = followed.output if isinstance(followed.output, tuple) else ()
    arrays = [as_nodes(followed, p) for p in parts if isinstance(p, np.ndarray | Tensor)]
    first = None if main is None else as_nodes(followed, main)
    rest = [a for a in arrays if a is not None and first is not None and a.shape == first.shape]
    return [] if first is None else [first, *rest[1:]]


def _guess(followed: Followed, total: Node, words: str, where: str) -> Objective:
    return Objective(
        {total: followed.machine.number(1)},
        f"{words}{where}",
        True,
        True,
        convention=f"the loss is {words}{where}, up to a positive factor",
    )


_LOSS_WORDS = frozenset(("cost", "loss", "error"))
_PRIME_WORDS = frozenset(("derivative", "prime", "deriv", "gradient", "grad", "delta"))


def _given(followed: Followed, outputs: Array) -> Iterator[Objective]:
    """What a function of the file gives as the loss's derivative by the output, taken as right."""
    for name, value in followed.machine.given.items():
        words = set(naming.words(name.rpartition(".")[2]))
        array = as_nodes(followed, value) if words & _LOSS_WORDS and words & _PRIME_WORDS else None
        if array is not None and array.shape == outputs.shape and array.size > 1:
            seeds = dict(zip(outputs.reshape(-1), array.reshape(-1), strict=True))
            yield Objective(seeds, f"a loss whose derivative is {name}", True)


def _known_losses(followed: Followed, outputs: Array, labels: Array) -> Iterator[tuple[str, Node]]:
    """Losses in common use, of outputs and targets of one shape."""
    if outputs.shape != labels.shape:
        return
    graph, one = followed.machine.graph, followed.machine.number(1)
    pairs = list(zip(outputs.reshape(-1), labels.reshape(-1), strict=True))

    def total(terms: list[Node]) -> Node:
        result = followed.machine.number(0)
        for term in terms:
            result = graph.add(result, term)
        return result

    yield "half the sum of squares", total([(a - y) ** 2 / 2 for a, y in pairs])
    try:
        yield "cross-entropy", total([-(y * graph.log(a)) for a, y in pairs])
        yield (
            "binary cross-entropy",
            total([-(y * graph.log(a)) - (one - y) * graph.log(one - a) for a, y in pairs]),
        )
    except Fault:
        return
