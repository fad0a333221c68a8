"""Tables of a file as typed records, unknown keys refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from symbackprop.errors import SymbackpropError, allowed
from symbackprop.notation.uses import shown

Record = TypeVar("Record", bound=msgspec.Struct)

_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `(?P<where>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")


def convert(table: Mapping[str, object], record: type[Record], place: str) -> Record:
    """Return the table as a record.

    Args:
        table: what the file says.
        record: the type; its fields are the keys that are allowed.
        place: what errors call the table; empty for a file's top level.

    Raises:
        SymbackpropError: a key is unknown or missing, or a value has the wrong type.
    """
    front = f"{place}: " if place else ""
    known = record.__struct_encode_fields__
    for key in table:
        if key not in known:
            raise SymbackpropError(f"{front}{shown(key)} is not known; {allowed(key[:64], known)}")
    try:
        return msgspec.convert(table, record, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise SymbackpropError(front + _plain(str(error))) from None


def _plain(message: str) -> str:
    """Return msgspec's message in our words: field first, then what was found."""
    match = _MESSAGE.fullmatch(message)
    what, where = (match["what"], match["where"]) if match else (message, None)
    if missing := _MISSING.fullmatch(what):
        return f"{missing[1]} is missing"
    field = (where or "").removeprefix("$").lstrip(".")
    what = what.replace("`", "").replace("Expected", "expected").replace(", got", ", found")
    what = what.replace("object", "table")
    return f"{field}: {what}" if field else what
