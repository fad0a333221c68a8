"""What is said on the way: names at the ends of chains, functions in them, symmetric matrices."""

from __future__ import annotations

import re
from collections.abc import Iterable

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.binding import Definition
from symbackprop.auditing.formulas.documents import Sheet
from symbackprop.auditing.formulas.model import Symbol
from symbackprop.auditing.formulas.tree import Access, Node


def name_at_end(values: tuple[Node, ...]) -> Access | None:
    """Return the name at the end of ``h = Σ_k e^{a_k} = S``."""
    first, last = values[0], values[-1]
    if len(values) < 2 or not isinstance(last, Access) or isinstance(first, Access | tree.Number):
        return None
    read = {access.symbol for value in values[:-1] for access in tree.accesses(value)}
    return None if last.symbol in read else last


def function_within(values: tuple[Node, ...]) -> tuple[Access, tuple[Access, ...], Node] | None:
    """Return what ``a = σ(z) = 1/(1 + e^{-z})`` says of σ: its name, arguments and body."""
    if len(values) < 2 or not isinstance(values[0], tree.Apply):
        return None
    called, body = values[0], values[1]
    arguments = tuple(a for a in called.arguments if isinstance(a, Access))
    if called.primes or not arguments or len(arguments) < len(called.arguments):
        return None
    symbols = {argument.symbol for argument in arguments}
    read = {access for access in tree.accesses(body) if access.symbol in symbols}
    if read != set(arguments) or any(isinstance(n, tree.Big) for n in tree.within(body)):
        return None
    # Names of their own: what a function is called with is no number for being its argument.
    formals = {argument: Access(f"_{k}") for k, argument in enumerate(arguments)}
    made = tree.rewritten(body, lambda n: formals.get(n, n) if isinstance(n, Access) else n)
    return called.function, tuple(formals.values()), made


_BEFORE_SYMMETRIC = re.compile(r"symmetric(?:al)?(?:[ ,]+[a-z]+){0,3}$", re.IGNORECASE)
_AFTER_SYMMETRIC = re.compile(
    r"(?:is|are|be|being|,)?(?:[ ,]+[a-z]+){0,3}[ ,]*symmetric", re.IGNORECASE
)
_FIRST_NAME = re.compile(r"[\s{]*(?:\\(?:math\w+|bm|boldsymbol|vec)\s*\{?\s*)?\\?([A-Za-z]+)")


def symmetric(sheet: Sheet, definitions: Iterable[Definition]) -> frozenset[Symbol]:
    """Matrices that words call symmetric, or a formula: A = Aᵀ."""
    found = {
        d.name.symbol
        for d in definitions
        if any(isinstance(v, tree.Transpose) and v.operand == d.target for v in d.values)
    }
    for source in sheet.sources:
        before, after = source.words
        name = _FIRST_NAME.match(source.text)
        if name and (_BEFORE_SYMMETRIC.search(before) or _AFTER_SYMMETRIC.match(after)):
            found.add((name[1][:1] if name[1].isupper() else name[1], (), 0))
    return frozenset(found)
