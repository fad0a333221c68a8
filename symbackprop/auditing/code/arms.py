"""Points that take the other arm of a comparison, so that no verdict rests on one arm alone."""

from __future__ import annotations

import math

from symbackprop.auditing.code.dag import Node, reachable
from symbackprop.auditing.code.faults import Fault
from symbackprop.auditing.code.interpreter.machine import Place
from symbackprop.auditing.code.reruns import Point
from symbackprop.auditing.code.sweep import gradients
from symbackprop.auditing.code.trials import Trial

# A bound this small keeps off 0, one this large keeps off an overflow: neither is an arm to take.
SMALL, LARGE = 1e-2, 50.0
BEYOND = 0.4
MOST_MOVED = 50.0


def one_sided(trial: Trial, path: str) -> list[Place]:
    """Return the places of comparisons in a file that had one outcome in all runs of a reading."""
    found: dict[Place, set[str]] = {}
    for record in trial.records:
        for place, outcomes in record.outcomes.items():
            if place[0] == path and place[2].startswith("comparison"):
                found.setdefault(place, set()).update(outcomes)
    return [place for place, outcomes in found.items() if len(outcomes) == 1]


def other_side(trial: Trial, place: Place) -> Point | None:
    """Return values of inputs at which a comparison has its other outcome; None if none is known.

    Only what the function itself computes is moved: a bound on a gradient is no arm of it.
    """
    sides = trial.followed.machine.compared.get(place)
    if sides is None or any(map(_guards, sides)):
        return None
    own = {node.place for node in reachable(trial.target.seeds)}
    most = trial.followed.forward_nodes
    if not all(s.constant is not None or s.place in own or s.place < most for s in sides):
        return None
    one, other = sides
    apart = one.graph.subtract(one, other)
    leaves = [node for node in reachable([apart]) if _is_movable(trial, node)]
    try:
        slopes = [node.value for node in gradients({apart: one.graph.number(1)}, leaves)]
    except Fault:
        return None
    steep = sum(slope * slope for slope in slopes)
    if not steep or not math.isfinite(steep):
        return None
    step = -(apart.value + (BEYOND if apart.value > 0 else -BEYOND)) / steep
    moved = {
        leaf.payload: leaf.value + step * slope
        for leaf, slope in zip(leaves, slopes, strict=True)
        if slope
    }
    return moved if all(_allowed(trial, n, v) for (n, _), v in moved.items()) else None


def _guards(node: Node) -> bool:
    """Whether a side is a bound that keeps off 0, off 1 or off an overflow."""
    size = abs(node.value)
    near = 0 < size <= SMALL or size >= LARGE or 0 < abs(size - 1) <= SMALL
    return near and not any(map(_is_element, reachable([node])))


def _is_element(node: Node) -> bool:
    return node.function == "input" and bool(node.payload[1])


def _is_movable(trial: Trial, node: Node) -> bool:
    return node.function == "input" and node.payload[0] in trial.setup.specs


def _allowed(trial: Trial, name: str, value: float) -> bool:
    """Whether an input may have a value: probabilities stay probabilities."""
    spec = trial.setup.specs[name]
    if spec.kind not in ("array", "real") or abs(value) > MOST_MOVED:
        return False
    return spec.low < 0 or spec.low <= value <= spec.high
