"""One run of a pair compared: the true gradient beside the claimed one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from symbackprop.auditing.code import field as finite
from symbackprop.auditing.code import naming, precise
from symbackprop.auditing.code.claims import Claim, as_nodes
from symbackprop.auditing.code.dag import Node, reachable
from symbackprop.auditing.code.faults import Unknown
from symbackprop.auditing.code.given_values import same
from symbackprop.auditing.code.interpreter.values import Array
from symbackprop.auditing.code.running import Followed, main_output, parameter_names, returned_parts
from symbackprop.auditing.code.sweep import gradients

AGREES = 1e-9
# Doubles that differ by more, of the largest, are of different numbers.
NEAR = 1e-6
# How far a ratio may vary where constants that keep off 0 disturb it.
ROUGH = 1e-2
# The elements of a claim, and those of the truth beside them.
Sides = tuple[list[Node], list[Node]]


@dataclass
class Compared:
    """A claim beside the true gradient, in one run.

    Attributes:
        claim: The claim.
        truth: The true gradients, one array for each of the claim's inputs.
        exact: Whether they are equal in the field; None if it could not be computed.
        error: The largest relative difference in forty digits.
        ratio: Claim over truth, where it is one number; None otherwise.
        reason: Why they cannot be compared.
        sides: The elements of both, where they differ.
    """

    claim: Claim
    truth: tuple[Array, ...]
    exact: bool | None = None
    error: float | None = None
    ratio: float | None = None
    shaped: bool = True
    zero: bool = False
    reason: str = ""
    claimed_numbers: list[Any] = field(default_factory=list)
    true_numbers: list[Any] = field(default_factory=list)
    sides: Sides | None = None

    @cached_property
    def limit_ratio(self) -> float | None:
        """Claim over truth once small constants that only keep off 0 are 0, if one number."""
        return None if self.sides is None else limiting(*self.sides)

    @property
    def limit(self) -> bool:
        """Whether they are equal once these constants are 0."""
        return self.limit_ratio is not None and abs(self.limit_ratio - 1) <= AGREES

    @property
    def roughly_scaled(self) -> bool:
        """Whether claim over truth is about one positive number."""
        return bool(self.true_numbers) and bool(
            constant_ratio(self.claimed_numbers, self.true_numbers, ROUGH)
        )


@dataclass(frozen=True)
class Objective:
    """What is differentiated: outputs with their cotangents, and how it was found."""

    seeds: dict[Node, Node]
    words: str
    scalar: bool
    free_scale: bool = False
    elementwise: bool = False
    convention: str | None = None


def objective(followed: Followed, main: Any = None, where: str = "") -> Objective:
    """Return what the derivative differentiates, by the function's output and the upstream.

    Args:
        followed: The run.
        main: The output, where the function gives none and it lies in the object's state.
        where: The name that it has there.
    """
    machine = followed.machine
    main = main_output(followed.output) if main is None else main
    if main is None:
        raise Unknown("the function gives no number")
    outputs = as_nodes(followed, main)
    assert outputs is not None
    one = machine.number(1)
    seeds: dict[Node, Node] = {}
    upstream = followed.inputs.originals.get(followed.upstream or "")
    several = [] if where else list(_several(followed))
    if len(several) > 1:
        return _summed(several)
    used = upstream is not None and upstream.shape == outputs.shape
    for place in np.ndindex(*outputs.shape):
        cotangent = upstream[place] if used and upstream is not None else one
        node = outputs[place]
        seeds[node] = seeds[node] + cotangent if node in seeds else cotangent
    alone = all(len(machine.graph.inputs_of(n)) <= 3 for n in seeds)
    words = "upstream" if used else "loss" if outputs.size == 1 else "elements"
    words += f" of {where}" if where else ""
    return Objective(seeds, words, outputs.size == 1, elementwise=alone and _diagonal(outputs))


def _several(followed: Followed) -> Iterator[tuple[Array, Array]]:
    """Yield outputs with the gradients by them, where the derivative names those after them."""
    if followed.forward is followed.backward or followed.backward.node is None:
        return
    originals = followed.inputs.originals
    late = [n for n in parameter_names(followed.backward) if n in originals]
    for name, value in returned_parts(followed.forward.node, followed.output):
        array = as_nodes(followed, value) if name is not None else None
        for upstream in late:
            of = name is not None and naming.stands_for(upstream, name)
            if of and array is not None and originals[upstream].shape == array.shape:
                yield array, originals[upstream]


def _summed(pairs: Sequence[tuple[Array, Array]]) -> Objective:
    seeds: dict[Node, Node] = {}
    for outputs, upstream in pairs:
        for node, cotangent in zip(outputs.flat, upstream.flat, strict=True):
            seeds[node] = seeds[node] + cotangent if node in seeds else cotangent
    return Objective(seeds, "upstream", False)


def _diagonal(outputs: Array) -> bool:
    """Whether no two outputs read elements of different places of one input."""
    seen: dict[tuple[str, tuple[int, ...]], int] = {}
    for number, output in enumerate(outputs.reshape(-1)):
        for node in reachable([output]):
            indexed = node.function == "input" and node.payload[1]
            if indexed and seen.setdefault(node.payload, number) != number:
                return False
    return True


def state_outputs(followed: Followed) -> dict[str, Any]:
    """Return what a function that gives nothing may have meant to give: arrays that it set."""
    upstream = followed.inputs.originals.get(followed.upstream or "")
    found = {}
    for name, value in reversed(list(followed.before.items())):
        last = value[-1] if isinstance(value, list) and value else value
        fits = isinstance(last, np.ndarray) and (upstream is None or last.shape == upstream.shape)
        first = followed.inputs.originals.get(name)
        if fits and (first is None or not same(first, last)):
            found[name] = last
    return found


def compare_all(
    followed: Followed, target: Objective, claims: Sequence[Claim], seed: int
) -> dict[str, Compared]:
    """Return claims beside the truth, compared in the field and in forty digits."""
    originals = followed.inputs.originals
    places = {node: None for c in claims for n in c.names for node in originals[n].flat}
    true = dict(zip(places, gradients(target.seeds, places), strict=True))
    found: dict[str, Compared] = {}
    sides: dict[str, Sides] = {}
    for claim in claims:
        truth = tuple(_mapped(originals[name], true) for name in claim.names)
        result = found[claim.variable] = Compared(claim, truth)
        pairs = _aligned(result)
        if pairs is not None:
            sides[claim.variable] = [a for a, _ in pairs], [b for _, b in pairs]
            result.zero = all(b.constant == 0 for _, b in pairs)
    near = [name for name, (left, right) in sides.items() if _near(left, right)]
    equals = all_equal([sides[name] for name in near], seed)
    for name, alike in zip(near, equals, strict=True):
        found[name].exact = alike
    for name, (left, right) in sides.items():
        _measured(found[name], left, right, seed)
    return found


def compare(followed: Followed, target: Objective, claim: Claim, seed: int) -> Compared:
    """Return one claim beside the truth."""
    return compare_all(followed, target, [claim], seed)[claim.variable]


def _mapped(original: Array, values: dict[Node, Node]) -> Array:
    made = np.empty(original.shape, dtype=object)
    for place in np.ndindex(*original.shape):
        made[place] = values[original[place]]
    return made


def _aligned(result: Compared) -> list[tuple[Node, Node]] | None:
    """The elements of a claim beside those of the truth; None if their shapes differ."""
    pairs: list[tuple[Node, Node]] = []
    for claimed, true in zip(result.claim.values, result.truth, strict=True):
        aligned = fitted(claimed, true.shape)
        if aligned is None:
            result.shaped = False
            result.reason = f"the claim has shape {claimed.shape}, the variable {true.shape}"
            return None
        pairs += zip(aligned.reshape(-1), true.reshape(-1), strict=True)
    return pairs


def _near(left: Sequence[Node], right: Sequence[Node]) -> bool:
    """Whether doubles leave open that two lists are equal."""
    values = [abs(node.value) for node in (*left, *right)]
    if not all(map(math.isfinite, values)):
        return True
    apart = max((abs(a.value - b.value) for a, b in zip(left, right, strict=True)), default=0.0)
    return apart <= NEAR * max(values, default=0.0)


def _measured(result: Compared, left: list[Node], right: list[Node], seed: int) -> None:
    """Enter how far a claim is from the truth."""
    if result.exact:
        result.error, result.ratio = 0.0, 1.0
        return
    _numbers(result, left, right)
    if result.error is None or result.error > AGREES:
        result.sides = left, right
    elif not result.exact:
        # Doubles were too rough to see that it agrees.
        result.exact = equal(left, right, seed)


def limiting(left: list[Node], right: list[Node]) -> float | None:
    """Return the ratio of two lists once small constants that only keep off 0 are 0."""
    small = stabilisers([*left, *right])
    if not small:
        return None
    try:
        values = precise.numbers([*left, *right], dict.fromkeys(small, precise.ZERO))
    except (ArithmeticError, ValueError):
        return None
    return constant_ratio(values[: len(left)], values[len(left) :])


SMALL = 1e-2


def stabilisers(outputs: list[Node]) -> set[int]:
    """Return the places of small constants that are only added under a log, root or quotient."""
    order = reachable(outputs)
    if not any(_is_small(node) for node in order):
        return set()
    parents: dict[int, list[tuple[Node, int]]] = {}
    for node in order:
        for position, argument in enumerate(node.arguments):
            parents.setdefault(argument.place, []).append((node, position))
    found = set()
    for node in order:
        if not _is_small(node):
            continue
        users = parents.get(node.place, [])
        if users and all(u.function == "add" and _kept_off(u, parents) for u, _ in users):
            found.add(node.place)
    return found


def _is_small(node: Node) -> bool:
    number = node.constant is not None or (node.function == "input" and not node.payload[1])
    return number and 0 < abs(node.value) <= SMALL


def _kept_off(node: Node, parents: dict[int, list[tuple[Node, int]]]) -> bool:
    """Whether a sum stands under a log, a root or a fraction bar wherever it is used."""
    users = parents.get(node.place, [])
    return bool(users) and all(
        u.function == "log"
        or (u.function == "divide" and position == 1)
        or (u.function == "power" and position == 0)
        or (u.function in ("add", "multiply") and _kept_off(u, parents))
        for u, position in users
    )


def equal(left: Sequence[Node], right: Sequence[Node], seed: int) -> bool | None:
    """Return whether two lists are equal in the field, at two seeds; None if that is not known."""
    if all(a is b for a, b in zip(left, right, strict=True)):
        return True
    try:
        for draw in (seed, seed + 1):
            values = finite.residues([*left, *right], draw)
            if values[: len(left)] != values[len(left) :]:
                return False
    except finite.NoResidueError:
        return _each_equal(left, right, seed)
    return True


def all_equal(lists: Sequence[Sides], seed: int) -> list[bool | None]:
    """Return for several pairs of lists whether they are equal in the field, drawn together."""
    left = [node for one, _ in lists for node in one]
    right = [node for _, other in lists for node in other]
    if lists and equal(left, right, seed) is True:
        return [True] * len(lists)
    return [equal(one, other, seed) for one, other in lists]


def _each_equal(left: Sequence[Node], right: Sequence[Node], seed: int) -> bool | None:
    """The same element by element, each with draws of its own: roots exist in half of them."""
    for one, other in zip(left, right, strict=True):
        try:
            for draw in (seed, seed + 1):
                first, second = finite.residues([one, other], draw)
                if first != second:
                    return False
        except finite.NoResidueError:
            return None
    return True


def _numbers(result: Compared, left: list[Node], right: list[Node]) -> None:
    try:
        values = precise.numbers([*left, *right])
    except (ArithmeticError, ValueError) as error:
        result.reason = f"no finite value at the point ({error})"
        return
    claimed, true = values[: len(left)], values[len(left) :]
    result.claimed_numbers, result.true_numbers = claimed, true
    scale = max((abs(v) for v in (*claimed, *true)), default=0)
    if not scale:
        result.error = 0.0
        return
    result.error = float(max(abs(a - b) for a, b in zip(claimed, true, strict=True)) / scale)
    result.ratio = constant_ratio(claimed, true)


def constant_ratio(
    claimed: Sequence[Any], true: Sequence[Any], tolerance: float = AGREES
) -> float | None:
    """Return claim over truth where it is one number for all elements."""
    largest = max((abs(t) for t in true), default=0)
    if not largest:
        return None
    least = largest * tolerance
    ratios = [float(c / t) for c, t in zip(claimed, true, strict=True) if abs(t) > least]
    small = [c for c, t in zip(claimed, true, strict=True) if abs(t) <= least]
    first = ratios[0]
    if any(abs(c) > 1e3 * least * max(1.0, abs(first)) for c in small):
        return None
    same = all(abs(r - first) <= tolerance * max(1.0, abs(first)) for r in ratios)
    return first if same else None


def fitted(claimed: Array, shape: tuple[int, ...]) -> Array | None:
    """Return a claim in the shape of its variable: the same up to axes of one; else None."""
    if claimed.shape == shape:
        return claimed
    if claimed.size == int(np.prod(shape, dtype=int)):
        thin = tuple(e for e in claimed.shape if e != 1)
        if thin == tuple(e for e in shape if e != 1):
            return claimed.reshape(shape)
    # A constant stands for an array of it: a derivative that is 1.
    if claimed.ndim == 0 and claimed[()].constant is not None:
        made = np.empty(shape, dtype=object)
        made[...] = claimed[()]
        return made
    return None


def is_label(name: str) -> bool:
    """Return whether a variable is a target; gradients by targets are not asked for."""
    return naming.names_label(naming.last(name))
