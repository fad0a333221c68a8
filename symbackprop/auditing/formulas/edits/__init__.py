"""Corrections of claims: one registry of the mistakes that an edit can undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from symbackprop.auditing.formulas.edits import constants, indices, parts, structure
from symbackprop.auditing.formulas.edits.editing import Context, Edit
from symbackprop.auditing.formulas.tree import Node

Generate = Callable[[Node, Context], Iterator[Edit]]

# Kinds of mistakes with what corrects them, from the simplest explanation to the least simple:
# the first that fits is reported.
EDITS: tuple[tuple[str, Generate], ...] = (
    ("sign", constants.sign),
    ("factor", constants.factor),
    ("transpose", indices.transpose),
    ("layer_index", indices.layer_index),
    ("diagonal_only", indices.diagonal_only),
    ("subscript", indices.subscript),
    ("precedence", structure.precedence),
    ("sign", constants.sign_of_part),
    ("factor", constants.factor_of_part),
    ("argument", parts.argument),
    ("reduction", constants.reduction),
    ("norm", structure.norm),
    ("constant", constants.constant),
    ("missing_factor", parts.missing_factor),
    ("wrong_variable", parts.wrong_variable),
    ("missing_term", parts.missing_term),
    ("other", parts.other),
)
# What corrects a left side: its subscripts may be the wrong ones too.
EDITS_OF_LEFT: tuple[tuple[str, Generate], ...] = (
    ("subscript", indices.subscript),
    ("subscript", indices.as_elsewhere),
)
# Which two mistakes are looked for together.
PAIRS: tuple[tuple[tuple[str, Generate], tuple[str, Generate]], ...] = (
    (("layer_index", indices.layer_index), ("transpose", indices.transpose)),
    (("sign", constants.sign), ("factor", constants.factor_of_part)),
    (("sign", constants.sign), ("missing_factor", parts.missing_factor)),
    (("transpose", indices.transpose), ("missing_factor", parts.missing_factor)),
    (("subscript", indices.subscript), ("subscript", indices.subscript)),
    (("sign", constants.sign_of_part), ("sign", constants.sign_of_part)),
)

__all__ = ["EDITS", "EDITS_OF_LEFT", "PAIRS", "Context", "Edit", "Generate"]
