"""Why a claim is wrong: the one edit that makes it true.

`EDITS` is the registry: each entry names a kind of mistake and yields corrected claims. Single
edits are tried before pairs; where edits of several kinds fit, the earlier entry is the simpler
explanation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from symbackprop.audit.finding import Diagnosis
from symbackprop.audit.formula_tree import (
    ADJACENT,
    Access,
    Add,
    Apply,
    Big,
    Bound,
    Delta,
    Derivative,
    Label,
    Negate,
    Node,
    Norm,
    Number,
    Power,
    Product,
    Quotient,
    Transpose,
    children,
    replaced,
    walk,
)
from symbackprop.audit.model import index_letters, is_letter
from symbackprop.audit.primitives import PRIMITIVES

MOST_EDITS = 260
MOST_PAIRS = 1500
ONE = Number(Fraction(1), "1")
TWO = Number(Fraction(2), "2")


@dataclass(frozen=True)
class Edit:
    """A corrected right side, what was wrong, and the constant factor where it is one."""

    right: Node
    detail: str
    factor: float | None = None


@dataclass(frozen=True)
class Context:
    """What corrections may draw on: the left side and the definitions behind the claim."""

    left: Node
    bodies: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """The diagnosis and the right side that it leads to."""

    diagnosis: Diagnosis
    right: Node


Holds = Callable[[Node], bool]


def explain(right: Node, context: Context, holds: Holds) -> Explanation | None:
    """Return what is wrong with a right side, if an edit or a pair of edits makes it true.

    Args:
        right: The right side of a refuted claim.
        context: Where names for corrections come from.
        holds: Whether the claim is true with another right side.
    """
    tried = 0
    for kind, generate in EDITS.items():
        for edit in generate(right, context):
            tried += 1
            if tried > MOST_EDITS * 2:
                break
            if edit.right != right and holds(edit.right):
                return _explained((kind,), (edit,))
    return _pairs(right, context, holds)


def _pairs(right: Node, context: Context, holds: Holds) -> Explanation | None:
    tried = 0
    for first, second in PAIRS:
        for edit in EDITS[first](right, context):
            for other in EDITS[second](edit.right, context):
                tried += 1
                if tried > MOST_PAIRS:
                    return None
                if other.right != right and holds(other.right):
                    return _explained((first, second), (edit, other))
    return None


def _explained(kinds: tuple[str, ...], edits: tuple[Edit, ...]) -> Explanation:
    factors = [edit.factor for edit in edits if edit.factor is not None]
    diagnosis = Diagnosis(
        kind=kinds[0],
        kinds=tuple(dict.fromkeys(kinds)),
        detail="; ".join(edit.detail for edit in edits),
        factor=factors[0] if factors else None,
    )
    return Explanation(diagnosis, edits[-1].right)


def _everywhere(right: Node, rule: Callable[[Node], Iterator[Node]]) -> Iterator[Node]:
    """Apply a rule at every place of a formula but within names."""
    for path, node in _places(right):
        for new in rule(node):
            yield replaced(right, path, new)


def _places(node: Node) -> Iterator[tuple[tuple[int, ...], Node]]:
    """Yield what can be edited: not the indices of names, nor the variables of derivatives."""
    waiting: list[tuple[tuple[int, ...], Node]] = [((), node)]
    while waiting:
        path, here = waiting.pop(0)
        yield path, here
        if isinstance(here, Access | Derivative):
            continue
        for k, child in enumerate(children(here)):
            if isinstance(here, Apply) and k == 0:
                continue
            if isinstance(here, Big) and child is not here.body:
                continue
            waiting.append(((*path, k), child))


def _sign(right: Node, context: Context) -> Iterator[Edit]:
    yield Edit(_negated(right), "the sign is wrong", -1)

    def flip(node: Node) -> Iterator[Node]:
        if isinstance(node, Add):
            for k, term in enumerate(node.terms):
                yield replace(node, terms=_put(node.terms, k, _negated(term)))
        elif isinstance(node, Negate):
            yield node.operand
        elif isinstance(node, Power | Apply):
            yield from _negated_within(node)

    for new in _everywhere(right, flip):
        yield Edit(new, "the sign of one term is wrong")


def _negated(node: Node) -> Node:
    return node.operand if isinstance(node, Negate) else Negate(node)


def _negated_within(node: Power | Apply) -> Iterator[Node]:
    if isinstance(node, Power):
        yield replace(node, exponent=_negated(node.exponent))
    elif len(node.arguments) == 1:
        yield replace(node, arguments=(_negated(node.arguments[0]),))


def _put(items: tuple[Node, ...], k: int, new: Node) -> tuple[Node, ...]:
    return (*items[:k], new, *items[k + 1 :])


FACTORS = tuple(Fraction(a, b) for a, b in ((2, 1), (1, 2), (-2, 1), (-1, 2), (4, 1), (1, 4)))


def _factor(right: Node, context: Context) -> Iterator[Edit]:
    for value in FACTORS:
        detail = f"the constant factor {1 / value} is too much"
        yield Edit(_scaled(value, right), detail, float(1 / value))
    for value in FACTORS[:2]:

        def scale(node: Node, value: Fraction = value) -> Iterator[Node]:
            if isinstance(node, Add):
                for k, term in enumerate(node.terms):
                    scaled = _scaled(value, term)
                    yield replace(node, terms=_put(node.terms, k, scaled))

        for new in _everywhere(right, scale):
            yield Edit(new, f"one term has a factor {1 / value} too much", float(1 / value))


def _scaled(value: Fraction, node: Node) -> Node:
    """A constant times a formula, in the number that it opens with if there is one."""
    if isinstance(node, Negate):
        return Negate(_scaled(value, node.operand))
    if isinstance(node, Product) and isinstance(node.factors[0], Number):
        product = node.factors[0].value * value
        rest = node.factors[1:]
        if product == 1:
            return _times(*rest) if len(rest) > 1 else rest[0]
        return replace(node, factors=(Number(product, str(product)), *rest))
    return _times(Number(value, str(value)), node)


def _times(*factors: Node) -> Node:
    return Product(factors, (ADJACENT,) * (len(factors) - 1))


def _reduction(right: Node, context: Context) -> Iterator[Edit]:
    for name in _counts(right, context):
        yield Edit(_times(name, right), "a mean is claimed where there is a sum")
        yield Edit(Quotient(right, name), "a sum is claimed where there is a mean")

    def bare_sum(node: Node) -> Iterator[Node]:
        if isinstance(node, Big):
            yield node.body

    for new in _everywhere(right, bare_sum):
        yield Edit(new, "there is no sum")
    outer = set(index_letters(context.left))
    for letter in dict.fromkeys(index_letters(right)):
        if letter not in outer:
            summed: Node = Big("sum", (Bound(Access(letter)),), right)
            yield Edit(summed, f"the sum over {letter} is missing")
    for big in _sums(context):
        yield Edit(replace(big, body=right), "a sum is missing")
        loose = [n for n in dict.fromkeys(index_letters(right)) if n not in outer]
        for letter in loose:
            bounds = tuple(replace(b, index=Access(letter)) for b in big.bounds[:1])
            summed = replace(big, bounds=bounds, body=right)
            yield Edit(summed, f"the sum over {letter} is missing")


def _sums(context: Context) -> Iterator[Big]:
    for body in context.bodies:
        for _, node in walk(body):
            if isinstance(node, Big) and node.kind == "sum":
                yield node


def _counts(right: Node, context: Context) -> Iterator[Node]:
    seen: set[Node] = set()
    for node in (right, context.left, *context.bodies):
        for _, here in walk(node):
            upper = here.upper if isinstance(here, Bound) else None
            if isinstance(upper, Access) and upper not in seen:
                seen.add(upper)
                yield upper
            below = here.denominator if isinstance(here, Quotient) else None
            if isinstance(below, Access) and below not in seen:
                seen.add(below)
                yield below


def _layer_index(right: Node, context: Context) -> Iterator[Edit]:
    for path, node in walk(right):
        if not isinstance(node, Access):
            continue
        for k, label in enumerate(node.labels):
            for step in (-1, 1):
                new = replace(label, shift=label.shift + step)
                labels: tuple[Label, ...] = (*node.labels[:k], new, *node.labels[k + 1 :])
                edited = replaced(right, path, replace(node, labels=labels))
                yield Edit(edited, f"the layer of {node.name} is wrong")


def _transpose(right: Node, context: Context) -> Iterator[Edit]:
    def turned(node: Node) -> Iterator[Node]:
        if isinstance(node, Transpose):
            yield node.operand
        elif isinstance(node, Access | Derivative):
            yield Transpose(node)
        elif isinstance(node, Product):
            yield from _reordered(node)
        if isinstance(node, Access) and len(node.indices) == 2:
            yield replace(node, indices=node.indices[::-1])

    for new in _everywhere(right, turned):
        yield Edit(new, "a transpose or the order of a product is wrong")


def _reordered(node: Product) -> Iterator[Node]:
    """Orders of a product, with the transpose on either or neither factor."""
    if len(node.factors) != 2:
        if len(node.factors) == 3:
            for order in itertools.permutations(node.factors):
                yield replace(node, factors=order)
        return
    a, b = (f.operand if isinstance(f, Transpose) else f for f in node.factors)
    for first, second in ((a, b), (b, a)):
        for x in (first, Transpose(first)):
            for y in (second, Transpose(second)):
                yield replace(node, factors=(x, y))


def _subscript(right: Node, context: Context) -> Iterator[Edit]:
    letters = list(dict.fromkeys((*_letters(context.left), *_letters(right))))
    for path, node in walk(right):
        if not isinstance(node, Access):
            continue
        for k, index in enumerate(node.indices):
            for letter in letters:
                if isinstance(index, Access) and index.name == letter:
                    continue
                indices = _put(node.indices, k, Access(letter))
                edited = replaced(right, path, replace(node, indices=indices))
                yield Edit(edited, f"a subscript of {node.name} is wrong")
            for step in (1, -1):
                shifted = Add((index, ONE if step > 0 else Negate(ONE)))
                indices = _put(node.indices, k, shifted)
                edited = replaced(right, path, replace(node, indices=indices))
                yield Edit(edited, f"a subscript of {node.name} is off by one")


def _letters(node: Node) -> Iterator[str]:
    for _, here in walk(node):
        if isinstance(here, Access):
            for index in here.indices:
                if is_letter(index) and isinstance(index, Access):
                    yield index.name


def _diagonal(right: Node, context: Context) -> Iterator[Edit]:
    letters = list(dict.fromkeys(_letters(context.left)))
    for a, b in itertools.combinations(letters, 2):
        delta = Delta(Access(a), Access(b))
        yield Edit(_times(delta, right), f"holds for {a} = {b} only")

        def ones(node: Node, delta: Node = delta) -> Iterator[Node]:
            if isinstance(node, Number) and node.value == 1:
                yield delta

        for new in _everywhere(right, ones):
            yield Edit(new, f"holds for {a} = {b} only")


def _pool(right: Node, context: Context) -> list[Node]:
    """Names and functions that stand in the claim or its definitions, those of the claim first."""
    found: dict[Node, None] = {}
    for node in (right, context.left, *context.bodies):
        for _, here in _places(node):
            if isinstance(here, Access) and not is_index(here, node):
                found.setdefault(here)
            elif isinstance(here, Add) and len(here.terms) < 4:
                found.setdefault(here)
                found.setdefault(Negate(here))
            elif isinstance(here, Derivative):
                found.setdefault(here)
                for part in (here.of, *here.by):
                    if isinstance(part, Access):
                        found.setdefault(part)
            elif isinstance(here, Apply) and len(here.arguments) == 1:
                found.setdefault(here)
                found.setdefault(replace(here, primes=here.primes + 1))
    return list(found)[:40]


def is_index(node: Access, within: Node) -> bool:
    """Whether a bare letter stands in an index place somewhere in a formula."""
    return is_letter(node) and node.name in set(_letters(within))


def _missing_factor(right: Node, context: Context) -> Iterator[Edit]:
    pool = _pool(right, context)
    for node in pool:
        for factor, words in _factors_of(node):
            yield Edit(_times(right, factor), f"a factor is missing: {words}")
            if not isinstance(factor, Number):
                yield Edit(Quotient(right, factor), "a factor is too many")
    for path, node in _places(right):
        if isinstance(node, Big):
            for factor in pool:
                summed = replace(node, body=_times(node.body, factor))
                yield Edit(replaced(right, path, summed), "a factor is missing in the sum")
        if isinstance(node, Add):
            for k, term in enumerate(node.terms):
                for factor in pool[:12]:
                    new = replace(node, terms=_put(node.terms, k, _times(term, factor)))
                    yield Edit(replaced(right, path, new), "a factor of one term is missing")


def _factors_of(node: Node) -> Iterator[tuple[Node, str]]:
    yield node, "one that stands in the formulas"
    if isinstance(node, Access):
        rest = Add((ONE, Negate(node)))
        yield rest, f"1 − {node.name}"
        yield _times(node, rest), f"{node.name} (1 − {node.name})"
        yield Add((ONE, Negate(Power(node, TWO)))), f"1 − {node.name}²"
        yield Apply(Access("exp"), (Negate(node),)), f"exp(−{node.name})"


def _missing_term(right: Node, context: Context) -> Iterator[Edit]:
    terms: list[Node] = [ONE, *_pool(right, context)[:16]]
    for term in terms:
        for signed in (term, Negate(term)):
            yield Edit(Add((right, signed)), "a term is missing")

            def wider(node: Node, signed: Node = signed) -> Iterator[Node]:
                if isinstance(node, Add):
                    yield Add((*node.terms, signed))
                elif isinstance(node, Product):
                    for k, factor in enumerate(node.factors):
                        new = _put(node.factors, k, Add((factor, signed)))
                        yield replace(node, factors=new)

            if term is ONE:
                for new in _everywhere(right, wider):
                    yield Edit(new, "a term is missing")


def _argument(right: Node, context: Context) -> Iterator[Edit]:
    names = [n for n in _pool(right, context) if isinstance(n, Access | Apply)]
    for path, node in _places(right):
        if isinstance(node, Apply) and len(node.arguments) == 1:
            for name in names:
                if name not in (node, node.arguments[0]):
                    edited = replaced(right, path, replace(node, arguments=(name,)))
                    yield Edit(edited, f"{node.function.name} is read at the wrong place")


def _wrong_variable(right: Node, context: Context) -> Iterator[Edit]:
    names = [n for n in _pool(right, context) if isinstance(n, Access)]
    for path, node in _places(right):
        if isinstance(node, Access) and not is_index(node, right):
            for name in names:
                if len(name.indices) == len(node.indices) and name.symbol != node.symbol:
                    new: Node = replace(name, indices=node.indices)
                    yield Edit(replaced(right, path, new), f"{node.name} should be {name.name}")


def _constant(right: Node, context: Context) -> Iterator[Edit]:
    def other(node: Node) -> Iterator[Node]:
        if isinstance(node, Number):
            for value in (node.value + 1, node.value - 1, -node.value, 2 * node.value):
                yield Number(value, str(value))

    for new in _everywhere(right, other):
        yield Edit(new, "a number is wrong")

    def power(node: Node) -> Iterator[Node]:
        if isinstance(node, Access | Apply | Add):
            yield Power(node, TWO)
        elif isinstance(node, Power):
            yield node.base

    for new in _everywhere(right, power):
        yield Edit(new, "an exponent is wrong")


def _precedence(right: Node, context: Context) -> Iterator[Edit]:
    def regrouped(node: Node) -> Iterator[Node]:
        if isinstance(node, Quotient) and isinstance(node.denominator, Product):
            first, *rest = node.denominator.factors
            yield _times(Quotient(node.numerator, first), *rest)
        if isinstance(node, Quotient) and isinstance(node.denominator, Add):
            first, *rest = node.denominator.terms
            yield Add((Quotient(node.numerator, first), *rest))
        if isinstance(node, Quotient) and isinstance(node.numerator, Add):
            *most, last = node.numerator.terms
            yield Add((*most, Quotient(last, node.denominator)))
        if isinstance(node, Product) and isinstance(node.factors[-1], Add):
            first, *rest = node.factors[-1].terms
            yield Add((_times(*node.factors[:-1], first), *rest))
        if isinstance(node, Product):
            for k, factor in enumerate(node.factors):
                if isinstance(factor, Quotient) and k < len(node.factors) - 1:
                    below = _times(factor.denominator, *node.factors[k + 1 :])
                    yield _joined(node.factors[:k], Quotient(factor.numerator, below))
        if isinstance(node, Add):
            yield from _gathered(node)

    for new in _everywhere(right, regrouped):
        yield Edit(new, "brackets are missing or misplaced")


def _joined(before: Sequence[Node], last: Node) -> Node:
    return _times(*before, last) if before else last


def _gathered(node: Add) -> Iterator[Node]:
    for k, term in enumerate(node.terms[:-1]):
        after = node.terms[k + 1 :]
        if isinstance(term, Product):
            grouped = Add((term.factors[-1], *after))
            new: Node = _times(*term.factors[:-1], grouped)
        elif isinstance(term, Quotient):
            new = Quotient(term.numerator, Add((term.denominator, *after)))
        else:
            continue
        yield Add((*node.terms[:k], new)) if k else new
    last = node.terms[-1]
    inner = last.operand if isinstance(last, Negate) else last
    if isinstance(inner, Quotient):
        top = _negated(inner.numerator) if isinstance(last, Negate) else inner.numerator
        yield Quotient(Add((*node.terms[:-1], top)), inner.denominator)
    if isinstance(inner, Product):
        first = _negated(inner.factors[0]) if isinstance(last, Negate) else inner.factors[0]
        yield _times(Add((*node.terms[:-1], first)), *inner.factors[1:])


def _norm(right: Node, context: Context) -> Iterator[Edit]:
    def other(node: Node) -> Iterator[Node]:
        if isinstance(node, Norm):
            yield Power(node, TWO)
            yield replace(node, order=ONE)
            yield replace(node, order=None)
        if isinstance(node, Apply) and node.function.name == "sign":
            yield node.arguments[0]
        if isinstance(node, Access) and not is_index(node, right):
            yield Apply(Access("sign"), (node,))
            yield Norm(node, None, 1)

    for new in _everywhere(right, other):
        yield Edit(new, "the derivative is that of another norm")


def _other(right: Node, context: Context) -> Iterator[Edit]:
    def simpler(node: Node) -> Iterator[Node]:
        if isinstance(node, Product):
            for k in range(len(node.factors)):
                rest = (*node.factors[:k], *node.factors[k + 1 :])
                yield _times(*rest) if len(rest) > 1 else rest[0]
        elif isinstance(node, Add):
            for k in range(len(node.terms)):
                kept = (*node.terms[:k], *node.terms[k + 1 :])
                yield Add(kept) if len(kept) > 1 else kept[0]
        elif isinstance(node, Quotient):
            yield node.numerator
            yield Quotient(node.denominator, node.numerator)
        elif isinstance(node, Apply) and node.primes:
            yield replace(node, primes=node.primes - 1)
        elif isinstance(node, Apply) and node.function.name not in PRIMITIVES:
            yield replace(node, primes=node.primes + 1)

    for new in _everywhere(right, simpler):
        yield Edit(new, "a part of the formula does not belong there")


Generate = Callable[[Node, Context], Iterator[Edit]]

# From the simplest explanation to the least simple: the first that fits is reported.
EDITS: dict[str, Generate] = {
    "sign": _sign,
    "factor": _factor,
    "transpose": _transpose,
    "layer_index": _layer_index,
    "diagonal_only": _diagonal,
    "subscript": _subscript,
    "precedence": _precedence,
    "norm": _norm,
    "argument": _argument,
    "reduction": _reduction,
    "constant": _constant,
    "missing_factor": _missing_factor,
    "wrong_variable": _wrong_variable,
    "missing_term": _missing_term,
    "other": _other,
}
PAIRS = (
    ("layer_index", "transpose"),
    ("sign", "factor"),
    ("sign", "missing_factor"),
    ("transpose", "missing_factor"),
    ("subscript", "subscript"),
    ("sign", "sign"),
)
