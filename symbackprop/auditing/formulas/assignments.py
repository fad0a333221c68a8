"""Which bare names of a claim are numbers, vectors or matrices.

Extents that the document states and indices that it uses decide first, the operators of the
definitions next; the style of letters only orders what is tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from symbackprop.auditing.formulas.binding import Paper, Shape
from symbackprop.auditing.formulas.families import families, likely, placed
from symbackprop.auditing.formulas.layouts import ONES, Elaborator
from symbackprop.auditing.formulas.model import Model, Rule, index_letters
from symbackprop.auditing.formulas.tree import (
    HADAMARD,
    MATRIX,
    OUTER,
    Access,
    Add,
    Apply,
    Big,
    Comparison,
    Derivative,
    Family,
    Negate,
    Node,
    Norm,
    Number,
    Product,
    Transpose,
    accesses,
    within,
)
from symbackprop.auditing.formulas.units import AXES, Layout, LayoutError

Kinds = dict[Family, str]
Options = dict[Family, tuple[str, ...]]
# Whether definitions type, by their identity and the kinds of their names.
Known = dict[tuple[int, tuple[str, ...]], bool]
# Definitions with their names, by how many names have their kinds when they can be checked.
Checks = dict[int, list[tuple[Rule, list[Family]]]]

# How many names may go against the style of their letters, and how many choices are tried.
MOST_CHANGES = 4
# Where definitions type, sides may need so many changes more.
ENOUGH_CHANGES = 2
MOST_TRIED = 1500
MOST_FOUND = 4
# Names that are numbers by custom.
NUMBERS = frozenset(
    (
        *("alpha", "beta", "eta", "lambda", "gamma", "epsilon", "eps", "mu", "rho", "kappa"),
        *("N", "n", "m", "K", "M", "T", "t", "L", "E", "J", "C", "H", "c", "ell"),
        *("loss", "Loss", "cost", "Cost", "MSE", "BCE", "CE"),
    )
)
GREEK_MATRICES = frozenset(("Delta", "Theta", "Phi", "Sigma", "Omega", "Lambda"))


def marked(node: Node) -> bool:
    """Whether a formula has a sign that only arrays have."""
    return any(
        isinstance(here, Transpose)
        or (isinstance(here, Norm) and here.bars == 2)
        or (isinstance(here, Product) and {HADAMARD, MATRIX, OUTER} & set(here.joins))
        or (isinstance(here, Apply) and here.function.name in ("tr", "diag"))
        or (isinstance(here, Access) and here.style == "bold")
        for here in within(node)
    )


def bare(node: Node) -> Iterator[Access]:
    """Yield the names in a formula that stand without an index and are no index themselves."""
    return (name for name in placed(node) if not name.indices)


def per_unit_rule(elaborator: Elaborator, rule: Rule) -> Rule:
    """Return a definition by elements.

    Raises:
        LayoutError: If its sides differ in shape.
    """
    body = elaborator.units(rule.body)
    kind = elaborator.layout.kinds.get(rule.target.family, "scalar")
    axes = AXES["scalar"] if rule.formals else AXES[kind]
    if axes != body.axes:
        raise LayoutError(f"{rule.target.name} is not shaped like its definition")
    row, column = elaborator.letter(), elaborator.letter()
    places = ((row,) if axes[0] else ()) + ((column,) if axes[1] else ())
    target = replace(rule.target, indices=(*rule.target.indices, *places))
    return replace(rule, target=target, body=body.at(row, column))


def typable(
    vector: str, model: Model, sides: tuple[Node, Node], paper: Paper
) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """Return the definitions that fit one layout, the nearest first, and those left out."""
    options = _options(vector, model, sides, paper)
    known: Known = {}
    if _Search(model.rules, options, known).any():
        return model.rules, ()
    kept: tuple[Rule, ...] = ()
    dropped: tuple[Rule, ...] = ()
    for rule in model.rules:
        if _Search((*kept, rule), options, known).any():
            kept = (*kept, rule)
        else:
            dropped = (*dropped, rule)
    return kept, dropped


def assignments(
    vector: str, model: Model, sides: tuple[Node, Node], paper: Paper
) -> Iterator[tuple[int, Kinds]]:
    """Yield kinds of names with which all definitions type, and how many break with style.

    Args:
        vector: What a vector is: `column`, `row`, or `matrix` for one of each sample.
        model: The definitions as the author wrote them.
        sides: Both sides of the claim.
        paper: The document, for the extents that it states and the indices that it uses.
    """
    options = _options(vector, model, sides, paper)
    # A number is seldom added to an array; what needs that comes last.
    for mixes in (False, True):
        search = _Search(model.rules, options, mixes=mixes)
        some = False
        for changes in range(MOST_CHANGES + 1):
            found = list(itertools.islice(search.kinds(changes), MOST_FOUND))
            for kinds in found:
                if any(kind != "scalar" for kind in kinds.values()):
                    yield changes + mixes * MOST_CHANGES, kinds
            some = some or bool(found)
            if some and changes >= ENOUGH_CHANGES:
                return


@dataclass
class _Search:
    """A search for kinds: a definition is checked as soon as all its names have theirs."""

    rules: tuple[Rule, ...]
    options: Options
    known: Known = field(default_factory=dict)
    mixes: bool = True
    tried: int = 0

    def any(self) -> bool:
        """Whether there are kinds with which the definitions type."""
        changes = range(MOST_CHANGES + 1)
        return any(True for count in changes for _ in itertools.islice(self.kinds(count), 1))

    def kinds(self, changes: int) -> Iterator[Kinds]:
        """Yield kinds in which so many names are not of the first kind they may be."""
        names, checks = self._plan
        yield from self._extend(names, checks, {}, changes)

    @cached_property
    def _plan(self) -> tuple[list[Family], Checks]:
        names: dict[Family, None] = {}
        checks: Checks = {}
        for rule in self.rules:
            called = [n.function for n in within(rule.body) if isinstance(n, Apply)]
            own = [name.whole for name in called]
            own += [name.family for name in (rule.target, *placed(rule.body))]
            own = [name for name in dict.fromkeys(own) if name in self.options]
            names.update(dict.fromkeys(own))
            checks.setdefault(len(names), []).append((rule, own))
        return list(names), checks

    def _extend(
        self, names: list[Family], checks: Checks, kinds: Kinds, changes: int
    ) -> Iterator[Kinds]:
        self.tried += 1
        if self.tried > MOST_TRIED:
            return
        if not all(self._types(*check, kinds) for check in checks.get(len(kinds), ())):
            return
        if len(kinds) == len(names):
            if not changes:
                yield {family: kinds.get(family, first[0]) for family, first in self._all()}
                if any("scalar" in some[1:] for family, some in self._all() if family not in kinds):
                    # Names that no definition reads may as well all be numbers.
                    last = {f: "scalar" if "scalar" in some else some[0] for f, some in self._all()}
                    yield {**last, **kinds}
            return
        name = names[len(kinds)]
        for place, kind in enumerate(self.options[name]):
            if changes >= (place > 0):
                kinds[name] = kind
                yield from self._extend(names, checks, kinds, changes - (place > 0))
                del kinds[name]

    def _types(self, rule: Rule, names: list[Family], kinds: Kinds) -> bool:
        """Whether a definition types; that rests on the kinds of its own names alone."""
        key = id(rule), tuple(kinds[name] for name in names)
        if key not in self.known:
            self.known[key] = _types(rule, {name: kinds[name] for name in names}, self.mixes)
        return self.known[key]

    def _all(self) -> Iterator[tuple[Family, tuple[str, ...]]]:
        return iter(self.options.items())


def _types(rule: Rule, kinds: Kinds, mixes: bool) -> bool:
    for dot in (True, False):
        try:
            per_unit_rule(Elaborator(Layout(kinds, dot=dot, mixes=mixes)), rule)
        except LayoutError:
            continue
        return True
    return False


def _options(vector: str, model: Model, sides: tuple[Node, Node], paper: Paper) -> Options:
    targets = (rule.target for rule in model.rules if not rule.formals)
    nodes = [*sides, *(rule.body for rule in model.rules), *targets]
    ranks = _ranks([*nodes, *(rule.target for rule in model.rules)])
    tops = {
        d.of.family
        for node in sides
        for d in within(node)
        if isinstance(d, Derivative) and isinstance(d.of, Access)
    }
    formals = {formal.family for rule in model.rules for formal in rule.formals}
    options: Options = {}
    for access in (access for node in nodes for access in bare(node)):
        family = access.family
        if family in formals and family not in ranks:
            options[family] = ("scalar",)
        elif access.name == "t" and access.style != "bold" and family not in ranks:
            options[family] = ("scalar", vector) if _is_target(access, nodes) else ("scalar",)
        elif family not in options:
            options[family] = _kinds_of(access, vector, ranks, paper, family in tops)
    options |= dict.fromkeys(_compared(nodes) & set(options), ("scalar",))
    for rule in model.rules:
        given = {formal.symbol for formal in rule.formals}
        if any(read.symbol in given and read.indices for read in accesses(rule.body)):
            options[rule.target.family] = ("scalar",)  # It reads whole arrays.
    for node in nodes:
        for here in within(node):
            # A function has several results where one of them is read by an index.
            if isinstance(here, Apply) and ranks.get(here.function.whole, 0) == 1:
                options[here.function.whole] = ("column" if vector == "matrix" else vector,)
    if vector != "matrix":
        first = {family: some[0] for family, some in options.items()}
        options |= likely(model, families(model, sides, paper), first, vector)
    return options


def _compared(nodes: Sequence[Node]) -> set[Family]:
    """Indices that are compared with something, as in 1[y_i = k]: they are numbers."""
    found = [here for node in nodes for here in within(node)]
    letters = {name for node in nodes for name in index_letters(node)}
    letters |= {b.index.name for big in found if isinstance(big, Big) for b in big.bounds}
    sides = (s for c in found if isinstance(c, Comparison) for s in (c.left, c.right))
    return {s.family for s in sides if isinstance(s, Access) and s.name in letters}


def _is_target(access: Access, nodes: Sequence[Node]) -> bool:
    """Whether t is taken from something, as a target is and time is not."""
    pairs = (n.terms for node in nodes for n in within(node) if isinstance(n, Add))
    return any(
        any(isinstance(term, Negate) and term.operand == access for term in terms)
        or (access in terms and any(isinstance(term, Negate) for term in terms))
        for terms in pairs
    )


def _kinds_of(
    access: Access,
    vector: str,
    ranks: dict[Family, int],
    paper: Paper,
    differentiated: bool,
) -> tuple[str, ...]:
    for shape in paper.shapes:
        if shape.target.symbol == access.symbol:
            return (_stated(shape, vector),)
    if access.family in ranks:
        of_one = "column" if vector == "matrix" else vector
        return (("scalar", of_one, "matrix")[min(ranks[access.family], 2)],)
    return _by_style(access, vector, access.family in paper.matrices, differentiated)


def _by_style(
    access: Access, vector: str, indexed_twice: bool, differentiated: bool
) -> tuple[str, ...]:
    """Return what a name may be by its letter, the likeliest first."""
    if access.name == ONES:
        of_one = "column" if vector == "matrix" else vector
        return tuple(dict.fromkeys((of_one, "scalar", "row", "column", "matrix")))
    if indexed_twice:
        return tuple(dict.fromkeys(("matrix", vector, "scalar")))
    if access.name in NUMBERS and access.style != "bold":
        # A cell has one c for each step.
        other = {"c": vector} if access.labels else {}
        some = "matrix" if access.name.isupper() and not differentiated else "scalar"
        return tuple(dict.fromkeys(("scalar", other.get(access.name, some))))
    capital = access.name[:1].isupper() and (len(access.name) == 1 or access.name in GREEK_MATRICES)
    if capital:
        return tuple(dict.fromkeys(("matrix", vector, "scalar")))
    if vector == "matrix" and access.name == "b":
        return "row", "column", "matrix", "scalar"
    return tuple(dict.fromkeys((vector, "scalar", "matrix")))


def _stated(shape: Shape, vector: str) -> str:
    ones = [isinstance(e, Number) and e.value == 1 for e in shape.extents]
    if not ones or all(ones):
        return "scalar"
    if len(ones) == 1:
        return vector if vector != "matrix" else "column"
    return "row" if ones[0] else "column" if ones[1] else "matrix"


def _ranks(nodes: Sequence[Node]) -> dict[Family, int]:
    ranks: dict[Family, int] = {}
    for node in nodes:
        for here in within(node):
            if isinstance(here, Access) and here.indices:
                ranks[here.whole] = max(ranks.get(here.whole, 0), len(here.indices))
    return ranks
