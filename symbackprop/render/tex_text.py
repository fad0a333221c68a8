r"""Plain text as LaTeX: printed as it is read, whatever it holds, and broken where it is long."""

from __future__ import annotations

import re
import unicodedata

from symbackprop.render import latex_signs

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_\allowbreak{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\`{}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    "\u00a0": "~",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "ø": r"\o{}",
    "ł": r"\l{}",
    "§": r"\S{}",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
_LIKE_ASCII = {"∂": "d", "–": "-", "—": "-", "−": "-", "’": "'", "·": "*", "→": "to", "′": "'"}
# Typewriter type has a place for every sign of ASCII, whose number is enough.
_COMMANDS_TOO = "\\{}'`"
_OTHERS_TOO = "%#&$_^~"
_UPRIGHT_QUOTE, _BACK_QUOTE = 13, 18
_LONGEST_RUN, _LONG_WORD, _LONGEST_WORD = 8, 12, 24


def escaped(text: str) -> str:
    """Return a text as LaTeX: one paragraph, plain ASCII."""
    printed, run, last = [], 0, ""
    for character in _one_line(text):
        run = 0 if character == " " else run + 1
        after_sign = run > _LONG_WORD and not last.isalnum()
        if after_sign or (run > _LONGEST_WORD and run % _LONGEST_RUN == 0):
            printed.append(r"\allowbreak{}")
        joins = character == last and character in "-'"  # as LaTeX joins them
        printed.append(("{}" if joins else "") + _printed(character))
        last = character
    return "".join(printed)


def typewriter(text: str) -> str:
    r"""Return code as LaTeX for ``\texttt``; long names may break after a sign or anywhere."""
    pieces = []
    for run in re.findall(r"[A-Za-z0-9]+|.", _one_line(text)):
        parts = [run[i : i + _LONGEST_RUN] for i in range(0, len(run), _LONGEST_RUN)]
        pieces.append(
            r"\allowbreak{}".join(_cells(part, _COMMANDS_TOO + _OTHERS_TOO) for part in parts)
        )
        if not run.isalnum() and run != " ":
            pieces.append(r"\allowbreak{}")
    return "".join(pieces)


def columns(text: str) -> str:
    """Return a line of code with a column for each sign: others than LaTeX has are spelled out."""
    return "".join(
        c if _has_command(c) else latex_signs.base_letters(c) for c in _one_line(text.expandtabs(4))
    )


def listed_line(text: str) -> str:
    """Return a line of code for the environment ``listing``, where most signs are themselves."""
    return _cells(text, _COMMANDS_TOO)


def _has_command(character: str) -> bool:
    printable = character.isascii() and character.isprintable()
    return printable or bool(latex_signs.greek(character) or latex_signs.sign(character)[0])


def bookmark(text: str) -> str:
    """Return a text for a PDF's table of contents: letters, digits and plain marks only."""
    plain = "".join(_spelled(character) for character in _one_line(text))
    return " ".join(re.sub(r"[^A-Za-z0-9 .,:;()+=/*'!?\[\]-]", " ", plain).split())


def _spelled(character: str) -> str:
    letter = _LIKE_ASCII.get(character) or latex_signs.greek(character).removeprefix("\\")
    return letter or latex_signs.base_letters(character)


def _one_line(text: str) -> str:
    return re.sub(r"[\t\n\v\f\r\x85\u2028\u2029]+", " ", text)


def _printed(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii() and character.isprintable():
        return character
    if command := latex_signs.greek(character) or latex_signs.sign(character)[0]:
        return f"${command}$"
    return _accented(character)


def _accented(character: str) -> str:
    """A letter with one accent, a raised or lowered digit, or the code point."""
    kind, _, decomposed = unicodedata.decomposition(character).rpartition("> ")
    parts = [chr(int(code, 16)) for code in decomposed.split()]
    if not all(part.isascii() and part.isalnum() for part in parts[:1]):
        parts = []
    if not kind and len(parts) == 2 and parts[1] in _ACCENTS:
        return rf"\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    if kind in ("<super", "<sub") and len(parts) == 1:
        return f"${'^' if kind == '<super' else '_'}{{{parts[0]}}}$"
    letters = latex_signs.base_letters(character)
    return escaped(letters) + (r"\allowbreak{}" if letters.startswith("U+") else "")


def _cells(text: str, special: str) -> str:
    return "".join(_cell(character, special) for character in text)


def _cell(character: str, special: str) -> str:
    if character in special:
        code = {"'": _UPRIGHT_QUOTE, "`": _BACK_QUOTE}.get(character, ord(character))
        return rf"{{\char{code}}}"
    if character.isascii() and character.isprintable():
        return character
    command = latex_signs.greek(character) or latex_signs.sign(character)[0]
    if command:
        return rf"\cell{{{command}}}"
    return _cells(latex_signs.base_letters(character), special)
