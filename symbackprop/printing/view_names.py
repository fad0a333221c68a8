"""Names of views of arrays: z_T, z_flat, z_rows, z_column."""

from __future__ import annotations

import re

# Views by the words that say what they show; the rest of an expression is spelt out.
_VIEWS = (
    (r"^\[:, None\]$", "column"),
    (r"\.reshape\(-1\)", "flat_"),
    (r"\.reshape\([-\d]+, [-\d]+\)", "rows_"),
    (r"\.reshape\([-\d]+, [-\d]+, [-\d]+\)", "stack_"),
    (r"\.transpose\((.*)\)", lambda match: "axes_" + match[1].replace(", ", "")),
)


def suffix(rest: str) -> str:
    """Return what is added to a name for a view: z_T, z_flat, z_rows, z_column."""
    for text, word in _VIEWS:
        rest = re.sub(text, word, rest)
    return "_" + re.sub(r"[\W_]+", "_", rest).strip("_")
