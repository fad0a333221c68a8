"""Sub- and superscripts of a symbol: labels, indices, powers and transposes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from symbackprop.auditing.formulas.reading.facts import Facts, key
from symbackprop.auditing.formulas.reading.items import Item, content
from symbackprop.auditing.formulas.tree import Access, Label, Node, Power, Transpose

Expression = Callable[[tuple[Item, ...]], Node]
_ACCENT_MARKS = {"*": "star", "+": "plus", "dagger": "dagger", "-": "minus"}


@dataclass
class Scripts:
    """What the scripts of one symbol say, in the order in which they apply."""

    labels: list[Label] = field(default_factory=list)
    indices: list[Node] = field(default_factory=list)
    accents: list[str] = field(default_factory=list)
    after: list[Node | str] = field(default_factory=list)  # a power, or "T"


def read_scripts(item: Item, facts: Facts, expression: Expression) -> Scripts:
    """Return what the scripts of a symbol mean."""
    found = Scripts()
    _below(item, facts, expression, found)
    _above(item, facts, expression, found)
    return found


def powered(made: Node, scripts: Scripts) -> Node:
    """Put powers and transposes around a node, in their order."""
    for script in scripts.after:
        made = Transpose(made) if isinstance(script, str) else Power(made, script)
    return made


def split_at(items: tuple[Item, ...], *kinds: str) -> list[tuple[Item, ...]]:
    """Cut a run of items at separators of these kinds."""
    parts: list[list[Item]] = [[]]
    for item in items:
        if item.kind in kinds:
            parts.append([])
        else:
            parts[-1].append(item)
    return [tuple(part) for part in parts]


def label_of(items: tuple[Item, ...], place: str) -> Label | None:
    """Return the label that a script spells: a letter, a word, a number, a letter ± a number."""
    plain = [(i.kind, i.text) for i in items]
    if any(i.below or i.above or i.parts for i in items) or not items:
        return None
    kinds = tuple(kind for kind, _ in plain)
    texts = [text for _, text in plain]
    if kinds == ("number",) and texts[0].isdigit():
        return Label("", int(texts[0][:6]), place)
    if kinds in (("letter",), ("word",)):
        return Label(_marked(items[0]), 0, place)
    shifted = (("letter", "plus", "number"), ("letter", "minus", "number"))
    if kinds in shifted and texts[2].isdigit():
        shift = int(texts[2][:6])
        return Label(texts[0], shift if kinds[1] == "plus" else -shift, place)
    if all(kind in ("letter", "word", "number") for kind in kinds):
        return Label("".join(texts), 0, place)
    return None


def _marked(item: Item) -> str:
    return item.text + "'" * item.primes


_JOINING = ("plus", "minus", "join")


def _above(item: Item, facts: Facts, expression: Expression, found: Scripts) -> None:
    rest = list(item.above)
    while rest and rest[0].kind in ("paren", "bracket") and (label := _bracketed(rest[0])):
        part = rest.pop(0)
        letter = label.base
        if letter in facts.bound and letter not in facts.layers and label.shift == 0:
            found.indices.insert(0, expression(part.parts[0]))
        else:
            found.labels.append(label)
        _trailing(part, rest)
    while rest and rest[0].kind == "comma":
        rest.pop(0)
    if not rest:
        return
    if len(rest) > 1 and _is_circle(rest[0]):
        # A circle says that entries are raised, which is what a power of an array is read as.
        found.after.append(expression(tuple(rest[1:])))
    elif (
        _is_transpose(rest[-1]) and len(rest) > 1 and rest[-2].kind not in ("plus", "minus", "join")
    ):
        _power(rest[:-1], item, facts, expression, found)
        found.after.append("T")
    elif len(rest) == 2 and rest[0].kind == "minus" and _is_transpose(rest[1]):
        found.after += [expression((rest[0], Item("number", "1", rest[0].at))), "T"]
    else:
        _power(rest, item, facts, expression, found)


def _trailing(part: Item, rest: list[Item]) -> None:
    """Scripts on a bracketed label belong to the symbol."""
    rest[:0] = part.above


def _bracketed(part: Item) -> Label | None:
    return label_of(part.parts[0], "round" if part.kind == "paren" else "square")


def _is_circle(item: Item) -> bool:
    return any(part.kind == "join" and part.text == "⊙" for part in content(item))


def _is_transpose(item: Item) -> bool:
    return item.kind == "top" or (
        item.kind in ("letter", "word") and item.text in ("T", "intercal") and not item.below
    )


def _power(
    rest: list[Item], item: Item, facts: Facts, expression: Expression, found: Scripts
) -> None:
    if len(rest) == 1 and _is_transpose(rest[0]):
        found.after.append("T")
    elif len(rest) == 1 and rest[0].text in _ACCENT_MARKS and rest[0].kind != "number":
        found.accents.append(_ACCENT_MARKS[rest[0].text])
    elif item.kind in ("letter", "word") and (label := _label_above(tuple(rest), item, facts)):
        index = label.base in facts.bound and label.base not in facts.layers and not label.shift
        if index and len(rest) == 1:
            found.indices.insert(0, expression(tuple(rest)))
        else:
            found.labels.append(label)
    else:
        found.after.append(expression(tuple(rest)))


def _label_above(rest: tuple[Item, ...], item: Item, facts: Facts) -> Label | None:
    """Return a superscript that is no exponent: a layer's letter or number, a word."""
    label = label_of(rest, "above")
    if label is None or item.text == "e":
        return None
    name = key(item)
    if not label.base:
        return label if name in facts.raised else None
    letter = rest[0].text
    if rest[0].kind == "letter" and len(rest) == 1:
        return label if facts.is_label(letter, name) else None
    if label.shift:
        return label if letter in facts.layers or name in facts.labelled else None
    return label


