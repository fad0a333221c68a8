"""Constant factors that are conventions: mean against sum over the batch, ½, 2."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symbackprop.audit.code.trials import Trial

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Factor:
    """A factor between claim and truth, and the convention that it is."""

    words: str
    convention: str


def batch(trial: Trial) -> dict[str, int]:
    """Return the extents that may be counts of a batch: first axes of inputs, last of columns."""
    found: dict[str, int] = {}
    sizes = trial.setup.sizes
    for name, original in trial.followed.inputs.originals.items():
        if original.ndim and f"{name}.0" in sizes.parents:
            for axis in range(original.ndim):
                value = original.shape[axis]
                if value > 1:
                    found.setdefault(f"{name}.shape[{axis}]", value)
    return found


def named(trial: Trial, ratio: float) -> str | None:
    """Return a positive constant in words: 2, ½, a count, a product of these; None otherwise."""
    if ratio <= 0:
        return None
    plain = {Fraction(1): "1", Fraction(2): "2", Fraction(1, 2): "1/2"}
    for value, words in plain.items():
        if abs(ratio - value) <= TOLERANCE * ratio:
            return words
    counts = batch(trial)
    products: dict[str, int] = dict(counts)
    for one, left in counts.items():
        for other, right in counts.items():
            if one < other and one.split(".")[0] == other.split(".")[0]:
                products[f"{one} * {other}"] = left * right
    for words, count in products.items():
        for value, scale in plain.items():
            for factor, text in ((count, words), (Fraction(1, count), f"1 / ({words})")):
                if abs(ratio - float(value * factor)) <= TOLERANCE * ratio:
                    return text if value == 1 else f"{scale} * {text}"
    return None


def explained(trial: Trial, name: str) -> Factor | None:
    """Return the convention by which a claim is a positive multiple of the truth.

    The function must reduce (a loss), and the factor be that of every gradient of the pair; or
    parameters share 1 over a count, as layers do that take the mean.
    """
    compared = trial.compared[name]
    if compared.ratio is None or abs(compared.ratio - 1) <= TOLERANCE:
        return None
    words = named(trial, compared.ratio)
    if words is None:
        return None
    ratios = {n: c.ratio for n, c in trial.compared.items() if c.error is not None}
    if trial.target.scalar:
        same = all(
            r is not None and abs(r - compared.ratio) <= TOLERANCE * abs(compared.ratio)
            for r in ratios.values()
        )
        return Factor(words, f"mean or sum over the batch: a factor of {words}") if same else None
    if "1 / (" not in words or "*" in words:
        return None
    own = [r for r in ratios.values() if r is None or abs(r - 1) > TOLERANCE]
    if all(r is not None and abs(r - compared.ratio) <= TOLERANCE for r in own):
        others = [n for n, r in ratios.items() if r is not None and abs(r - 1) <= TOLERANCE]
        if all(_is_input(trial, n) for n in others):
            return Factor(words, f"the mean over the batch is taken in the layer: {words}")
    return None


def _is_input(trial: Trial, name: str) -> bool:
    """Whether a variable flows in and has the batch's axis; parameters have not."""
    names = trial.compared[name].claim.names
    ranks = [trial.followed.inputs.originals[n].ndim for n in names]
    return not name.startswith("self.") and min(ranks) >= 2
