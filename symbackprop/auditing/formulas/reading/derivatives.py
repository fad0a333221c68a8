"""Derivatives as people write them: fractions, operators, ∇, on one line, and dW."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.reading.facts import LOSSES, key
from symbackprop.auditing.formulas.reading.items import Item, content
from symbackprop.auditing.formulas.reading.scripts import split_at
from symbackprop.auditing.formulas.reading.tokens import NotReadError
from symbackprop.auditing.formulas.tree import Node

if TYPE_CHECKING:
    from symbackprop.auditing.formulas.reading.resolve import Reader
    from symbackprop.auditing.formulas.reading.scan import Scan

SYMBOLS = ("letter", "word", "func")


def try_derivative(reader: Reader, scan: Scan) -> Node | None:
    """Read a derivative where one begins; None, with nothing taken, where none does."""
    item = scan.peek()
    assert item is not None
    if item.kind == "frac" and is_derivative(item):
        return _fraction(reader, scan)
    if item.kind == "nabla":
        return _nabla(reader, scan)
    if item.kind == "partial":
        return _subscripted(reader, scan) if item.below else _inline(reader, scan)
    if _is_d(item):
        return _differential(reader, scan)
    return None


def _is_d(item: Item) -> bool:
    return (item.kind, item.text) == ("letter", "d") and not (
        item.below or item.accents or item.primes
    )


def _starts(part: tuple[Item, ...]) -> str:
    """Return the symbol of differentiation that a fraction's part begins with, or nothing."""
    if not part:
        return ""
    first = part[0]
    if first.kind == "partial" and not first.below:
        return "∂"
    if _is_d(first) and (len(part) > 1 or not first.above or first.above[0].kind == "number"):
        return "d"
    if (first.kind, first.text) in (("letter", "delta"), ("letter", "Delta")) and not first.below:
        return "δ"
    return ""


def is_derivative(item: Item) -> bool:
    """Whether a fraction is one of ∂, d or δ."""
    top, bottom = item.parts
    return bool(_starts(top)) and _starts(top) == _starts(bottom) and len(bottom) > 1


def _fraction(reader: Reader, scan: Scan) -> Node:
    item = scan.take()
    top, bottom = item.parts
    symbol = _starts(top)
    order = _order(top[0])
    by = _variables(reader, bottom, symbol, order)
    if len(top) > 1:
        of = reader.expression(top[1:])
        made = _argued(reader, scan, tree.Derivative(of, by, symbol), of)
        return reader.grouped(made, item)
    following = scan.peek()
    if following is None:
        raise NotReadError("an operator of differentiation without an operand", item.at)
    takes_group = reader.options.operators_take_group and following.kind in ("paren", "bracket")
    operand = reader.factor(scan) if takes_group else reader.term(scan)
    return tree.Derivative(operand, by, symbol, "operator")


def _argued(reader: Reader, scan: Scan, made: tree.Derivative, of: Node) -> tree.Derivative:
    """Take the point that may follow as an argument: ``∂f/∂x (x, y)`` where f is a function."""
    following = scan.peek()
    is_name = isinstance(of, tree.Access) and not of.indices
    if following is None or following.kind != "paren" or not is_name:
        return made
    inner = following.parts[0]
    if all(i.kind in ("letter", "number", "comma") for i in inner) and any(
        i.kind == "comma" for i in inner
    ):
        scan.take()
        return replace(made, at=reader.arguments(inner))
    return made


def _order(first: Item) -> int:
    above = first.above
    if not above:
        return 1
    if len(above) == 1 and above[0].kind == "number" and above[0].text in ("1", "2", "3", "4"):
        return int(above[0].text)
    raise NotReadError("a derivative of this order is not understood", first.at)


def _variables(
    reader: Reader, bottom: tuple[Item, ...], symbol: str, order: int
) -> tuple[Node, ...]:
    """Read ``∂x ∂y`` or ``∂x^2``: one variable for each order."""
    pieces: list[list[Item]] = []
    for item in bottom:
        if _starts((item, item)) == symbol and item.kind != "paren" and not item.above:
            pieces.append([])
        else:
            pieces[-1].append(item)
    found: list[Node] = []
    for piece in pieces:
        if not piece:
            raise NotReadError("a derivative without its variable", bottom[0].at)
        items, count = piece, 1
        if order > 1 and len(piece) == 1 and piece[0].above:
            last = piece[0].above[-1]
            if last.kind == "number" and last.text == str(order) and len(pieces) == 1:
                items, count = [replace(piece[0], above=piece[0].above[:-1])], order
        found += [_variable(reader, tuple(items))] * count
    if len(found) != order:
        raise NotReadError("a derivative whose order and variables differ in number", bottom[0].at)
    return tuple(found)


