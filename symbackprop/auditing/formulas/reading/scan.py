"""Where a reader stands in its items, and the choices that it reads under."""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.auditing.formulas.reading.items import Item


@dataclass(frozen=True, slots=True)
class Options:
    """How to settle what a notation leaves open; each alternative is a reading of its own.

    Attributes:
        sums_take_all: Σ runs to the end of its group, over + and −, not to the end of its term.
        functions_take_term: ``log x y`` is log(x y).
        hadamard_first: ``A ⊙ b C`` is (A ⊙ b) C, from left to right.
        slash_takes_term: ``a/b c`` is a/(b c).
        flip_application: A letter before a parenthesis that could be either is a factor.
        operators_take_group: ``∂/∂x (a) b`` is (∂a/∂x) b.
    """

    sums_take_all: bool = False
    functions_take_term: bool = False
    hadamard_first: bool = False
    slash_takes_term: bool = False
    flip_application: bool = False
    operators_take_group: bool = False


ALTERNATIVES = (
    (Options(sums_take_all=True), "Σ takes the whole rest of its group"),
    (Options(functions_take_term=True), "a function takes the whole rest of its term"),
    (Options(hadamard_first=True), "products from left to right"),
    (Options(slash_takes_term=True), "a slash divides by the whole rest of its term"),
    (Options(flip_application=True), "a letter before a parenthesis is a factor"),
    (Options(operators_take_group=True), "an operator takes the parenthesis behind it"),
)


@dataclass
class Scan:
    """A place in a run of items."""

    items: tuple[Item, ...]
    at: int = 0

    def peek(self, ahead: int = 0) -> Item | None:
        """Return the next item, or None at the end."""
        place = self.at + ahead
        return self.items[place] if place < len(self.items) else None

    def take(self) -> Item:
        """Return the next item and step over it."""
        self.at += 1
        return self.items[self.at - 1]

    def rest(self) -> tuple[Item, ...]:
        """Return all that is left and step to the end."""
        left, self.at = self.items[self.at :], len(self.items)
        return left
