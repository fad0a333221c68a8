"""Which definitions a claim may mean: the nearest before it first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

from symbackprop.auditing.formulas.binding import Claim, Definition, Paper
from symbackprop.auditing.formulas.layers import general, layers_of, mixed
from symbackprop.auditing.formulas.meanings import Rules, may_be, names_read, reached, unshadowed
from symbackprop.auditing.formulas.model import Model, Rule, Symbol, is_letter
from symbackprop.auditing.formulas.primitives import PRIMITIVES
from symbackprop.auditing.formulas.tree import (
    Access,
    Apply,
    Derivative,
    Label,
    Negate,
    Node,
    Number,
    Power,
    accesses,
    rewritten,
    within,
)

# How many other choices among several definitions of a name are tried.
MOST_OTHERS = 8
Assumption = Callable[[Claim, Rules], Rules]


def as_written(claim: Claim, rules: Rules) -> Rules:
    """Return the definitions as they stand."""
    return rules


def aliases_turned(claim: Claim, rules: Rules) -> Rules:
    """Return the definitions with ``a_3 = ŷ`` read as ŷ = a_3, where both are defined anyway."""
    turned = [_turned(rule) for rule in rules if _is_alias(rule, rules)]
    names = {rule.target.symbol for rule in turned}
    kept = [r for r in rules if r.target.symbol not in names and not _is_alias(r, rules)]
    return (*turned, *kept)


def any_loss(claim: Claim, rules: Rules) -> Rules:
    """Return the definitions without that of the number that is differentiated."""
    dropped = _loss(claim, ()) or _loss_of_gradients(claim, rules)
    return tuple(r for r in rules if dropped is None or r.target.symbol != dropped.symbol)


def _loss_of_gradients(claim: Claim, rules: Rules) -> Access | None:
    """What the gradients are of that a claim names, as δ."""
    read = {access.symbol for side in claim.sides for access in names_read(side)}
    named = (r.body for r in rules if r.target.symbol in read and isinstance(r.body, Derivative))
    return next((body.of for body in named if isinstance(body.of, Access)), None)


def of_samples(claim: Claim, rules: Rules) -> Rules:
    """Return the definitions for each of several samples, where claims count them.

    What a claim reads with one index more than its definition has, in front, belongs to a sample,
    as does all else but what the claim reads with as many indices as the definitions.
    """
    counts = {
        access.symbol: len(access.indices)
        for reading in claim.readings
        for side in (reading.left, reading.right)
        for access in accesses(side)
    }
    targets = {r.target.symbol: r.target for r in rules}
    if not any(counts.get(s) == len(_places(t, counts)) + 1 for s, t in targets.items()):
        return rules

    def counted(node: Node) -> Node:
        if not isinstance(node, Access) or is_letter(node):
            return node
        places = _places(node, counts)
        own = counts.get(node.symbol, len(places) + 1) == len(places) + 1
        if not own:
            return node
        moved = _numbers(node) if len(places) > len(node.indices) else []
        labels = tuple(label for label in node.labels if label not in moved)
        return replace(node, labels=labels, indices=(_SAMPLE, *places))

    made = any_loss(claim, rules)
    return tuple(
        replace(rule, target=target, body=rewritten(rule.body, counted))
        for rule in made
        if isinstance(target := counted(rule.target), Access)
    )


def variables_cut(claim: Claim, rules: Rules) -> Rules:
    """Return the definitions without those of what is differentiated by, if nothing reads them.

    What a variable is made of says nothing of a derivative by it, and may fit no layout.
    """
    found = _derivatives(claim.head, *claim.sides)
    tops = {access.symbol for node in found if node.of is not None for access in _tops(node.of)}
    variables = [by for node in found for by in node.by if isinstance(by, Access)]
    if any(by.symbol in tops for by in variables):
        return rules
    return tuple(rule for rule in rules if not any(may_be(by, rule) for by in variables))


def _tops(of: Node) -> tuple[Access, ...]:
    return (of,) if isinstance(of, Access) else ()


def others(claim: Claim, paper: Paper) -> Iterator[Assumption]:
    """Yield further definitions of what a claim differentiates; they refute none."""
    tops = {n.of.symbol for n in _derivatives(*claim.sides) if isinstance(n.of, Access)}
    written = [rule for rule in _written(claim, paper, 0) if rule.target.symbol in tops]
    several = [[rule for rule in written if rule.target.symbol == top] for top in sorted(tops)]
    choices = [rules[:count] for rules in several for count in range(1, len(rules))]
    for dropped in choices[:MOST_OTHERS]:
        yield partial(_without, dropped=tuple(dropped))
    own = reached(unshadowed(_written(claim, paper, 0)), claim.sides)
    for symbol in _cyclic(own)[:MOST_OTHERS]:
        yield partial(_without, dropped=tuple(r for r in own if r.target.symbol == symbol))


def _cyclic(rules: Rules) -> list[Symbol]:
    """Return names whose definitions read them again: o_j is made of the o_i of a layer before."""
    reads: dict[Symbol, set[Symbol]] = {}
    for rule in rules:
        if not rule.letters:
            read = {a.symbol for a in accesses(rule.body) if all(map(is_letter, a.indices))}
            reads.setdefault(rule.target.symbol, set()).update(read)
    found = []
    for symbol, first in reads.items():
        seen, waiting = set(first), list(first)
        while waiting:
            new = reads.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        if symbol in seen:
            found.append(symbol)
    return found


def _without(_claim: Claim, rules: Rules, dropped: Rules) -> Rules:
    return tuple(rule for rule in rules if rule not in dropped)


def variables_freed(claim: Claim, model: Model) -> Model:
    """Return the definitions with the variables that a chain differentiates by left free.

    What is said of them may be values that are looked for (where the gradient is zero) or that
    examples take. They keep their shapes.
    """
    by = claim.head.by if isinstance(claim.head, Derivative) else ()
    return replace(model, freed=tuple(variable for variable in by if isinstance(variable, Access)))


def _derivatives(*nodes: Node) -> list[Derivative]:
    return [n for node in nodes for n in within(node) if isinstance(n, Derivative)]


def _places(access: Access, counts: Mapping[Symbol, int]) -> tuple[Node, ...]:
    """The indices of a quantity: numbers below it are some as soon as there are others."""
    numbers = _numbers(access)
    count = counts.get(access.symbol, 0) - 1
    is_lone = not access.indices and len(numbers) == 1 and access.labels[-1] is numbers[0]
    if not is_lone and count != len(access.indices) + len(numbers):
        return access.indices
    written = (x.base or str(x.shift) for x in numbers)
    return (*(Number(Fraction(number), number) for number in written), *access.indices)


def _numbers(access: Access) -> list[Label]:
    below = (label for label in access.labels if label.place == "below")
    return [label for label in below if not label.base or label.base.isdecimal()]


_SAMPLE = Access("_sample")
# What may be assumed of the definitions; the next where one leads to no variable.
ASSUMPTIONS: tuple[Assumption, ...] = (
    as_written,
    aliases_turned,
    any_loss,
    of_samples,
    variables_cut,
)


def _is_alias(rule: Rule, rules: Rules) -> bool:
    body = rule.body
    return (
        isinstance(body, Access)
        and len(body.indices) == len(rule.target.indices) == 0
        and not (rule.formals or rule.letters)
        and any(r.target.symbol == body.symbol and r is not rule for r in rules)
        and any(r.target.symbol == rule.target.symbol and r.letters for r in rules)
    )


def _turned(rule: Rule) -> Rule:
    assert isinstance(rule.body, Access)
    return Rule(rule.body, rule.target)


def models(claim: Claim, paper: Paper, assumption: Assumption = as_written) -> Iterator[Model]:
    """Yield the definitions that a claim may mean, the nearest before it first.

    Args:
        claim: The claim.
        paper: The document.
        assumption: What is changed in the definitions.
    """
    layers = layers_of(claim, paper)
    sides = claim.sides
    seen: list[Rules] = []
    for choose in (0, -1):
        written = _written(claim, paper, choose)
        rules = assumption(claim, written)
        if assumption is not as_written and rules == written:
            continue
        rules = (
            *_bare_elements(rules, claim),
            *rules,
            *_bare_functions(rules, (claim.left, claim.right)),
        )
        rules = reached(unshadowed(rules), sides)
        if rules not in seen:
            seen.append(rules)
            loss = _loss(claim, rules)
            yield Model(rules, layers, loss, symmetric=paper.symmetric, first=paper.first)


def _written(claim: Claim, paper: Paper, choose: int) -> Rules:
    """Return all definitions, those of gradients and the nearest first."""
    gradients = [d for d in paper.gradients if d.order != claim.order]
    ordered = [*gradients, *(general(d, paper) or d for d in gradients)]
    ordered += [mixed(d, paper) for d in _nearest(claim, paper)]
    return tuple(rule for d in dict.fromkeys(ordered) for rule in _rules(d, choose))


def _bare_functions(rules: Rules, sides: Sequence[Node]) -> Iterator[Rule]:
    """Yield what ``g`` alone means where only ``g(x)`` stands in the definitions."""
    named = {node.symbol for side in sides for node in names_read(side) if not node.indices}
    defined = {rule.target.symbol for rule in rules}
    for rule in rules:
        for node in within(rule.body):
            if isinstance(node, Apply) and not node.primes and node.arguments:
                symbol = node.function.symbol
                if symbol in named - defined and symbol[0] not in PRIMITIVES:
                    yield Rule(node.function, node)


def _bare_elements(rules: Rules, claim: Claim) -> Iterator[Rule]:
    """Yield what ``σ_i`` alone means where ``σ(z)_i`` is defined: the function at the variable."""
    found = _derivatives(claim.head, *claim.sides)
    variables = [by for derivative in found for by in derivative.by if isinstance(by, Access)]
    vector = next((by for by in variables if len(by.indices) == 1), None)
    read = {
        (access.symbol, len(access.indices)) for side in claim.sides for access in names_read(side)
    }
    for rule in rules:
        places = len(rule.target.indices)
        if vector is not None and len(rule.formals) == 1 and (rule.target.symbol, places) in read:
            yield Rule(rule.target, Apply(rule.target, (replace(vector, indices=()),)))


def _rules(definition: Definition, choose: int) -> Iterator[Rule]:
    body = definition.values[choose]
    if not _names_something(body):
        body = definition.values[0]  # A chain that ends in the number of an example.
    target = definition.target
    if definition.conditions or definition.lists:
        return
    if isinstance(target, Power):
        if not isinstance(body, Power) or body.exponent != target.exponent:
            return  # Of a square that is no square of anything, the root has no formula.
        body = body.base
    yield Rule(definition.name, body, definition.formals, definition.letters, definition.source)


def _nearest(claim: Claim, paper: Paper) -> Iterator[Definition]:
    """Yield the definitions around a claim but numbers of examples, and what is given as one."""
    sizes = paper.sizes
    given: set[Access] = set()
    here = claim.source.section
    stated = {shape.target.symbol for shape in paper.shapes if shape.order < claim.order}
    for definition in sorted(
        (d for d in paper.definitions if d.order != claim.order),
        key=lambda d: (d.order >= claim.order, abs(d.order - claim.order)),
    ):
        if definition.source.section > here and definition.name.symbol in stated:
            continue  # It is any array of these extents until then.
        if _is_worked(definition, sizes):
            if definition.order < claim.order and _is_datum(definition):
                given.add(definition.name)
        elif definition.name not in given:
            yield definition


def _is_datum(definition: Definition) -> bool:
    """Whether a number is given as it stands, not computed."""
    return len(definition.values) == 1 and isinstance(definition.values[0], Number | Negate)


def _is_worked(definition: Definition, sizes: frozenset[Symbol]) -> bool:
    """Whether a definition gives a name the number of an example; sizes are no examples."""
    if definition.formals or definition.name.symbol in sizes:
        return False
    return not _names_something(definition.values[0])


def _names_something(node: Node) -> bool:
    return any(True for _ in names_read(node))


def _loss(claim: Claim, rules: Rules) -> Access | None:
    """The number on top of derivatives that nothing defines."""
    sides = [claim.head, claim.left, claim.right, *(rule.body for rule in rules)]
    for side in sides:
        for node in within(side):
            top = node.of if isinstance(node, Derivative) else None
            defined = any(isinstance(top, Access) and r.target.symbol == top.symbol for r in rules)
            if isinstance(top, Access) and not top.indices and not defined:
                return top
    return None
