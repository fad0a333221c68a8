"""Two formulas with their difference marked."""

from __future__ import annotations

import difflib
import re

LATEX = re.compile(r"\\[A-Za-z]+|\\.|\s+|.")
CODE = re.compile(r"\w+|\s+|.")


def marked_difference(wrong: str, right: str, token: re.Pattern[str] = LATEX) -> str:
    """Return the right formula with what it drops as [-…-] and what it adds as {+…+}."""
    old, new = token.findall(wrong), token.findall(right)
    parts = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append("".join(new[k:m]))
            continue
        gone, come = "".join(old[i:j]), "".join(new[k:m])
        parts.append((f"[-{gone}-]" if gone.strip() else "") + (f"{{+{come}+}}" if come else ""))
    return "".join(parts)
