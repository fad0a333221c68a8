"""From flat items to a tree: terms, factors, scopes, applications, derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.reading import big, derivatives
from symbackprop.auditing.formulas.reading.facts import LOSSES, Facts, key
from symbackprop.auditing.formulas.reading.items import Item
from symbackprop.auditing.formulas.reading.products import product
from symbackprop.auditing.formulas.reading.scan import Options, Scan
from symbackprop.auditing.formulas.reading.scripts import Scripts, powered, read_scripts, split_at
from symbackprop.auditing.formulas.reading.tokens import NotReadError
from symbackprop.auditing.formulas.tree import Access, Node

OPERATORS = ("plus", "minus")
STOPS = (*OPERATORS, "relation", "comma", "semi", "part", "row", "colon", "text")
MAX_NESTING = 80
GROUPS = ("paren", "bracket", "set", "brace", "floor")
ONE = tree.Number(Fraction(1), "1")


class Reader:
    """Reads expressions of one document."""

    def __init__(self, facts: Facts, options: Options | None = None) -> None:
        self.facts = facts
        self.options = options or Options()
        self.depth = 0

    def expression(self, items: tuple[Item, ...]) -> Node:
        """Return the tree of a whole run of items.

        Raises:
            NotReadError: Where an item has no meaning.
        """
        scan = Scan(tuple(i for i in items if i.kind not in ("amp", "quad")))
        if not scan.items:
            raise NotReadError("an empty expression", items[0].at if items else 0)
        found = self.sum(scan)
        left = scan.peek()
        if left is not None:
            raise NotReadError(f"{left.text!r} is not expected here", left.at)
        return found

    def sum(self, scan: Scan) -> Node:
        """Read terms up to the end or a separator."""
        terms: list[Node] = []
        sign = ""
        while (item := scan.peek()) is not None and (item.kind in OPERATORS or not terms or sign):
            if item.kind in OPERATORS and not (sign and item.kind == "plus"):
                scan.take()
                sign = "-" if (item.kind == "minus") != (sign == "-") else "+"
                continue
            term = self.term(scan)
            terms.append(tree.Negate(term) if sign == "-" else term)
            sign = ""
        if sign or not terms:
            last = scan.items[-1]
            raise NotReadError("a term is missing here", last.at)
        return terms[0] if len(terms) == 1 else tree.Add(tuple(terms))

    def term(self, scan: Scan) -> Node:
        """Read factors and how they are joined, up to the next + or −."""
        factors = [self.factor(scan)]
        joins: list[str] = []
        while (item := scan.peek()) is not None and item.kind not in STOPS:
            if item.kind == "join":
                scan.take()
                joins.append(item.text)
                factors.append(self.signed(scan))
            elif item.kind == "slash":
                scan.take()
                bottom = self.term(scan) if self.options.slash_takes_term else self.signed(scan)
                factors[-1] = tree.Quotient(factors[-1], bottom, slash=True)
            elif (item.kind, item.text) == ("word", "mod"):
                scan.take()
                parts = (product(factors, joins, self.options), self.factor(scan))
                factors, joins = [tree.Apply(Access("mod"), parts)], []
            elif item.kind in ("bar", "norm") and not self._opens(scan):
                if item.kind == "bar" and item.below:
                    scan.take()
                    factors = [tree.At(product(factors, joins, self.options), self.points(item))]
                    joins = []
                    continue
                break
            else:
                joins.append(tree.ADJACENT)
                factors.append(self.factor(scan))
        return product(factors, joins, self.options)

    def signed(self, scan: Scan) -> Node:
        """Read a factor that may carry a sign, as after a dot."""
        item = scan.peek()
        if item is not None and item.kind == "minus":
            scan.take()
            return tree.Negate(self.factor(scan))
        return self.factor(scan)

    def points(self, bar: Item) -> tuple[Node, ...]:
        """Read what stands at an evaluation bar."""
        return tuple(self.condition(part) for part in split_at(bar.below, "comma") if part)

    def condition(self, items: tuple[Item, ...]) -> Node:
        """Read a comparison, or an expression where no relation stands."""
        return big.condition(self, items)

    def _opens(self, scan: Scan) -> bool:
        """Whether a bar in an operator's place opens: its partner follows, and no script on it."""
        bar = scan.peek()
        assert bar is not None
        if bar.below or bar.above:
            return False
        return any(i.kind == bar.kind for i in scan.items[scan.at + 1 :])

    def factor(self, scan: Scan) -> Node:
        """Read one factor with its scripts and its arguments."""
        item = scan.peek()
        if item is None:
            raise NotReadError(
                "a factor is missing at the end", scan.items[-1].at if scan.items else 0
            )
        if self.depth >= MAX_NESTING:
            raise NotReadError(f"nested deeper than {MAX_NESTING}", item.at)
        self.depth += 1
        try:
            found = derivatives.try_derivative(self, scan)
            return _READERS.get(item.kind, _refuse)(self, scan) if found is None else found
        finally:
            self.depth -= 1

    # One method for each kind of item.

    def number(self, scan: Scan) -> Node:
        """Read a number, or the indicator or vector of ones that 1 may begin."""
        item = scan.take()
        if item.text == "1" and (found := big.try_indicator(self, item, scan)):
            return found
        if item.text == "1" and any(i.kind == "top" or i.text == "T" for i in item.above):
            return self.scripted(Access("ones", style="bold"), item)
        return self.scripted(number_of(item), item)

    def symbol(self, scan: Scan) -> Node:
        """Read a letter or a word: an access, an application, an indicator, a constant."""
        item = scan.take()
        if (found := big.try_indicator(self, item, scan)) is not None:
            return found
        following = scan.peek()
        if following is not None and self._is_applied(item, following):
            scan.take()
            return self.applied(item, following)
        return self.access(item)

    def _is_applied(self, item: Item, following: Item) -> bool:
        if following.kind != "paren":
            return False
        inner = following.parts[0]
        if self.facts.is_function(item) and not _is_transposed(item):
            certain = key(item) in self.facts.functions or bool(item.primes)
            return certain or not self.options.flip_application
        listed = any(i.kind == "comma" for i in inner) or [i.kind for i in inner] == ["join"]
        if listed or item.kind == "word":
            return True
        if self._is_lone_argument(item, inner):
            return not self.options.flip_application
        bare = all(i.kind in ("letter", "word", "bar", "semi") for i in inner)
        is_loss = item.text in LOSSES and key(item) not in self.facts.variables
        return bare and is_loss and bool(inner) and not self.options.flip_application

    def _is_lone_argument(self, item: Item, inner: tuple[Item, ...]) -> bool:
        """Whether ``h(x)`` stands there: nobody writes a factor x in parentheses of its own."""
        if len(inner) != 1 or inner[0].kind != "letter" or item.below or item.above:
            return False
        known = self.facts.quantities | self.facts.variables
        return len(item.text) == 1 and item.kind == "letter" and key(item) not in known

    def applied(self, item: Item, group: Item) -> Node:
        """Read a function at its arguments, then the scripts after them."""
        scripts = read_scripts(item, self.facts, self.expression)
        arguments = self.arguments(group.parts[0])
        primes = item.primes + group.primes
        function = self._named(replace(item, primes=0), scripts)
        made: Node = tree.Apply(function, arguments, primes)
        made = powered(made, scripts)
        return self.grouped(made, replace(group, primes=0))

    def arguments(self, items: tuple[Item, ...]) -> tuple[Node, ...]:
        """Read arguments between commas, semicolons and single bars."""
        if [i.kind for i in items] == ["join"]:
            return (Access("placeholder"),)
        parts = [
            part
            for listed in split_at(items, "comma", "semi")
            for part in ([listed] if _holds_sizes(listed) else split_at(listed, "bar"))
        ]
        return tuple(self.expression(part) for part in parts if part)

    def access(self, item: Item) -> Node:
        """Read a symbol that is not applied."""
        if item.text == "e" and item.above and not item.below and self._is_euler(item):
            return tree.Power(tree.Constant("e"), self.expression(item.above))
        if (
            item.text == "pi"
            and not (item.above or item.below)
            and "pi" not in self.facts.variables
        ):
            return tree.Constant("pi")
        if item.text == "infinity":
            return tree.Constant("infinity")
        scripts = read_scripts(item, self.facts, self.expression)
        named = self._named(item, scripts)
        if item.primes and key(item) in self.facts.functions:
            return powered(tree.Apply(replace(named, primes=0), (), item.primes), scripts)
        return powered(named, scripts)

    def _is_euler(self, item: Item) -> bool:
        """Whether e with an exponent is Euler's number: not where e is a quantity."""
        if "e" in self.facts.variables:
            return any(i.kind not in ("number", "minus") for i in item.above)
        return "e" not in self.facts.quantities

    def _named(self, item: Item, scripts: Scripts) -> Access:
        if item.kind == "func":
            return Access(item.text)
        style = {"plain": ""}.get(item.style, item.style) or ("word" if item.kind == "word" else "")
        if item.text == "1":
            return Access("ones", (), tuple(scripts.labels), tuple(scripts.indices), style="bold")
        return Access(
            item.text,
            (*item.accents, *scripts.accents),
            tuple(scripts.labels),
            tuple(scripts.indices),
            item.primes,
            style,
        )

    def function(self, scan: Scan) -> Node:
        """Read a function known by name, with the argument that follows it."""
        item = scan.take()
        if key(item) in self.facts.given:
            return self.access(replace(item, kind="word"))
        base = None
        element = item.below
        if item.text == "log" and item.below:
            base, element = self.expression(item.below), ()
        following = scan.peek()
        name = Access(item.text)
        if following is None or following.kind in (*STOPS, "join", "slash"):
            made: Node = tree.Apply(name, (), item.primes, base)
        elif following.kind in GROUPS:
            scan.take()
            held = self.arguments(following.parts[0])
            made = tree.Apply(name, held, item.primes + following.primes, base)
            made = self.grouped(self._powered_by(made, item), replace(following, primes=0))
            return tree.Element(made, self.indices(element)) if element else made
        else:
            held = (self.term(scan) if self.options.functions_take_term else self.factor(scan),)
            made = tree.Apply(name, held, item.primes, base)
        made = self._powered_by(made, item)
        return tree.Element(made, self.indices(element)) if element else made

    def _powered_by(self, made: Node, item: Item) -> Node:
        return tree.Power(made, self.expression(item.above)) if item.above else made

    def group(self, scan: Scan) -> Node:
        """Read a parenthesis, a bracket, braces, with the scripts on them."""
        item = scan.take()
        inner = item.parts[0]
        if item.kind == "set" and any(i.kind in ("comma", "dots", "bar") for i in inner):
            return tree.Listing(self.arguments(_without_dots(inner)), "set")
        if any(i.kind == "comma" for i in inner) and item.kind != "brace":
            held = self.arguments(inner)
            made: Node = tree.Listing(held) if item.kind == "paren" else tree.Matrix((held,))
        elif item.kind == "floor":
            made = tree.Apply(Access("floor"), (self.expression(inner),))
        elif item.kind == "bracket" and any(i.kind == "relation" for i in inner):
            made = tree.Indicator(big.condition(self, inner))
        else:
            made = self.expression(inner)
        return self.grouped(made, item)

    def grouped(self, made: Node, item: Item) -> Node:
        """Put the scripts of a closing parenthesis around what it closes."""
        if item.below:
            made = tree.Element(made, self.indices(item.below))
        if item.primes:
            made = tree.Derivative(made, (), "'", "prime")
        return self.scripted(made, replace(item, below=()))

    def indices(self, items: tuple[Item, ...]) -> tuple[Node, ...]:
        """Read subscripts as indices, whatever they look like."""
        found: list[Node] = []
        for part in split_at(items, "comma"):
            if part and all(i.kind in ("letter", "number") for i in part):
                found += [self.expression((i,)) for i in part]
            elif part:
                found.append(self.expression(part))
        return tuple(found)

    def scripted(self, made: Node, item: Item) -> Node:
        """Put powers and transposes around a node that is no symbol."""
        if not (item.above or item.below):
            return made
        plain = replace(item, kind=item.kind if item.kind not in ("letter", "word") else "paren")
        scripts = read_scripts(replace(plain, below=()), self.facts, self.expression)
        if scripts.labels or scripts.accents or item.below or scripts.indices:
            return self._labelled(made, scripts, item)
        return powered(made, scripts)

    def _labelled(self, made: Node, scripts: Scripts, item: Item) -> Node:
        """Labels on a parenthesis around one access belong to the access."""
        if not isinstance(made, Access) or item.below:
            raise NotReadError("a label on something that has no name", item.at)
        named = replace(
            made,
            labels=(*made.labels, *scripts.labels),
            indices=(*made.indices, *scripts.indices),
            accents=(*made.accents, *scripts.accents),
        )
        return powered(named, scripts)

    def fraction(self, scan: Scan) -> Node:
        """Read a fraction that is no derivative."""
        item = scan.take()
        top, bottom = (self.expression(part) for part in item.parts)
        return self.grouped(tree.Quotient(top, bottom), item)

    def root(self, scan: Scan) -> Node:
        """Read a root as a power."""
        item = scan.take()
        held, order = item.parts
        exponent = (
            tree.Number(Fraction(1, 2), "√")
            if not order
            else tree.Quotient(ONE, self.expression(order))
        )
        return self.grouped(tree.Power(self.expression(held), exponent), item)

    def bars(self, scan: Scan) -> Node:
        """Read an absolute value, a norm or a determinant between bars."""
        opening = scan.take()
        start = scan.at
        while (item := scan.peek()) is not None and item.kind != opening.kind:
            scan.at += 1
        if item is None:
            raise NotReadError("a bar is not closed", opening.at)
        held = self.expression(scan.items[start : scan.at])
        scan.take()
        order = self.expression(item.below) if item.below else None
        bars = 1 if opening.kind == "bar" else 2
        return self.scripted(tree.Norm(held, order, bars), replace(item, below=()))


