"""One run of a pair compared: the true gradient beside the claimed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symbackprop.audit.code import field as finite
from symbackprop.audit.code import naming, precise
from symbackprop.audit.code.claims import Claim, as_nodes
from symbackprop.audit.code.dag import Node, reachable
from symbackprop.audit.code.faults import Unknown
from symbackprop.audit.code.interpreter.values import Array
from symbackprop.audit.code.running import Followed, main_output
from symbackprop.audit.code.sweep import gradients

AGREES = 1e-9


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
    """

    claim: Claim
    truth: tuple[Array, ...]
    exact: bool | None = None
    error: float | None = None
    ratio: float | None = None
    shaped: bool = True
    zero: bool = False
    limit: bool = False
    reason: str = ""
    claimed_numbers: list[Any] = field(default_factory=list)
    true_numbers: list[Any] = field(default_factory=list)


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
    used = upstream is not None and upstream.shape == outputs.shape
    for place in np.ndindex(*outputs.shape):
        cotangent = upstream[place] if used and upstream is not None else one
        node = outputs[place]
        seeds[node] = seeds[node] + cotangent if node in seeds else cotangent
    alone = all(len(machine.graph.inputs_of(n)) <= 3 for n in seeds)
    words = "upstream" if used else "loss" if outputs.size == 1 else "elements"
    words += f" of {where}" if where else ""
    return Objective(seeds, words, outputs.size == 1, elementwise=alone and _diagonal(outputs))


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
        if fits and name not in followed.inputs.originals:
            found[name] = last
    return found


def truths(followed: Followed, target: Objective, claim: Claim) -> tuple[Array, ...]:
    """Return the true gradients by the inputs of a claim."""
    found = []
    for name in claim.names:
        original = followed.inputs.originals[name]
        flat = gradients(target.seeds, list(original.reshape(-1)))
        made = np.empty(original.shape, dtype=object)
        made.reshape(-1)[:] = flat
        found.append(made)
    return tuple(found)


def compare(followed: Followed, target: Objective, claim: Claim, seed: int) -> Compared:
    """Return a claim beside the truth, compared in the field and in forty digits."""
    truth = truths(followed, target, claim)
    result = Compared(claim, truth)
    pairs: list[tuple[Node, Node]] = []
    for claimed, true in zip(claim.values, truth, strict=True):
        aligned = fitted(claimed, true.shape)
        if aligned is None:
            result.shaped = False
            result.reason = f"the claim has shape {claimed.shape}, the variable {true.shape}"
            return result
        pairs += zip(aligned.reshape(-1), true.reshape(-1), strict=True)
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    result.zero = all(node.constant == 0 for node in right)
    result.exact = equal(left, right, seed)
    if result.exact:
        result.error, result.ratio = 0.0, 1.0
        return result
    _numbers(result, left, right)
    if result.error is None or result.error > AGREES:
        result.limit = limiting(left, right)
    return result


def limiting(left: list[Node], right: list[Node]) -> bool:
    """Return whether two lists are equal once small constants that only keep off 0 are 0."""
    small = stabilisers([*left, *right])
    if not small:
        return False
    try:
        values = precise.numbers([*left, *right], dict.fromkeys(small, precise.ZERO))
    except (ArithmeticError, ValueError):
        return False
    scale = max((abs(v) for v in values), default=0)
    apart = max(abs(a - b) for a, b in zip(values[: len(left)], values[len(left) :], strict=True))
    return bool(scale) and apart <= AGREES * scale


SMALL = 1e-2


def stabilisers(outputs: list[Node]) -> set[int]:
    """Return the places of small constants that are only added under a log, root or quotient."""
    order = reachable(outputs)
    parents: dict[int, list[tuple[Node, int]]] = {}
    for node in order:
        for position, argument in enumerate(node.arguments):
            parents.setdefault(argument.place, []).append((node, position))
    found = set()
    for node in order:
        number = node.constant is not None or (node.function == "input" and not node.payload[1])
        if not number or not 0 < abs(node.value) <= SMALL:
            continue
        users = parents.get(node.place, [])
        if users and all(u.function == "add" and _kept_off(u, parents) for u, _ in users):
            found.add(node.place)
    return found


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


def constant_ratio(claimed: Sequence[Any], true: Sequence[Any]) -> float | None:
    """Return claim over truth where it is one number for all elements."""
    largest = max((abs(t) for t in true), default=0)
    if not largest:
        return None
    ratios = [float(c / t) for c, t in zip(claimed, true, strict=True) if abs(t) > largest * 1e-9]
    small = [c for c, t in zip(claimed, true, strict=True) if abs(t) <= largest * 1e-9]
    first = ratios[0]
    if any(abs(c) > largest * 1e-6 for c in small):
        return None
    return first if all(abs(r - first) <= 1e-9 * max(1.0, abs(first)) for r in ratios) else None


def fitted(claimed: Array, shape: tuple[int, ...]) -> Array | None:
    """Return a claim in the shape of its variable: the same up to axes of one; else None."""
    if claimed.shape == shape:
        return claimed
    if claimed.size == int(np.prod(shape, dtype=int)):
        thin = tuple(e for e in claimed.shape if e != 1)
        if thin == tuple(e for e in shape if e != 1):
            return claimed.reshape(shape)
    # A constant stands for an array of it: a derivative that is 1.
    if claimed.ndim == 0:
        made = np.empty(shape, dtype=object)
        made[...] = claimed[()]
        return made
    return None


def is_label(name: str) -> bool:
    """Return whether a variable is a target; gradients by targets are not asked for."""
    return naming.names_label(naming.last(name))
