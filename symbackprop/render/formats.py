"""The kinds of file that a document is written as, by suffix."""

from __future__ import annotations

from collections.abc import Callable

from symbackprop.errors import SymbackpropError, allowed
from symbackprop.render.document import Document
from symbackprop.render.html import html
from symbackprop.render.markdown import markdown
from symbackprop.render.notebook import notebook
from symbackprop.render.pdf import pdf
from symbackprop.render.tex import tex

FORMATS: dict[str, Callable[[Document], str | bytes]] = {
    ".html": html,
    ".ipynb": notebook,
    ".md": markdown,
    ".pdf": lambda document: pdf(tex(document)),
    ".tex": tex,
}


def writer(suffix: str) -> Callable[[Document], str | bytes]:
    """Return what writes documents as files with this suffix.

    Raises:
        SymbackpropError: no format has it.
    """
    found = FORMATS.get(suffix.lower())
    if found is None:
        raise SymbackpropError(f"suffix {suffix!r}: {allowed(suffix, FORMATS)}")
    return found
