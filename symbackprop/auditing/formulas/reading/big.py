"""Reductions, indicators, conditions, cases and matrices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.reading.items import Item, content
from symbackprop.auditing.formulas.reading.scripts import split_at
from symbackprop.auditing.formulas.reading.tokens import NotReadError
from symbackprop.auditing.formulas.tree import Access, Bound, Node

if TYPE_CHECKING:
    from symbackprop.auditing.formulas.reading.resolve import Reader
    from symbackprop.auditing.formulas.reading.scan import Scan

COMPARISONS = ("=", "!=", "<", ">", "<=", ">=", "in", "notin")
_PAIR = 2
_JOINING = {"and": "and", "or": "or", "land": "and", "wedge": "and"}


def read_big(reader: Reader, scan: Scan) -> Node:
    """Read Σ, Π, max and their like with bounds and body."""
    item = scan.take()
    if item.text in ("limit", "other", "integral"):
        raise NotReadError(f"this operator ({item.text}) is not understood", item.at)
    following = scan.peek()
    grouped = following is not None and following.kind in ("paren", "set", "bracket", "brace")
    if item.text in ("max", "min") and not item.below and following is not None and grouped:
        scan.take()
        held = reader.arguments(following.parts[0])
        return reader.grouped(tree.Apply(Access(item.text), held), following)
    bounds = bounds_of(reader, item)
    if following is None:
        raise NotReadError("an operator without what it is taken over", item.at)
    if reader.options.sums_take_all:
        return tree.Big(item.text, bounds, reader.sum(scan))
    if following.kind == "minus":
        scan.take()
        return tree.Big(item.text, bounds, tree.Negate(reader.term(scan)))
    return tree.Big(item.text, bounds, reader.term(scan))


def bounds_of(reader: Reader, item: Item) -> tuple[Bound, ...]:
    """Read what stands below and above a reduction; nothing gives no bounds."""
    found: list[Bound] = []
    conditions: list[Node] = []
    for part in split_at(item.below, "comma", "colon", "semi", "bar"):
        if not part:
            continue
        if found and not _opens_bound(part, found):
            conditions.append(condition(reader, part))
        else:
            found += _bound(reader, part)
    if item.above and not found:
        raise NotReadError("a limit above without an index below", item.at)
    if item.above:
        upper = reader.expression(item.above)
        found[-1] = replace(found[-1], upper=upper)
    for extra in conditions:
        last = found[-1]
        joined = extra if last.condition is None else tree.Logic("and", (last.condition, extra))
        found[-1] = replace(last, condition=joined)
    return tuple(found)


def _opens_bound(part: tuple[Item, ...], found: list[Bound]) -> bool:
    """Whether a part below Σ brings a new index instead of a condition on one before it."""
    known = {bound.index.name for bound in found}
    return part[0].kind == "letter" and part[0].text not in known


def _bound(reader: Reader, part: tuple[Item, ...]) -> list[Bound]:
    places = [k for k, i in enumerate(part) if i.kind == "relation"]
    if not places:
        if all(i.kind == "letter" and not i.below for i in part):
            return [Bound(_index(i)) for i in part]
        raise NotReadError("what stands below is no index", part[0].at)
    place = places[0]
    relation, left, right = part[place].text, part[:place], part[place + 1 :]
    if len(places) == 2 and part[places[1]].text in ("<", "<="):
        return [_between(reader, part, places)]
    if len(places) > 1 or len(left) != 1 or left[0].kind != "letter" or not right:
        raise NotReadError("what stands below is not understood", part[0].at)
    index = _index(left[0])
    if relation == "=":
        if any(i.kind == "dots" for i in right):
            return [_from_dots(reader, index, right)]
        return [Bound(index, lower=reader.expression(right))]
    if relation == "in":
        return [Bound(index, members=_members(reader, right))]
    return [Bound(index, condition=condition(reader, part))]


def _members(reader: Reader, items: tuple[Item, ...]) -> Node:
    return reader.expression(items)


def _between(reader: Reader, part: tuple[Item, ...], places: list[int]) -> Bound:
    low, middle, high = part[: places[0]], part[places[0] + 1 : places[1]], part[places[1] + 1 :]
    if len(middle) != 1 or any(part[k].text != "<=" for k in places):
        raise NotReadError("this range is not understood", part[0].at)
    return Bound(_index(middle[0]), reader.expression(low), reader.expression(high))


def _from_dots(reader: Reader, index: Access, items: tuple[Item, ...]) -> Bound:
    """Read ``1, …, n``, its commas kept or gone."""
    solid = tuple(i for i in items if i.kind not in ("comma", "amp"))
    place = next(k for k, i in enumerate(solid) if i.kind == "dots")
    if place == 0 or place == len(solid) - 1:
        raise NotReadError("this range is not understood", items[0].at)
    return Bound(index, reader.expression(solid[:1]), reader.expression(solid[place + 1 :]))


def _index(item: Item) -> Access:
    return Access(item.text, item.accents, primes=item.primes)


def range_of(reader: Reader, items: tuple[Item, ...]) -> tuple[Bound, ...] | None:
    """Read ``i = 1, …, n``, ``i = 1, 2`` or ``i ∈ {1, …, n}``; None if it is no range."""
    solid = tuple(i for i in items if i.kind not in ("amp", "quad"))
    place = next((k for k, i in enumerate(solid) if i.kind == "relation"), None)
    if place is None:
        return None
    left = [i for i in solid[:place] if i.kind != "comma"]
    right = solid[place + 1 :]
    is_plain = all(i.kind == "letter" and not (i.below or i.above or i.primes) for i in left)
    if not left or not is_plain or not right:
        return None
    relation = solid[place].text
    if relation == "in" and len(right) == 1 and right[0].kind == "set":
        inner = right[0].parts[0]
        if any(i.kind == "dots" for i in inner):
            return tuple(_from_dots(reader, _index(i), inner) for i in left)
    if relation == "=" and any(i.kind == "dots" for i in right):
        return tuple(_from_dots(reader, _index(i), right) for i in left)
    if relation == "=" and _counts_on(right):
        first, last = reader.expression(right[:1]), reader.expression(right[-1:])
        return tuple(Bound(_index(i), first, last) for i in left)
    return None


def _counts_on(items: tuple[Item, ...]) -> bool:
    """Whether items are whole numbers in turn, as 1, 2, 3."""
    numbers = [i for i in items if i.kind != "comma"]
    if len(numbers) < 2 or not all(i.kind == "number" and i.text.isdecimal() for i in numbers):
        return False
    first = int(numbers[0].text)
    return [int(i.text) for i in numbers] == list(range(first, first + len(numbers)))


def condition(reader: Reader, items: tuple[Item, ...]) -> Node:
    """Read comparisons joined by words; an expression where no relation stands."""
    solid = tuple(i for i in items if i.kind not in ("amp", "quad"))
    for k, item in enumerate(solid):
        word = _JOINING.get(item.text.lower()) if item.kind in ("text", "part") else None
        if word and 0 < k < len(solid) - 1:
            parts = (condition(reader, solid[:k]), condition(reader, solid[k + 1 :]))
            return tree.Logic(word, parts)
    solid = tuple(i for i in solid if i.kind != "text")
    places = [k for k, i in enumerate(solid) if i.kind == "relation"]
    if not places:
        return reader.expression(solid)
    ends = [*places[1:], len(solid)]
    compared: list[Node] = []
    start = 0
    for place, end in zip(places, ends, strict=True):
        if solid[place].text not in COMPARISONS:
            raise NotReadError(f"{solid[place].text!r} in a condition", solid[place].at)
        left, right = solid[start:place], solid[place + 1 : end]
        if not left or not right:
            raise NotReadError("a side of a condition is missing", solid[place].at)
        compared.append(
            tree.Comparison(solid[place].text, _side(reader, left), _side(reader, right))
        )
        start = place + 1
    return compared[0] if len(compared) == 1 else tree.Logic("and", tuple(compared))


def _side(reader: Reader, items: tuple[Item, ...]) -> Node:
    if any(i.kind == "comma" for i in items):
        return tree.Listing(reader.arguments(tuple(i for i in items if i.kind != "dots")))
    return reader.expression(items)


def try_indicator(reader: Reader, item: Item, scan: Scan) -> Node | None:
    """Read ``1[i = j]``, ``1_{i=j}``, ``I(y = k)`` and Kronecker's δ."""
    following = scan.peek()
    if item.text in ("1", "I") and not item.accents:
        said = item.below
        if len(said) == 1 and said[0].kind in ("set", "paren", "bracket"):
            said = said[0].parts[0]
        if any(i.kind == "relation" for i in said):
            return reader.scripted(
                tree.Indicator(condition(reader, said)), replace(item, below=(), kind="paren")
            )
        if _holds_relation(following) and not item.below:
            assert following is not None
            scan.take()
            made = tree.Indicator(condition(reader, following.parts[0]))
            return reader.grouped(made, following)
    if item.text == "E" and item.style == "double" and following is not None:
        scan.take()
        return tree.Big(
            "mean", bounds_or_none(reader, item), reader.expression(content_of(following))
        )
    if item.text in ("R", "N", "Z") and item.style == "double":
        extents = split_at(item.above, "comma") if item.above else []
        parts = [p for e in extents for p in _factors(e)]
        return tree.Space(tuple(reader.expression(p) for p in parts))
    if (item.text, item.kind) == ("delta", "letter"):
        return _kronecker(reader, item, following, scan)
    return None


