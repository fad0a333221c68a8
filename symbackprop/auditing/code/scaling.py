"""Constant factors that are conventions: mean against sum over the batch, ½, 2."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symbackprop.auditing.code.judge import Compared
    from symbackprop.auditing.code.trials import Trial

TOLERANCE = 1e-9
PLAIN = {"2": "2", "1/2": "1/2"}


@dataclass(frozen=True)
class Factor:
    """A factor between claim and truth that is a convention.

    Attributes:
        names: What it may be at these sizes: 2 is a constant, or the count of two samples.
        convention: Which convention it is.
        limit: Whether it is one number only as stabilising constants go to 0.
    """

    names: tuple[str, ...]
    convention: str
    limit: bool = False

    def among(self, others: Factor | None) -> Factor | None:
        """Return what this factor may be at other sizes as well; None if nothing."""
        known = others.names if others is not None else ()
        common = tuple(name for name in self.names if name in known)
        return replace(self, names=common) if common else None

    @property
    def words(self) -> str:
        """The convention with its factor."""
        limit = ", as the stabilising constants go to 0" if self.limit else ""
        return f"{self.convention}: a factor of {self.names[0]}{limit}"


def batch(trial: Trial) -> dict[str, int]:
    """Return the extents that may be counts of a batch: of samples or steps, first axes or last."""
    found: dict[str, int] = {}
    sizes = trial.setup.sizes
    shapes = {n: a.shape for n, a in trial.followed.inputs.originals.items()}
    # One class index for each sample, or step, says which axes count them.
    indices = [n for n, s in trial.setup.specs.items() if s.kind == "label" and s.rank]
    shapes.update({name: trial.setup.shape(name) for name in indices})
    samples = {sizes.root(f"{n}.{axis}") for n in indices for axis in range(len(shapes[n]))}
    for name, shape in shapes.items():
        if shape and f"{name}.0" in sizes.parents:
            for axis, value in enumerate(shape):
                if value > 1 and (not samples or sizes.root(f"{name}.{axis}") in samples):
                    found.setdefault(f"{name}.shape[{axis}]", value)
    return found


def named(trial: Trial, ratio: float) -> tuple[str, ...]:
    """Return what a positive constant may be: 2, ½, a count, a product of these."""
    if ratio <= 0:
        return ()
    counts = batch(trial)
    products: dict[str, int] = dict(counts)
    for one, left in counts.items():
        for other, right in counts.items():
            if one < other and one.split(".")[0] == other.split(".")[0]:
                products[f"{one} * {other}"] = left * right
    known = [(words, Fraction(value)) for words, value in PLAIN.items()]
    for words, count in products.items():
        for factor, text in ((Fraction(count), words), (Fraction(1, count), f"1 / ({words})")):
            known.append((text, factor))
            known += [(f"{w} * {text}", factor * Fraction(v)) for w, v in PLAIN.items()]
    return tuple(words for words, value in known if abs(ratio - float(value)) <= TOLERANCE * ratio)


def explained(trial: Trial, name: str) -> Factor | None:
    """Return the convention by which a claim is a positive multiple of the truth.

    The function must reduce (a loss), and the factor be that of every gradient of the pair; or
    parameters share 1 over a count, as layers do that take the mean.
    """
    ratios = {n: _ratio(c) for n, c in trial.compared.items() if c.error is not None}
    ratio = ratios.get(name)
    if ratio is None or abs(ratio - 1) <= TOLERANCE:
        return None
    limit = trial.compared[name].ratio is None
    names = named(trial, ratio)
    if trial.target.scalar:
        # A gradient that is no multiple at all is a mistake of its own.
        same = all(r is None or abs(r - ratio) <= TOLERANCE * ratio for r in ratios.values())
        return Factor(names, "mean or sum over the batch", limit) if same and names else None
    names = tuple(n for n in names if "1 / (" in n and "*" not in n)
    others = [n for n, r in ratios.items() if r is not None and abs(r - 1) <= TOLERANCE]
    names = tuple(n for n in names if all(_has_axis(trial, other, n) for other in others))
    return Factor(names, "the mean over the batch is taken in the layer", limit) if names else None


def _ratio(compared: Compared) -> float | None:
    """Claim over truth, where need be with the constants that keep off 0 taken as 0."""
    return compared.ratio if compared.ratio is not None else compared.limit_ratio


def _has_axis(trial: Trial, name: str, factor: str) -> bool:
    """Whether a variable has the axis that a factor counts, as inputs of a batch have."""
    sizes, originals = trial.setup.sizes, trial.followed.inputs.originals
    array, _, axis = factor.removeprefix("1 / (").removesuffix("])").partition(".shape[")
    root = sizes.root(f"{array}.{axis}")
    return not name.startswith("self.") and any(
        sizes.root(f"{n}.{k}") == root
        for n in trial.compared[name].claim.names
        for k in range(originals[n].ndim)
        if f"{n}.{k}" in sizes.parents
    )
