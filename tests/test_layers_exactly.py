"""Every layer of the catalogue on fifty digits, which are tried on wrong modules."""

import numpy as np
import pytest
from layer_cases import cases, emitted, module_of, network_of, point_of
from oracles import errors_on_fifty_digits

from symbackprop.catalog import CATALOG

# Differences of step 1e-15 on fifty digits are right to about 1e-29.
EXACT = 1e-24


def smallest(name):
    """Of the first cases that fit, the one with fewest numbers, but more than one."""
    found = [case for case in cases(name)[:4] if np.prod(case.shape) > 1]
    return min(found, key=lambda case: np.prod(case.shape))


def worst(case, text):
    network = network_of(case)
    point = point_of(network, module_of(text), 2, 0, training=True)
    held = point.held if network.varies else dict
    return {k: max(v.values()) for k, v in errors_on_fifty_digits(text, point, held).items()}


@pytest.mark.parametrize("name", CATALOG.layers)
def test_a_layer_agrees_on_fifty_digits(name):
    case = smallest(name)
    errors = worst(case, emitted(case))
    assert max(errors.values()) < EXACT, errors


def test_a_wrong_number_is_seen():
    case = smallest("layer_norm")
    text = emitted(case)
    wrong = text.replace("-0.5", "-0.50000000000000000001")
    assert wrong != text
    assert max(worst(case, wrong).values()) > EXACT