def content_of(item: Item) -> tuple[Item, ...]:
    """Return what a group of any kind holds."""
    return item.parts[0] if item.kind in ("paren", "bracket", "set") else content(item)


def bounds_or_none(_reader: Reader, item: Item) -> tuple[Bound, ...]:
    """Return nothing: a mean's subscript names a distribution, which is not read."""
    if item.below:
        raise NotReadError("a mean over a distribution is not understood", item.at)
    return ()


def _factors(items: tuple[Item, ...]) -> list[tuple[Item, ...]]:
    parts: list[list[Item]] = [[]]
    for item in items:
        if item.kind == "join":
            parts.append([])
        else:
            parts[-1].append(item)
    return [tuple(p) for p in parts if p]


def _holds_relation(item: Item | None) -> bool:
    return (
        item is not None
        and item.kind in ("paren", "bracket", "set")
        and any(i.kind == "relation" for i in item.parts[0])
    )


def _kronecker(reader: Reader, item: Item, following: Item | None, scan: Scan) -> Node | None:
    if item.above or "delta" in reader.facts.quantities or "delta" in reader.facts.labelled:
        return None
    below = tuple(i for i in item.below if i.kind != "comma")
    if any(i.kind == "relation" for i in below):
        return tree.Indicator(condition(reader, below))
    if len(below) == 2 and all(i.kind in ("letter", "number") and not i.above for i in below):
        if "delta" in reader.facts.functions or _is_sum_of(reader, below):
            return None
        return tree.Delta(reader.expression(below[:1]), reader.expression(below[1:]))
    if not below and _holds_relation(following):
        assert following is not None
        scan.take()
        return tree.Indicator(condition(reader, following.parts[0]))
    return _computed_places(reader, item)


