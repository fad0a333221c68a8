"""Python source as HTML: comments, strings and keywords in elements of their own."""

from __future__ import annotations

import html
import keyword
import re
from collections.abc import Iterator

from markupsafe import Markup

# The standard library's tokenizer splits strings differently from version to version.
_TOKEN = re.compile(
    r"""(?P<i>\#.*)"""
    r"""|(?P<em>\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    rf"""|(?P<b>\b(?:{"|".join(keyword.kwlist)})\b)"""
)


def highlighted(text: str) -> list[Markup]:
    """Return each line: comments in ``<i>``, strings in ``<em>``, keywords in ``<b>``."""
    return Markup("").join(_pieces(text)).split("\n")


def _pieces(text: str) -> Iterator[Markup]:
    end = 0
    for token in _TOKEN.finditer(text):
        yield _escaped(text[end : token.start()])
        # A string of several lines is an element in each of them.
        lines = token[0].split("\n")
        name = Markup(token.lastgroup)
        pattern = Markup("<{0}>{1}</{0}>")
        yield Markup("\n").join(line and pattern.format(name, _escaped(line)) for line in lines)
        end = token.end()
    yield _escaped(text[end:])


def _escaped(text: str) -> Markup:
    """Return text as it stands between tags, where quotes are plain."""
    return Markup(html.escape(text, quote=False))
