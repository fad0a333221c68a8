"""What the whole document says about its notation, gathered before anything is resolved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from symbackprop.auditing.formulas.reading.items import Item

CUSTOMARY_FUNCTIONS = frozenset({"sigma", "phi", "psi", "f", "g", "varphi", "F", "G", "act"})
LOSSES = frozenset(
    {"L", "J", "C", "E", "ell", "loss", "Loss", "cost", "Cost", "MSE", "BCE", "SSE", "MAE", "RSS"}
)
PARAMETERS = frozenset(("W", "w", "b", "B", "theta", "Theta", "beta", "gamma", "V", "U"))
CUSTOMARY_INDICES = frozenset("ijklmnpqrstcuv")
_CUSTOMARY_POWERS = frozenset("nmpkqr")


# The sets of letters that name something.
_NAMING = ("functions", "quantities", "losses", "variables", "gradients")


def key(item: Item) -> str:
    """Return the name of a symbol with its accents."""
    return "".join((item.text, *("~" + accent for accent in item.accents)))


@dataclass(frozen=True, slots=True)
class Facts:
    """How a document uses its letters.

    Attributes:
        functions: Symbols that are applied: on a left side before plain symbols, or with a prime.
        quantities: Symbols that stand bare on a left side.
        layers: Letters that are seen with ±1 in a label and bound by no sum.
        bound: Letters that a sum, a product or a range binds.
        counted: Letters beside a bound one in a subscript (``u_{ak}``) that name nothing else, and
            letters whose values are listed (``a = 0, 1``).
        labelled: Symbols with a layer's letter or a number in brackets as a superscript.
        raised: Symbols whose labels stand above them without brackets (``W^{l+1}``, ``W^1``).
        indexed: Symbols with one bound letter as their only subscript.
        twofold: Symbols with two letters side by side as subscripts.
        powers: Letters that are exponents (``n x^{n-1}``).
        gradients: Names whose ``d`` stands on a left side (``dW = …``).
        losses: Symbols that are differentiated.
        worded: Symbols whose lone subscripts tell them apart (``W_f``, so ``W_i`` too).
        variables: Symbols that derivatives are taken by.
        given: Symbols that stand with subscripts on a left side, and functions' names that stand
            there with a layer's label: nobody labels a function known by name.
    """

    functions: frozenset[str] = frozenset()
    quantities: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()
    counted: frozenset[str] = frozenset()
    labelled: frozenset[str] = frozenset()
    raised: frozenset[str] = frozenset()
    indexed: frozenset[str] = frozenset()
    twofold: frozenset[str] = frozenset()
    powers: frozenset[str] = frozenset()
    gradients: frozenset[str] = frozenset()
    losses: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    worded: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()

    def is_function(self, item: Item) -> bool:
        """Whether a symbol before a parenthesis is applied to what it holds."""
        name = key(item)
        if name in self.functions or item.primes:
            return True
        return name in CUSTOMARY_FUNCTIONS and name not in self.quantities

    @property
    def names_gradients(self) -> bool:
        """Whether ``dX`` is the gradient by X: parameters' stand on left sides."""
        return bool(self.gradients & PARAMETERS)

    def is_index(self, letter: str) -> bool:
        """Whether a lone subscript letter counts elements."""
        return letter in self.bound or letter in self.counted or letter in CUSTOMARY_INDICES

    def is_label(self, letter: str, owner: str) -> bool:
        """Whether a lone superscript letter is a label and no exponent."""
        if letter in self.layers or letter in self.bound:
            return True
        if letter in self.powers or letter in _CUSTOMARY_POWERS:
            return owner in self.labelled and letter not in self.powers
        return True


class _Gathering:
    def __init__(self) -> None:
        self.sets: dict[str, set[str]] = {name: set() for name in Facts.__slots__}
        self.shifted: Counter[str] = Counter()
        self.subscripts: set[tuple[str, str]] = set()
        self.raised: set[tuple[str, str]] = set()
        self.ones: set[str] = set()
        self.pairs: set[tuple[str, str]] = set()
        self.owners: set[str] = set()
        self.listed: set[str] = set()


def gather(formulas: Iterable[tuple[Item, ...]]) -> Facts:
    """Return the facts of a document, formula by formula."""
    found = _Gathering()
    for items in formulas:
        _left_sides(items, found)
        for row in _rows(items):
            _row(row, found)
    sets = found.sets
    sets["layers"] = {
        letter
        for letter in found.shifted
        if letter not in sets["bound"] and letter not in sets["powers"]
    }
    sets["raised"] = {owner for owner, letter in found.raised if letter not in sets["powers"]}
    sets["labelled"] |= sets["raised"]
    # Nobody writes a power of 1.
    sets["raised"] |= found.ones & sets["labelled"]
    named = found.owners.union(*(sets[kind] for kind in _NAMING))
    sets["counted"] = {a for a, b in found.pairs if b in sets["bound"] and a not in named}
    sets["counted"] |= found.listed - sets["layers"] - sets["losses"]
    words: dict[str, set[str]] = {}
    for owner, letter in found.subscripts:
        if letter in sets["bound"]:
            sets["indexed"].add(owner)
        elif letter not in CUSTOMARY_INDICES | sets["counted"]:
            words.setdefault(owner, set()).add(letter)
    # One letter beside bound ones is one of their places: u_o beside u_w.
    chosen = [some for owner, some in words.items() if owner in sets["indexed"] and len(some) == 1]
    sets["counted"] |= {letter for some in chosen for letter in some if letter.islower()}
    sets["worded"] = {owner for owner, some in words.items() if some - sets["counted"]}
    sets["worded"] -= sets["indexed"]
    return Facts(**{name: frozenset(members) for name, members in sets.items()})