def _variable(reader: Reader, items: tuple[Item, ...]) -> Node:
    if len(items) == 1 and items[0].kind == "paren":
        inner = items[0].parts[0]
        if [i.kind for i in inner] == ["join"]:
            return tree.Access("placeholder")
    return reader.expression(items)


def _subscripted(reader: Reader, scan: Scan) -> Node:
    """Read ``∂_x f``."""
    item = scan.take()
    by = _listed(reader, item.below)
    return tree.Derivative(reader.factor(scan), by, "∂", "subscript")


def _listed(reader: Reader, items: tuple[Item, ...]) -> tuple[Node, ...]:
    return tuple(reader.expression(part) for part in split_at(items, "comma") if part)


def _inline(reader: Reader, scan: Scan) -> Node:
    """Read ``∂L/∂w`` or, without a slash, the differential ``∂L``."""
    item = scan.take()
    of = reader.factor(scan)
    slash, second = scan.peek(), scan.peek(1)
    if (
        slash is not None
        and slash.kind == "slash"
        and second is not None
        and second.kind == "partial"
    ):
        scan.take()
        scan.take()
        by = reader.factor(scan)
        order = _order(item)
        if order == 2 and isinstance(by, tree.Power):
            by = by.base
        return tree.Derivative(of, (by,) * order, "∂", "inline")
    return tree.Differential(of, "∂")


def _differential(reader: Reader, scan: Scan) -> Node | None:
    """Read ``dy/dx``, a gradient's name ``dW`` or the differential ``dt``; d alone is a letter."""
    item, following = scan.peek(), scan.peek(1)
    assert item is not None
    if following is None or following.kind not in ("letter", "word") or item.above:
        return None
    if following.text == "mod":
        return None
    scan.take()
    named = scan.take()
    slash, second = scan.peek(), scan.peek(1)
    if slash is not None and slash.kind == "slash" and second is not None and _is_d(second):
        scan.take()
        scan.take()
        return tree.Derivative(reader.access(named), (reader.factor(scan),), "d", "inline")
    variable = reader.access(named)
    transposed = isinstance(variable, tree.Transpose)
    base = variable.operand if isinstance(variable, tree.Transpose) else variable
    if key(named) in reader.facts.gradients or reader.facts.names_gradients:
        made: Node = tree.Derivative(None, (base,), "d", "name")
    else:
        made = tree.Differential(base, "d")
    return tree.Transpose(made) if transposed else made


def _nabla(reader: Reader, scan: Scan) -> Node:
    """Read ``∇_x f``, ``∇L`` and the gradient's name ``∇W``."""
    item = scan.take()
    if item.above:
        raise NotReadError("a power of ∇ is not understood", item.at)
    following = scan.peek()
    by = _listed(reader, item.below)
    if following is None or following.kind in ("relation", "plus", "minus", "join", "comma"):
        raise NotReadError("∇ without what it is taken of", item.at)
    if by:
        takes_term = following.kind in ("big", "letter", "word") and following.kind == "big"
        operand = reader.term(scan) if takes_term else _operand(reader, scan)
        return tree.Derivative(operand, by, "∇", "subscript")
    first = content(following)[0] if content(following) else following
    operand = _operand(reader, scan)
    is_loss = first.text in LOSSES or key(first) in reader.facts.losses
    is_loss = is_loss or isinstance(operand, tree.Apply)
    if first.kind in ("letter", "word") and not is_loss:
        return tree.Derivative(None, (operand,), "∇", "name")
    return tree.Derivative(operand, (), "∇", "subscript")


def _operand(reader: Reader, scan: Scan) -> Node:
    """Read what ∇ is taken of: the next factor; a product ``bᵀx`` up to its end."""
    made = reader.factor(scan)
    following = scan.peek()
    if isinstance(made, tree.Transpose) and following is not None and following.kind == "letter":
        rest: list[Node] = [made]
        while (item := scan.peek()) is not None and item.kind == "letter":
            rest.append(reader.factor(scan))
        return tree.Product(tuple(rest), ("",) * (len(rest) - 1))
    return made
