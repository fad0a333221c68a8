"""Stable forms of every equation of the catalogue, and of their partial derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scalar_oracle import CONSTANTS, Reading, in_numpy
from stable_check import LINE, OPEN, POSITIVE, RANDOM, UNIT, check, derivatives

from symbackprop.calculus.stable import stable_form as form
from symbackprop.catalog import CATALOG
from symbackprop.scalar import Apply, slots

PROBABILITIES = {"binary_cross_entropy", "cross_entropy"}
COUNTS = {"hinge": (-1.0, 1.0), "squared_hinge": (-1.0, 1.0), "poisson_nll": (0.0, 1.0, 7.0)}


def domain(entry, read):
    """Where the argument lives: logits on the whole line, probabilities inside (0, 1)."""
    if entry.name in PROBABILITIES and read.startswith("a"):
        return OPEN
    if entry.name in ("exponential", "poisson_nll"):
        return (
            COUNTS.get(entry.name, ())
            if read.startswith("y")
            else tuple(x for x in (*LINE, *RANDOM) if abs(x) < 80)
        )
    if read.startswith("y"):
        return COUNTS.get(entry.name, UNIT)
    if read.startswith(("z", "a")) or read in ("e", "alpha"):
        return (*LINE, *RANDOM) if entry.name != "gaussian_nll" else RANDOM
    return (1e4,) if read == "m" else POSITIVE


def catalogue():
    for kind in (CATALOG.activations, CATALOG.losses):
        for name in sorted(kind):
            entry = kind[name]
            texts = [*entry.equations, *getattr(entry, "indices", ())]
            for text in dict.fromkeys(texts):
                reading = Reading(text.replace("held(", "("), CONSTANTS)
                domains = [domain(entry, read) for read in reading.reads]
                for whole in (reading.expression, *reading.nested):
                    if isinstance(whole, Apply):
                        yield pytest.param(whole, domains, id=f"{name}: {text}"[:60])


# z - tanh z loses relative accuracy near 0, where it is z**3/3: bounded against z instead.
CANCELS = {"tanh_shrink: a = z - tanh(z)"}


@pytest.mark.parametrize(("textbook", "domains"), list(catalogue()))
def test_catalogue(textbook, domains, request):
    absolute = float(any(name in request.node.name for name in CANCELS))
    for each in (textbook, *derivatives(textbook)):
        reads = slots(each)
        if reads:
            used = [domains[k] if k in reads else (0.0,) for k in range(max(reads) + 1)]
            check(each, used, absolute=absolute if each is textbook else 0.0)


@pytest.mark.parametrize(("textbook", "domains"), list(catalogue()))
def test_nan_stays_nan(textbook, domains):
    """Where a NaN in one argument makes the textbook form NaN, it makes the stable one NaN."""
    for each in (textbook, *derivatives(textbook)):
        for bad in slots(each):
            columns = [np.array([np.nan if k == bad else 0.5]) for k in range(len(domains))]
            with np.errstate(all="ignore"):
                if np.isnan(in_numpy(each, columns, np.float64)).all():
                    assert np.isnan(in_numpy(form(each), columns, np.float64)).all()
