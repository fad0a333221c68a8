"""LaTeX's command for a character, for formulas and text alike: plain ASCII, whatever comes in."""

from __future__ import annotations

import unicodedata

# Character: command, and the class of atom that TeX takes it for: a form of an Operator.
_COMMANDS = {
    "relation": {
        "=": "=",
        "≠": r"\neq",
        "<": "<",
        ">": ">",
        "≤": r"\leq",
        "≥": r"\geq",
        "≈": r"\approx",
        "≡": r"\equiv",
        "∼": r"\sim",
        "∝": r"\propto",
        "∈": r"\in",
        "∉": r"\notin",
        "⊂": r"\subset",
        "⊆": r"\subseteq",
        "→": r"\to",
        "←": r"\leftarrow",
        "↔": r"\leftrightarrow",
        "↦": r"\mapsto",
        "⇒": r"\Rightarrow",
        "⇔": r"\Leftrightarrow",
        "∣": r"\mid",
        ":": ":",
        "≔": r"\mathrel{:=}",
    },
    "binary": {
        "+": "+",
        "-": "-",
        "−": "-",
        "±": r"\pm",
        "·": r"\cdot",
        "⋅": r"\cdot",
        "×": r"\times",
        "⊙": r"\odot",
        "⊗": r"\otimes",
        "⊕": r"\oplus",
        "∘": r"\circ",
        "*": r"\ast",
        "∗": r"\ast",
        "∧": r"\wedge",
        "∨": r"\vee",
        "∩": r"\cap",
        "∪": r"\cup",
    },
    "punctuation": {",": ",", ";": ";"},
    "plain": {
        "/": "/",
        ".": ".",
        "!": "!",
        "?": "?",
        "∂": r"\partial",
        "∇": r"\nabla",
        "∞": r"\infty",
        "…": r"\ldots",
        "⋯": r"\cdots",
        "⊤": r"\top",
        "⊥": r"\bot",
        "′": r"\prime",
        "∀": r"\forall",
        "∃": r"\exists",
        "¬": r"\neg",
        "∅": r"\emptyset",
        "ℓ": r"\ell",
        "ℝ": r"\mathbb{R}",
        "ℕ": r"\mathbb{N}",
        "ℤ": r"\mathbb{Z}",
        "√": r"\surd",
        "∑": r"\Sigma",
        "∏": r"\Pi",
        "°": r"{}^{\circ}",
        "|": "|",
        "‖": r"\|",
        "(": "(",
        ")": ")",
        "[": "[",
        "]": "]",
        "{": r"\{",
        "}": r"\}",
        "⟨": r"\langle",
        "⟩": r"\rangle",
        "⌊": r"\lfloor",
        "⌋": r"\rfloor",
        "⌈": r"\lceil",
        "⌉": r"\rceil",
        "%": r"\%",
        "#": r"\#",
        "&": r"\&",
        "$": r"\$",
        "_": r"\_",
        "\\": r"\backslash",
        "^": r"\wedge",
        "~": r"\sim",
        '"': r"''",
        "'": r"'",
        "`": r"\text{`}",
        "@": r"\text{@}",
        " ": r"\ ",
        "\u00a0": r"\ ",
    },
}
_SIGNS = {
    sign: (command, form) for form, signs in _COMMANDS.items() for sign, command in signs.items()
}
_GREEK = {
    "LAMDA": "lambda",
    "FINAL SIGMA": "varsigma",
}
_GREEK_SYMBOLS = {
    "ϵ": r"\epsilon",
    "ϑ": r"\vartheta",
    "ϕ": r"\phi",
    "ϱ": r"\varrho",
    "ϖ": r"\varpi",
}
_GREEK_VARIANTS = {"ε": r"\varepsilon", "φ": r"\varphi"}
# Capitals that look like Latin ones have no command.
_LATIN_LOOKS = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)) | {"Υ": r"\Upsilon"}


def greek(character: str) -> str:
    """Return the command of a Greek letter, a Latin letter of the same look, or nothing."""
    if found := (_GREEK_SYMBOLS | _GREEK_VARIANTS | _LATIN_LOOKS).get(character):
        return found
    name = unicodedata.name(character, "")
    for prefix, change in (
        ("GREEK SMALL LETTER ", str.lower),
        ("GREEK CAPITAL LETTER ", str.title),
    ):
        if name.startswith(prefix):
            letter = name.removeprefix(prefix)
            spelled = _GREEK.get(letter, letter)
            return "" if " " in spelled else rf"\{change(spelled)}"
    return ""


def sign(character: str) -> tuple[str, str]:
    """Return the command of a sign within a formula and its class, or two empty texts."""
    return _SIGNS.get(character, ("", ""))


def code_point(character: str) -> str:
    """Return how a character is named that LaTeX cannot print: ``U+1F600``."""
    return f"U+{ord(character):04X}"


def base_letters(character: str) -> str:
    """Return a character's ASCII letters without their accents, or its code point."""
    plain = unicodedata.normalize("NFKD", character)
    kept = "".join(letter for letter in plain if letter.isascii() and letter.isprintable())
    return kept or code_point(character)