def _rows(items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    """Yield every run of items: the formula itself and what its groups and scripts hold."""
    waiting = [items]
    while waiting:
        row = waiting.pop()
        yield row
        for item in row:
            waiting += [part for part in (*item.parts, item.below, item.above) if part]


def _row(row: tuple[Item, ...], found: _Gathering) -> None:
    for k, item in enumerate(row):
        after = row[k + 1] if k + 1 < len(row) else None
        if item.kind in ("letter", "word"):
            _symbol(item, after, found)
            if _is_listed(row[k : k + 4]):
                found.listed.add(item.text)
        elif item.kind == "big" and item.below:
            _bound(item.below, found)
        elif item.kind == "frac":
            _fraction(item, found)
        if item.kind == "letter" and after is not None and after.above[:1]:
            exponent = after.above[0]
            if exponent.kind == "letter" and exponent.text == item.text and not item.below:
                found.sets["powers"].add(item.text)


def _is_listed(row: tuple[Item, ...]) -> bool:
    """Whether the values of an index are listed: ``d = 0, 1`` or ``d = 1, …, n``."""
    kinds = ["letter", "relation", "number", "comma"]
    return [item.kind for item in row] == kinds and row[1].text == "=" and not row[0].below


def _symbol(item: Item, after: Item | None, found: _Gathering) -> None:
    name = key(item)
    if item.primes and after is not None and after.kind == "paren":
        found.sets["functions"].add(name)
    above, below = item.above, item.below
    inner = above[0].parts[0] if _bracketed(item) else above
    if inner is not above and inner:
        found.sets["labelled"].add(name)
    for script in (inner, below):
        if _is_shifted(script):
            found.shifted[script[0].text] += 1
            if script is above:
                found.raised.add((name, script[0].text))
    if [i.text for i in above] == ["1"]:
        found.ones.add(name)
    if len(below) == 1 and below[0].kind == "letter" and not below[0].below:
        found.subscripts.add((name, below[0].text))
    if below:
        found.owners.add(item.text)
    if len(below) == 2 and all(i.kind == "letter" for i in below):
        found.sets["twofold"].add(name)
        first, second = (i.text for i in below)
        found.pairs |= {(first, second), (second, first)}


def _bracketed(item: Item) -> bool:
    """Whether a superscript stands in brackets of its own, as a layer's does."""
    return bool(item.above) and item.above[0].kind in ("paren", "bracket")


def _is_shifted(script: tuple[Item, ...]) -> bool:
    return (
        len(script) == 3
        and script[0].kind == "letter"
        and not script[0].below
        and script[1].kind in ("plus", "minus")
        and (script[2].kind, script[2].text) == ("number", "1")
    )


def _bound(below: tuple[Item, ...], found: _Gathering) -> None:
    for k, item in enumerate(below):
        if item.kind == "letter" and not item.below and (k == 0 or below[k - 1].kind == "comma"):
            found.sets["bound"].add(item.text)


def _fraction(item: Item, found: _Gathering) -> None:
    top, bottom = item.parts
    for part, place in ((top, "losses"), (bottom, "variables")):
        if len(part) > 1 and (
            part[0].kind == "partial" or (part[0].kind, part[0].text) == ("letter", "d")
        ):
            found.sets[place].update(key(i) for i in part[1:2] if i.kind in ("letter", "word"))


def _left_sides(items: tuple[Item, ...], found: _Gathering) -> None:
    """Note what stands before the first relation of each part of a formula."""
    start: list[Item] = []
    is_left = True
    for item in items:
        if item.kind == "relation" and item.text in ("=", ":=", "≈", "←"):
            if is_left:
                _left_side([i for i in start if i.kind != "amp"], found)
            is_left, start = False, []
        elif item.kind in ("quad", "part", "text", "row", "semi", "comma"):
            is_left, start = True, []
        else:
            start.append(item)


def _left_side(start: list[Item], found: _Gathering) -> None:
    symbols = ("letter", "word")
    if (
        len(start) == 2
        and start[0].kind == "letter"
        and start[0].text == "d"
        and not start[0].below
    ):
        if start[1].kind in symbols:
            found.sets["gradients"].add(key(start[1]))
    elif len(start) == 2 and start[0].kind in symbols and start[1].kind == "paren":
        inner = start[1].parts[0]
        if all(i.kind in (*symbols, "comma", "semi", "bar") for i in inner):
            found.sets["functions"].add(key(start[0]))
    elif (
        len(start) == 1
        and start[0].kind in symbols
        and not (start[0].primes or start[0].below or start[0].above)
    ):
        found.sets["quantities"].add(key(start[0]))
    elif len(start) == 1 and (
        (start[0].kind in symbols and start[0].below)
        or (start[0].kind == "func" and _bracketed(start[0]))
    ):
        found.sets["given"].add(key(start[0]))
