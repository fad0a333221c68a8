"""Derivatives and functions as normal forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from symbackprop.auditing.formulas.evaluating.core import formal_key
from symbackprop.auditing.formulas.model import Rule
from symbackprop.auditing.formulas.symbolic.forms import (
    ZERO,
    Form,
    Function,
    Index,
    Read,
    UnknownError,
)
from symbackprop.auditing.formulas.symbolic.slopes import Change, slope
from symbackprop.auditing.formulas.symbolic.translating import Place, Quantity, Translator
from symbackprop.auditing.formulas.tree import Access, Apply, Derivative, Node


def _derivative(run: Translator, node: Derivative, place: Place) -> Form:
    of = node.of if node.of is not None else run.model.loss
    if node.at or of is None or not node.by:
        raise UnknownError("a derivative of another kind")
    variables = [_variable(run, by, place) for by in node.by]
    kept = place.kept | {quantity for quantity, _ in variables}
    form = run.expanded(run.value(of, replace(place, kept=kept)), kept)
    for quantity, target in variables:
        form = slope(run.algebra, form, _change(run, quantity, target, kept))
    return run.expanded(form, place.kept)


def _variable(run: Translator, by: Node, place: Place) -> tuple[Quantity, tuple[Index, ...]]:
    if not isinstance(by, Access) or formal_key(by) in place.formals:
        raise UnknownError("a derivative by something that is not a name")
    return run.quantity(by, place), run.indices(by, place)


def _change(
    run: Translator, quantity: Quantity, target: tuple[Index, ...], kept: frozenset[Quantity]
) -> Change:
    """Return how names change with an element of a quantity."""

    def by(read: Read) -> Form:
        named = run.named.get(read.name)
        if read.name in run.arriving:
            raise UnknownError("a second derivative of a loss that nothing defines")
        if named == quantity:
            if len(read.indices) != len(target):
                raise UnknownError("a quantity with and without indices")
            result = run.algebra.ONE
            for mine, theirs in zip(read.indices, target, strict=True):
                result = run.algebra.mul(result, run.algebra.delta(mine, theirs))
            return result
        if named is not None and _is_loss(run, named):
            return _loss_change(run, by, kept)
        return ZERO

    return by


def _is_loss(run: Translator, quantity: Quantity) -> bool:
    loss = run.model.loss
    return loss is not None and quantity == (
        loss.symbol,
        run.model.labels(loss, run.model.layers),
    )


def _loss_change(run: Translator, by: Change, kept: frozenset[Quantity]) -> Form:
    """How the loss that nothing defines changes: by all that the definitions end in."""
    if not run.model.sinks:
        raise UnknownError("a loss that nothing leads to")
    changes = []
    for rule, labels in run.model.sinks:
        quantity = (rule.target.symbol, labels)
        found = run.model.match(*quantity, (None,) * len(rule.target.indices))
        if found is None:
            raise UnknownError("an end without a definition")
        scope = run.surveyor.scopes.of(*found)
        letters = [
            run.algebra.index(run.index(scope, index.name).axis)
            for index in rule.target.indices
            if isinstance(index, Access)
        ]
        if len(letters) < len(rule.target.indices):
            raise UnknownError("an end that is single elements")
        form = run.read(quantity, tuple(letters), kept, 0)
        arriving = slope(run.algebra, run.expanded(form, kept), by)
        name = f"loss by {quantity!r}"
        run.arriving.add(name)
        arrives = run.algebra.atom(Read(name, tuple(letters)))
        change = run.algebra.mul(arrives, arriving)
        for index in letters:
            change = run.algebra.summed(change, index)
        changes.append(change)
    return run.algebra.total(changes)


def _apply(run: Translator, node: Apply, place: Place) -> Form:
    if not node.arguments or node.function.indices:
        raise UnknownError("a function without its argument")
    arguments = tuple(run.value(argument, place) for argument in node.arguments)
    quantity = run.quantity(node.function, place)
    found = run.model.function((*quantity, ()), len(arguments))
    if found is not None:
        return _called(run, found, arguments, node.primes, place)
    if node.function.name in run.primitives:
        return _primitive(run, node, arguments, place)
    if node.primes and len(arguments) != 1:
        raise UnknownError("a prime on a function of several arguments")
    orders = (node.primes,) + (0,) * (len(arguments) - 1)
    return run.algebra.atom(Function(repr(quantity), arguments, orders))


def _primitive(run: Translator, node: Apply, arguments: tuple[Form, ...], place: Place) -> Form:
    function = run.primitives[node.function.name]
    if node.primes:
        return _primed(run, function, node.primes, arguments)
    value = function(*arguments)
    if node.base is not None:
        value = run.algebra.div(value, run.algebra.log(run.value(node.base, place)))
    return value


def _called(
    run: Translator,
    found: tuple[Rule, dict[str, int]],
    arguments: tuple[Form, ...],
    primes: int,
    place: Place,
) -> Form:
    inside = run.inside(*found, place.kept, place.depth)
    keys = [formal_key(formal) for formal in found[0].formals]

    def body(*values: Form) -> Form:
        formals = dict(zip(keys, values, strict=True))
        return run.value(found[0].body, replace(inside, formals=formals))

    return _primed(run, body, primes, arguments) if primes else body(*arguments)


def _primed(
    run: Translator, function: Callable[..., Form], primes: int, arguments: tuple[Form, ...]
) -> Form:
    if len(arguments) != 1:
        raise UnknownError("a prime on a function of several arguments")
    algebra = run.algebra
    variable = Read(f"argument {algebra.index(0).name}")
    form = run.expanded(function(algebra.atom(variable)))
    for _ in range(primes):
        form = slope(algebra, form, lambda read: algebra.ONE if read == variable else ZERO)
    return algebra.mapped(
        form, lambda atom: arguments[0] if atom == variable else algebra.atom(atom)
    )


RULES: Mapping[type[Node], Callable[..., Form]] = {Apply: _apply, Derivative: _derivative}
