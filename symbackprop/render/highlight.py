"""Python source as HTML: comments, strings and keywords told apart."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from markupsafe import Markup, escape

# The standard library's tokenizer splits strings differently from version to version.
_TOKEN = re.compile(
    r"""(?P<c>\#.*)"""
    r"""|(?P<s>\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    rf"""|(?P<k>\b(?:{"|".join(keyword.kwlist)})\b)"""
)


def highlighted(text: str) -> list[Markup]:
    """Return each line, with a ``<span>`` of class c, s or k around what it colours."""
    return Markup("").join(_pieces(text)).split("\n")


def _pieces(text: str) -> Iterator[Markup]:
    end = 0
    for token in _TOKEN.finditer(text):
        yield escape(text[end : token.start()])
        # A string of several lines is a span in each of them.
        lines = token[0].split("\n")
        pattern = Markup('<span class="{}">{}</span>')
        yield Markup("\n").join(pattern.format(token.lastgroup, line) for line in lines)
        end = token.end()
    yield escape(text[end:])
