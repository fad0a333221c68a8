"""Why a claim is wrong: the one edit, or the pair of edits, that makes it true.

Single edits are tried before pairs; where edits of several kinds fit, the earlier entry of the
registry is the simpler explanation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symbackprop.auditing.finding import Diagnosis
from symbackprop.auditing.formulas.edits import EDITS, EDITS_OF_LEFT, PAIRS, Context, Edit
from symbackprop.auditing.formulas.tree import Node

MOST_EDITS = 1600
MOST_PAIRS = 1500


@dataclass(frozen=True)
class Explanation:
    """The diagnosis and the sides that it leads to."""

    diagnosis: Diagnosis
    right: Node
    left: Node

    @property
    def mended(self) -> tuple[Node, Node]:
        """Both sides as they should be."""
        return self.left, self.right


Holds = Callable[[Node], bool]


def explain(right: Node, context: Context, holds: Holds, holds_left: Holds) -> Explanation | None:
    """Return what is wrong with a claim, if an edit or a pair of edits makes it true.

    Args:
        right: The right side of a refuted claim.
        context: Where names for corrections come from.
        holds: Whether the claim is true with another right side.
        holds_left: Whether the claim is true with another left side.
    """
    tried = 0
    for kind, generate in EDITS:
        for edit in generate(right, context):
            tried += 1
            if tried > MOST_EDITS:
                break
            if edit.right != right and holds(edit.right):
                return Explanation(_diagnosis((kind,), (edit,)), edit.right, context.left)
    for kind, generate in EDITS_OF_LEFT:
        for edit in generate(context.left, Context(right, context.definitions)):
            if edit.right != context.left and holds_left(edit.right):
                return Explanation(_diagnosis((kind,), (edit,)), right, edit.right)
    return _pairs(right, context, holds)


def _pairs(right: Node, context: Context, holds: Holds) -> Explanation | None:
    tried = 0
    for (first, generate), (second, then) in PAIRS:
        for edit in generate(right, context):
            for other in then(edit.right, context):
                tried += 1
                if tried > MOST_PAIRS:
                    return None
                if other.right != right and holds(other.right):
                    diagnosis = _diagnosis((first, second), (edit, other))
                    return Explanation(diagnosis, other.right, context.left)
    return None


def _diagnosis(kinds: tuple[str, ...], edits: tuple[Edit, ...]) -> Diagnosis:
    factors = [edit.factor for edit in edits if edit.factor is not None]
    return Diagnosis(
        kind=kinds[0],
        kinds=tuple(dict.fromkeys(kinds)),
        detail="; ".join(edit.detail for edit in edits),
        factor=factors[0] if factors else None,
    )
