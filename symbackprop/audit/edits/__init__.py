"""Corrections of claims: one registry of the mistakes that an edit can undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from symbackprop.audit.edits import constants, indices, parts, structure
from symbackprop.audit.edits.editing import Context, Edit
from symbackprop.audit.formula_tree import Node

Generate = Callable[[Node, Context], Iterator[Edit]]

# Kinds of mistakes with what corrects them, from the simplest explanation to the least simple:
# the first that fits is reported.
EDITS: dict[str, Generate] = {
    "sign": constants.sign,
    "factor": constants.factor,
    "transpose": indices.transpose,
    "layer_index": indices.layer_index,
    "diagonal_only": indices.diagonal_only,
    "subscript": indices.subscript,
    "precedence": structure.precedence,
    "norm": structure.norm,
    "argument": parts.argument,
    "reduction": constants.reduction,
    "constant": constants.constant,
    "missing_factor": parts.missing_factor,
    "wrong_variable": parts.wrong_variable,
    "missing_term": parts.missing_term,
    "other": parts.other,
}
PAIRS = (
    ("layer_index", "transpose"),
    ("sign", "factor"),
    ("sign", "missing_factor"),
    ("transpose", "missing_factor"),
    ("subscript", "subscript"),
    ("sign", "sign"),
)

__all__ = ["EDITS", "PAIRS", "Context", "Edit", "Generate"]
