"""Scalar expressions: exact numbers."""

from fractions import Fraction

import pytest

from symbackprop.scalar import decimal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 4), "0.25"),
        (Fraction(-1, 4), "-0.25"),
        (Fraction(3), "3"),
        (Fraction("1.0507009873554804934193349852946"), "1.0507009873554804934193349852946"),
        (Fraction(1, 3), None),
    ],
)
def test_decimals_are_exact_or_none(value, text):
    assert decimal(value) == text