def _computed_places(reader: Reader, item: Item) -> Node | None:
    """Read ``δ_{i, 2h + u}`` and ``δ_{i, ⌊h/2⌋}``, but not where elements of δ are given."""
    places = split_at(item.below, "comma")
    computed = any(i.kind in ("plus", "minus", "floor") or i.text == "mod" for i in item.below)
    known = {"delta"} & (reader.facts.functions | reader.facts.given)
    if len(places) != _PAIR or not all(places) or not computed or known:
        return None
    return tree.Delta(*(reader.expression(part) for part in places))


def _is_sum_of(_reader: Reader, below: tuple[Item, ...]) -> bool:
    return below[0].text == below[1].text


def read_matrix(reader: Reader, scan: Scan) -> Node:
    """Read cases, or a matrix by its elements."""
    item = scan.take()
    rows = [row for row in split_at(item.parts[0], "row") if row]
    if item.text == "cases":
        return reader.grouped(tree.Cases(tuple(_branch(reader, row) for row in rows)), item)
    cells = [[cell for cell in split_at(row, "amp") if cell] for row in rows]
    if len(cells) == 1 and len(cells[0]) == 1 and any(i.kind == "comma" for i in cells[0][0]):
        cells = [split_at(cells[0][0], "comma")]
    if not cells or len({len(row) for row in cells}) != 1:
        raise NotReadError("a matrix with rows of unequal length", item.at)
    made = tree.Matrix(tuple(tuple(reader.expression(c) for c in row) for row in cells))
    return reader.grouped(made, item)


def _branch(reader: Reader, row: tuple[Item, ...]) -> tree.Branch:
    """Read a value and its condition, parted by & or by words."""
    for k, item in enumerate(row):
        if item.kind in ("amp", "text", "quad") or (item.kind == "comma" and k):
            value = row[:k]
            said = tuple(i for i in row[k:] if i.kind not in ("amp", "quad", "comma"))
            break
    else:
        raise NotReadError("a case without its condition", row[0].at)
    words = " ".join(i.text.lower() for i in said if i.kind == "text")
    said = tuple(i for i in said if i.kind not in ("semi",))
    solid = tuple(i for i in said if i.kind != "text" or i.text.lower() in ("and", "or"))
    if not value:
        raise NotReadError("a case without a value", row[0].at)
    value = tuple(i for i in value if i.kind != "comma")
    if not solid:
        if any(word in words for word in ("otherwise", "else", "other")):
            return tree.Branch(reader.expression(value), None)
        raise NotReadError("a case whose condition is only words", row[0].at)
    return tree.Branch(reader.expression(value), condition(reader, solid))
