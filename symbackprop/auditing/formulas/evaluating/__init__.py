"""A per-unit formula in numbers: plain loops over indices, derivatives by dual numbers."""

from __future__ import annotations

from functools import partial

from symbackprop.auditing.formulas.evaluating import arithmetic, derivatives, functions, sums
from symbackprop.auditing.formulas.evaluating.core import Env, Evaluator
from symbackprop.auditing.formulas.evaluating.sums import holds
from symbackprop.auditing.formulas.tree import Access

# An evaluator that knows every kind of node.
evaluator = partial(
    Evaluator,
    {
        Access: Evaluator.access,
        **arithmetic.RULES,
        **derivatives.RULES,
        **functions.RULES,
        **sums.RULES,
    },
)

__all__ = ["Env", "Evaluator", "evaluator", "holds"]
