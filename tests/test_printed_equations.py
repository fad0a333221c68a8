from __future__ import annotations

from fractions import Fraction

import pytest

from symbackprop.equations import Access, Affine, Equation, Index, Remainder, Variable
from symbackprop.printing.equations import equation_lines, scalar_text
from symbackprop.scalar import Apply, Named, Number, Slot, apply, number

BATCH, UNIT, INPUT = Index("n", Named("N")), Index("i", 3), Index("j", 4)
X, W, B = (
    Variable("x", "", (BATCH, INPUT)),
    Variable("W", "1", (INPUT, UNIT)),
    Variable("b", "1", (UNIT,)),
)
T, Z = Variable("_t1", "1", (BATCH, UNIT)), Variable("z", "1", (BATCH, UNIT))
PRODUCT = apply("multiply", Slot(0), Slot(1))
INNER = Equation(
    Access(T, (BATCH, UNIT)),
    PRODUCT,
    (Access(W, (INPUT, UNIT)), Access(X, (BATCH, INPUT))),
    "total",
    (INPUT,),
)
OUTER = Equation(
    Access(Z, (BATCH, UNIT)),
    apply("add", Slot(0), Slot(1)),
    (Access(T, (BATCH, UNIT)), Access(B, (UNIT,))),
)


def test_what_normalising_split_is_printed_in_one_line() -> None:
    assert equation_lines([INNER, OUTER]) == ["z1[n, i] = Σ_j W1[j, i] x[n, j] + b1[i]"]


def test_what_is_read_twice_keeps_a_line() -> None:
    twice = Equation(OUTER.target, PRODUCT, (Access(T, (BATCH, UNIT)), Access(T, (BATCH, UNIT))))
    assert len(equation_lines([INNER, twice])) == 2


def test_a_bound_index_is_renamed_where_its_name_is_taken() -> None:
    """The reader's own index is j too, in a scope of its own."""
    own = Index("j", 3)
    reader = Equation(
        Access(Z, (BATCH, own)),
        apply("add", Slot(0), Slot(1)),
        (Access(T, (BATCH, own)), Access(B, (own,))),
    )
    assert equation_lines([INNER, reader]) == ["z1[n, j] = Σ_i W1[i, j] x[n, i] + b1[j]"]


def test_a_reduction_as_a_factor_or_a_body_has_parentheses() -> None:
    scaled = Equation(OUTER.target, PRODUCT, OUTER.operands)
    assert equation_lines([INNER, scaled]) == ["z1[n, i] = (Σ_j W1[j, i] x[n, j]) b1[i]"]
    body = Equation(Access(T, (BATCH, UNIT)), OUTER.function, INNER.operands, "largest", (INPUT,))
    assert equation_lines([body, OUTER]) == ["z1[n, i] = max_j (W1[j, i] + x[n, j]) + b1[i]"]


def test_index_expressions() -> None:
    y = Variable("y", "", (BATCH,), integer=True)
    shifted = Affine(((2, UNIT), (1, INPUT)), -1)
    operands = (
        Access(X, (BATCH, Access(y, (BATCH,)))),
        Access(X, (BATCH, shifted)),
        Access(X, (BATCH, Remainder(shifted, 4))),
    )
    function = apply("add", Slot(0), Slot(1), Slot(2))
    lines = equation_lines([Equation(OUTER.target, function, operands, "total", (INPUT,))])
    assert lines == ["z1[n, i] = Σ_j (x[n, y[n]] + x[n, 2*i + j - 1] + x[n, (2*i + j - 1) % 4])"]


def test_an_excluded_summand_is_named() -> None:
    y = Access(Variable("y", "", (BATCH,), integer=True), (BATCH,))
    equation = Equation(
        Access(T, (BATCH,)),
        Slot(0),
        (Access(X, (BATCH, INPUT)),),
        "total",
        (INPUT,),
        excluding=((INPUT, y),),
    )
    other = Equation(Access(Z, (BATCH,)), Slot(0), (Access(T, (BATCH,)),))
    assert equation_lines([equation, other]) == ["z1[n] = Σ_(j, j ≠ y[n]) x[n, j]"]


A, C = Named("a"), Named("c")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (apply("add", A, apply("negative", C)), "a − c"),
        (apply("negative", apply("add", A, C)), "−(a + c)"),
        (apply("multiply", number(-2), A), "−2 a"),
        (apply("multiply", A, apply("add", C, number(1))), "a (c + 1)"),
        (apply("divide", A, apply("multiply", number(2), C)), "a / (2 c)"),
        (apply("divide", apply("divide", A, C), A), "a / c / a"),
        (apply("divide", A, apply("divide", C, A)), "a / (c / a)"),
        (apply("power", apply("negative", A), number(2)), "(−a)²"),
        (apply("power", A, number(-12)), "a⁻¹²"),
        (apply("power", A, C), "a^c"),
        (apply("sqrt", apply("divide", number(2), Named("pi"))), "√(2 / π)"),
        (apply("maximum", number(0), A), "max(0, a)"),
        (apply("abs", A), "|a|"),
        (Number(Fraction(1, 3)), "1/3"),
        (Number(Fraction(1, 8)), "0.125"),
        (Named("beta"), "β"),
        (
            Apply("where", (Apply("greater", (A, number(0))), A, apply("multiply", C, A))),
            "{a if a > 0, else c a}",
        ),
        (
            apply("logical_and", apply("less", A, C), apply("less", C, number(1))),
            "[a < c] and [c < 1]",
        ),
    ],
)
def test_scalar_functions(expression, text: str) -> None:
    assert scalar_text(expression) == text
