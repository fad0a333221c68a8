"""Right claims of `data/right_claims.txt`, and wrong ones made from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from audit_algebra import claim, paper
from mistakes import MISTAKES

from symbackprop.auditing.formulas import tree as t
from symbackprop.auditing.formulas.assignments import marked
from symbackprop.auditing.formulas.binding import Claim, Paper, Reading

DATA = Path(__file__).parent / "data" / "right_claims.txt"


@dataclass(frozen=True)
class Right:
    """A right claim with the definitions that it follows from."""

    name: str
    definitions: tuple[str, ...]
    text: str
    of_arrays: bool
    layers: tuple[str, ...]

    @property
    def paper(self) -> Paper:
        return paper(*self.definitions, layers=self.layers)

    @property
    def claim(self) -> Claim:
        return claim(self.text)


@dataclass(frozen=True)
class Wrong:
    """A right claim with a mistake, and the diagnoses that name it."""

    right: Right
    mistake: str
    side: t.Node
    kinds: frozenset[str]

    @property
    def claim(self) -> Claim:
        made = self.right.claim
        reading = Reading(made.left, self.side)
        return Claim(made.source, made.left, (reading,), 0, False, made.order, made.group)


@cache
def right_claims() -> tuple[Right, ...]:
    found: list[Right] = []
    name, words, definitions = "", [], []
    for line in DATA.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name, _, rest = line[1:].partition("]")
            words, definitions = rest.split(), []
        elif line.startswith("? "):
            found.append(Right(name, tuple(definitions), line[2:], bool(words), tuple(words[1:])))
        elif line and line[0] not in "#%":
            definitions.append(line)
    return tuple(found)


def covered() -> frozenset[str]:
    """The entries of the catalogue that have claims of their own."""
    lines = DATA.read_text(encoding="utf-8").splitlines()
    return frozenset(name for line in lines if line.startswith("% ") for name in line[2:].split())


def wrong_claims() -> Iterator[Wrong]:
    for right in right_claims():
        made = right.claim
        has_marks = marked(made.right)
        for mistake, (make, kinds) in MISTAKES.items():
            for side in dict.fromkeys(make(made.right, made.left)):
                # Without a sign that only arrays have, a claim is one of single numbers, and
                # without a factor of a product it has no shape.
                odd = right.of_arrays and mistake == "chain factor"
                if side != made.right and marked(side) == has_marks and not odd:
                    yield Wrong(right, mistake, side, kinds)