def _is_transposed(item: Item) -> bool:
    return bool(item.above) and item.above[-1].kind == "top"


def _holds_sizes(items: tuple[Item, ...]) -> bool:
    """Whether bars stand around absolute values, not between arguments: ``exp(-|z|)``."""
    places = [place for place, item in enumerate(items) if item.kind == "bar"]
    pairs = zip(places[::2], places[1::2], strict=False)
    return len(places) % 2 == 0 and all(last > first + 1 for first, last in pairs)


def _without_dots(items: tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(i for i in items if i.kind != "dots")


def _refuse(_reader: Reader, scan: Scan) -> Node:
    item = scan.take()
    if item.kind == "other":
        raise NotReadError(item.text, item.at)
    what = {"dots": "an ellipsis", "text": "words", "join": "an operator"}.get(item.kind, "")
    raise NotReadError(f"{what + ' ' if what else ''}{item.text!r} within an expression", item.at)


_READERS: dict[str, Callable[[Reader, Scan], Node]] = {
    **dict.fromkeys(GROUPS, Reader.group),
    **dict.fromkeys(("letter", "word"), Reader.symbol),
    **dict.fromkeys(("bar", "norm"), Reader.bars),
    "number": Reader.number,
    "func": Reader.function,
    "frac": Reader.fraction,
    "root": Reader.root,
    "big": big.read_big,
    "matrix": big.read_matrix,
}


def number_of(item: Item) -> tree.Number:
    """Return a number as written, exactly."""
    if len(item.text) > 40:
        raise NotReadError("a number of more than 40 digits", item.at)
    return tree.Number(
        Fraction(item.text.rstrip(".") if item.text[-1] == "." else item.text), item.text
    )