def _below(item: Item, facts: Facts, expression: Expression, found: Scripts) -> None:
    parts = split_at(item.below, "comma") if item.below else []
    for k, part in enumerate(_taken_apart(part, facts) for part in parts):
        if not part:
            continue
        if len(parts) > 1 and k == 0 and _is_number(part) and key(item) not in facts.indexed:
            found.labels.append(Label("", int(part[0].text), "below"))
        else:
            _component(
                part, len(parts) == 1, item=item, facts=facts, expression=expression, found=found
            )


def _taken_apart(part: tuple[Item, ...], facts: Facts) -> tuple[Item, ...]:
    """Return a subscript with the letters of ``nihj`` apart: no word, where they count elements."""
    if [item.kind for item in part] != ["word"]:
        return part
    word = part[0]
    letters = set(word.text)
    if len(letters) < len(word.text):
        return part
    if len(letters - facts.bound) > 1 or not all(map(facts.is_index, letters)):
        return part
    return tuple(Item("letter", letter, word.at + k) for k, letter in enumerate(word.text))


def _is_number(part: tuple[Item, ...]) -> bool:
    return len(part) == 1 and part[0].kind == "number" and part[0].text.isdigit()


def _component(
    part: tuple[Item, ...],
    is_only: bool,
    *,
    item: Item,
    facts: Facts,
    expression: Expression,
    found: Scripts,
) -> None:
    """Read one subscript between commas."""
    first = part[0]
    if len(part) == 1 and first.kind in ("paren", "bracket"):
        label = _bracketed(first)
        if label is not None:
            found.labels.append(label)
            return
        part = first.parts[0]
    if len(part) == 1 and first.kind in ("colon", "join"):
        found.indices.append(Access("all"))
    elif _is_number(part):
        _lone_number(part, is_only, item=item, facts=facts, expression=expression, found=found)
    elif _is_run(part):
        if len(part) == 1 and first.kind == "letter" and key(item) in facts.worded:
            found.labels.append(Label(_marked(first), 0, "below"))
        else:
            _run(part, facts, expression, found)
    elif (label := label_of(part, "below")) and label.shift and label.base in facts.layers:
        found.labels.append(label)
    else:
        found.indices.append(expression(part))


def _lone_number(
    part: tuple[Item, ...],
    is_only: bool,
    *,
    item: Item,
    facts: Facts,
    expression: Expression,
    found: Scripts,
) -> None:
    text = part[0].text
    if is_only and len(text) == 2 and key(item) in facts.twofold:
        found.indices += [expression((Item("number", digit, part[0].at),)) for digit in text]
    elif not is_only or key(item) in facts.indexed:
        digits = [text] if not is_only or len(text) == 1 else list(text)
        found.indices += [expression((Item("number", digit, part[0].at),)) for digit in digits]
    else:
        found.labels.append(Label("", int(text[:6]), "below"))


def _is_run(part: tuple[Item, ...]) -> bool:
    plain = all(i.kind in ("letter", "number", "word") and not i.above for i in part)
    return plain and not any(i.text == "mod" for i in part)


def _run(part: tuple[Item, ...], facts: Facts, expression: Expression, found: Scripts) -> None:
    """Read letters and numbers side by side: ``ij``, ``1i``, ``prev``, ``xh``."""
    bare = [i for i in part if i.kind == "letter" and not i.below]
    if len(bare) == len(part) and not any(facts.is_index(i.text) for i in part):
        label = label_of(part, "below")
        if label is not None:
            found.labels.append(label)
            return
    is_word = len(bare) == len(part) > 1 and not all(facts.is_index(i.text) for i in part)
    if is_word and not any(i.text in facts.bound for i in part):
        found.labels.append(Label("".join(i.text for i in part), 0, "below"))
        return
    for k, piece in enumerate(part):
        if piece.kind == "number" and k == 0 and len(part) > 1:
            found.labels.append(Label("", int(piece.text[:6]), "below"))
        elif (
            piece.kind == "word"
            or (piece.kind == "letter" and _is_layer(piece, part, facts))
            or (piece.kind == "letter" and not piece.below and not facts.is_index(piece.text))
        ):
            found.labels.append(Label(_marked(piece), 0, "below"))
        else:
            found.indices.append(expression((piece,)))


def _is_layer(piece: Item, part: tuple[Item, ...], facts: Facts) -> bool:
    return piece.text in facts.layers and len(part) == 1 and not piece.below
