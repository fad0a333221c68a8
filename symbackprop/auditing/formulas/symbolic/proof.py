"""Whether a claim holds for all sizes: its sides in normal form, compared."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.auditing.formulas.kinds import Typed
from symbackprop.auditing.formulas.shapes import Surveyor
from symbackprop.auditing.formulas.symbolic import arithmetic, deriving
from symbackprop.auditing.formulas.symbolic.algebra import Algebra
from symbackprop.auditing.formulas.symbolic.forms import Atom, Form, Inverse, UnknownError, letters
from symbackprop.auditing.formulas.symbolic.translating import Place, Translator
from symbackprop.auditing.formulas.tree import Bound
from symbackprop.auditing.formulas.trial import COLUMN, ROW, SIZES, free_letters

STEPS = 4_000
RULES = {**arithmetic.RULES, **deriving.RULES}


def holds_for_all_sizes(typed: Typed, ranges: Sequence[Bound] = ()) -> bool:
    """Whether both sides of a claim have one normal form; False says nothing.

    Args:
        typed: The claim in the layout in which it was found to hold at several sizes.
        ranges: Ranges of letters that stand beside it.
    """
    sides = typed.left.at(ROW, COLUMN), typed.right.at(ROW, COLUMN)
    surveyor = Surveyor(typed.model, SIZES)
    surveyor.survey(sides, tuple(ranges))
    translator = Translator(RULES, typed.model, surveyor, STEPS)
    names = free_letters(sides, typed.model)
    here = Place({name: translator.index(0, name) for name in names}, dict(typed.model.layers))
    try:
        left, right = (translator.form(side, here) for side in sides)
        return not cleared(translator.algebra, translator.algebra.sub(left, right)).terms
    except (UnknownError, RecursionError):
        return False


def cleared(algebra: Algebra, form: Form) -> Form:
    """Return a form multiplied with its denominators, until none is left that can be."""
    while True:
        denominator = _denominator(form)
        if denominator is None:
            return form
        most = max(0, *(_exponent(monomial.factors, denominator) for monomial, _ in form.terms))
        terms = []
        for monomial, coefficient in form.terms:
            n = _exponent(monomial.factors, denominator)
            kept = tuple(factor for factor in monomial.factors if factor[0] != denominator)
            rest = algebra.term(monomial.bound, kept, coefficient)
            terms.append(algebra.mul(rest, algebra.power(denominator.of, most - n)))
        form = algebra.total(terms)


def _exponent(factors: tuple[tuple[Atom, int], ...], atom: Atom) -> int:
    return dict(factors).get(atom, 0)


def _denominator(form: Form) -> Inverse | None:
    """A denominator that no sum binds a letter of; the one that holds others comes first."""
    found = [
        atom
        for monomial, _ in form.terms
        for atom, _ in monomial.factors
        if isinstance(atom, Inverse) and not letters(atom) & set(monomial.bound)
    ]
    return max(found, key=lambda atom: len(repr(atom)), default=None)
