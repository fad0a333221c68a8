"""Per-unit formulas: golden ones."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from round_trip import (
    bare,
    printed,
)

from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Equation,
    Factor,
    Index,
    Quotient,
    Remainder,
    Role,
    Term,
    Variable,
)
from symbackprop.render.latex import latex
from symbackprop.render.notation import Notation, read_notation
from symbackprop.render.scalars import letters_for
from symbackprop.render.setting import Setting, counts_from_zero, inner_equations
from symbackprop.render.typeset import Math, Symbol
from symbackprop.scalar import Apply, Expression, Named, Number, Slot, apply, number

PLAIN = Notation()

N_, I_, J_ = Index("n", Named("N"), Role.BATCH), Index("i", 3), Index("j", 4)
X, Z = Variable("x", "", (N_, J_)), Variable("z", "3", (N_, I_))
W, B = Variable("W", "3", (J_, I_)), Variable("b", "3", (I_,))
T = Variable("_t1_", "3", (N_, I_))
Y = Variable("y", "", (N_,), integer=True)
PRODUCT, SUM = apply("multiply", Slot(0), Slot(1)), apply("add", Slot(0), Slot(1))
INNER = Equation(
    Access(T, (N_, I_)), PRODUCT, (Access(W, (J_, I_)), Access(X, (N_, J_))), "total", (J_,)
)
OUTER = Equation(Access(Z, (N_, I_)), SUM, (Access(T, (N_, I_)), Access(B, (I_,))))
AFFINE = (INNER, OUTER)


def golden(math: Math) -> str:
    return bare(latex(math))


def sides(chosen: Setting, record: Equation | Adjoint) -> str:
    return bare(" = ".join(printed(chosen, record)))


def of_affine(notation: Notation = PLAIN, **fields: object) -> Setting:
    return Setting(notation, inner=inner_equations(AFFINE), **fields)  # type: ignore[arg-type]


def test_what_normalising_split_stands_inside_its_reader() -> None:
    assert sides(of_affine(), OUTER) == (
        r"z_{i}^{(3)} = \sum_{j = 1}^{4} w_{ji}^{(3)} x_{j} + b_{i}^{(3)}"
    )
    swapped = of_affine(swapped=[W], samples=True)
    assert sides(swapped, OUTER) == (
        r"z_{ni}^{(3)} = \sum_{j = 1}^{4} w_{ij}^{(3)} x_{nj} + b_{i}^{(3)}"
    )


def test_what_is_read_twice_or_must_be_shown_stays() -> None:
    twice = replace(OUTER, function=PRODUCT, operands=(OUTER.operands[0],) * 2)
    assert inner_equations([INNER, twice]) == {}
    assert inner_equations(AFFINE, shown=[T]) == {}
    reader = Adjoint(B, (Term(Access(B.bar(), (I_,)), (N_, I_), number(1), ()),))
    reads = replace(reader.terms[0], factors=(Factor(Slot(0), (Access(T, (N_, I_)),)),))
    assert inner_equations(AFFINE, [reader]) != {}
    assert inner_equations(AFFINE, [replace(reader, terms=(reads,))]) == {}


def test_a_bound_index_is_renamed_where_its_letter_is_taken() -> None:
    own = Index("j", 3)
    reader = Equation(Access(Z, (N_, own)), SUM, (Access(T, (N_, own)), Access(B, (own,))))
    assert sides(of_affine(), reader) == (
        r"z_{j}^{(3)} = \sum_{i = 1}^{4} w_{ij}^{(3)} x_{i} + b_{j}^{(3)}"
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("cost=E input=a0", r"\frac{\partial E}{\partial a_{i}^{(0)}}"),
        ("first=0 input=a0 activation=h", r"\frac{\partial L}{\partial h_{i}^{(0)}}"),
        ("cost=J", r"\frac{\partial J}{\partial x_{i}}"),
    ],
)
def test_names_of_the_notation(settings: str, expected: str) -> None:
    chosen = Setting(read_notation(settings.split()), input=X)
    unit = Index("i", 4)
    read_ = Access(X.bar(), (N_, unit))
    assert golden(chosen.access(read_, chosen.names([unit]))) == expected


def test_variables_and_arrays() -> None:
    output = Variable("a", "3", (N_, I_))
    chosen = Setting(PLAIN, output=output, samples=True, owners={"3": Symbol("k")})
    every = [W, B, Z, output, Variable("gamma", "norm", (I_,)), Variable("Wq", "2", (I_, J_))]
    assert [golden(chosen.variable(v)) for v in every] == [
        "w^{(k)}",
        "b^{(k)}",
        "z^{(k)}",
        r"\hat{y}",
        r"\gamma^{(\mathit{norm})}",
        r"\mathit{wq}^{(2)}",
    ]
    assert [golden(chosen.array(v)) for v in every[:5]] == [
        r"\mathbf{W}^{(k)}",
        r"\mathbf{b}^{(k)}",
        r"\mathbf{Z}^{(k)}",
        r"\hat{\mathbf{Y}}",
        r"\boldsymbol{\gamma}^{(\mathit{norm})}",
    ]
    cost = Variable("L")
    assert golden(Setting(Notation(cost="E"), cost=cost).variable(cost)) == "E"
    assert golden(chosen.array(W.bar())) == r"\frac{\partial L}{\partial \mathbf{W}^{(k)}}"


def test_no_two_variables_of_a_layer_print_alike() -> None:
    own, table = Variable("e", "1", (N_, I_)), Variable("E", "1", (J_, I_))
    made, named = Variable("_t1_", "1", (N_,)), Variable("t1_", "1", (N_,))
    recurrent, activation = Variable("h", "1", (N_, I_)), Variable("a", "1", (N_, I_))
    every = [table, own, made, named, activation, recurrent]
    chosen = Setting(Notation(activation="h"), variables=every)
    printed_ = [golden(chosen.variable(v)).removesuffix("^{(1)}") for v in every]
    assert printed_ == ["E", "e", r"\tilde{\mathit{t1}}", r"\mathit{t1}", "a", "h"]


def test_letters_of_indices() -> None:
    cost = Variable("i")
    weights = Variable("W", "1", (I_, J_))
    chosen = Setting(PLAIN, variables=[cost, weights])
    made = [Index("i", 2), Index("k_1", 2), Index("row", 2), Index("k", 3), Index("k", 4)]
    assert [golden(m) for m in chosen.names(made).values()] == ["j", "k", "l", "m", "p"]
    assert [golden(m) for m in chosen.names([Index("w", 2)]).values()] == ["j"]
    many = [Index(f"i_{k}", 2) for k in range(30)]
    names = [golden(m) for m in chosen.names(many, [Symbol("j")]).values()]
    assert len(set(names)) == len(many)
    assert names[:2] == ["k", "l"]
    assert names[-1] == "q''"  # w is taken, too


@pytest.mark.parametrize(
    ("place", "from_one", "from_zero"),
    [
        (Affine(((1, I_),), -1), "i - 1", "i - 1"),
        (Affine((), 2), "3", "2"),
        (Affine(((2, I_), (1, J_)), 1), "2 i + j - 1", "2 i + j + 1"),
        (Affine(((Named("s"), I_),), 0), "s i - s + 1", "s i"),
        (Quotient(I_, 2), r"\lfloor \frac{i - 1}{2}\rfloor + 1", None),
        (Remainder(I_, 4), r"((i - 1) \mathbin{\text{mod}} 4) + 1", r"i \mathbin{\text{mod}} 4"),
        (Access(Y, (N_,)), "y", "y"),
    ],
)
def test_places(place, from_one: str, from_zero: str | None) -> None:
    vector = Variable("p", "", (Index("c", 9),))
    for first, expected in (("1", from_one), ("0", from_zero)):
        chosen = Setting(Notation(first=first))
        names = chosen.names([I_, J_])
        text = golden(chosen.access(Access(vector, (place,)), names))
        if expected is not None:
            assert text == f"p_{{{expected}}}"


def test_what_counts_from_zero() -> None:
    def with_place(place: object) -> Equation:
        return replace(INNER, operands=(Access(X, (N_, place)),) * 2)  # type: ignore[arg-type]

    shift, stride = Affine(((1, J_),), -1), Affine(((2, J_),), 0)
    assert not counts_from_zero([INNER, OUTER, with_place(shift), with_place(Access(Y, (N_,)))])
    assert counts_from_zero([with_place(stride)])
    assert counts_from_zero([with_place(Quotient(J_, 2))])
    position = replace(INNER, operands=(I_, Access(X, (N_, J_))))
    assert counts_from_zero([position])
    compared = Apply("equal", (Slot(0), Slot(1)))
    assert not counts_from_zero(
        [replace(position, operands=(I_, Access(Y, (N_,))), function=compared)]
    )
    assert counts_from_zero([replace(INNER, reduction="largest", reduced=(I_, J_))])


def test_sums_maxima_and_what_they_leave_out() -> None:
    left_out = replace(INNER, excluding=((J_, Access(Y, (N_,))),))
    assert sides(Setting(PLAIN), left_out).endswith(
        r"= \sum_{j = 1, j \neq y}^{4} w_{ji}^{(3)} x_{j}"
    )
    largest = replace(left_out, reduction="largest", function=SUM)
    assert sides(Setting(PLAIN), largest).endswith(r"= \max_{j, j \neq y} (w_{ji}^{(3)} + x_{j})")
    both = Equation(Access(Variable("s")), Slot(0), (Access(W, (J_, I_)),), "total", (J_, I_))
    assert sides(Setting(Notation(first="0")), both) == (
        r"s = \sum_{j = 0}^{3} \sum_{i = 0}^{2} w_{ji}^{(3)}"
    )
    assert sides(Setting(PLAIN), replace(both, reduction="argmin")) == (
        r"s = \mathop{\mathrm{argmin}}_{j, i} w_{ji}^{(3)}"
    )


def test_a_sum_of_negatives_has_its_sign_in_front() -> None:
    negative = Apply("negative", (Slot(0),))
    total = Equation(Access(Variable("s")), negative, (Access(X, (N_, J_)),), "total", (J_,))
    assert sides(Setting(PLAIN), total).endswith(r"= -\sum_{j = 1}^{4} x_{j}")


def test_the_only_place_of_an_axis_is_a_number() -> None:
    one, kernel = Index("i", 1), Index("k", 1)
    narrow = Variable("v", "", (one,))
    total = Equation(Access(Variable("s")), Slot(0), (Access(narrow, (one,)),), "total", (one,))
    assert sides(Setting(PLAIN), total) == "s = v_{1}"
    assert sides(Setting(Notation(first="0")), total) == "s = v_{0}"
    assert sides(Setting(PLAIN), replace(total, reduction="argmax")) == "s = 1"
    left_out = replace(total, excluding=((one, Access(Y, (N_,))),))
    assert sides(Setting(PLAIN), left_out) == r"s = [1 \neq y] v_{1}"
    moved = Access(X, (N_, Affine(((1, J_), (1, kernel)), -1)))
    window = Equation(
        Access(Variable("c", "", (J_,)), (J_,)), Slot(0), (moved,), "total", (kernel,)
    )
    assert sides(Setting(PLAIN), window) == "c_{j} = x_{j - 1}"


def test_ranges() -> None:
    indices = [N_, I_, Index("k", 2), Index("l", 1), Index("m", Named("n_1"))]
    chosen = Setting(PLAIN)
    assert golden(chosen.ranges(indices, chosen.names(indices))) == (
        r"i = 1, \ldots, 3; k = 1, 2; m = 1, \ldots, n_{1}"
    )
    zero = Setting(Notation(first="0"), samples=True)
    assert golden(zero.ranges(indices, zero.names(indices))) == (
        r"n = 0, \ldots, N - 1; i = 0, \ldots, 2; k = 0, 1; m = 0, \ldots, n_{1} - 1"
    )


def term(target: Access, space: tuple[Index, ...], coefficient: Expression, *operands: Access):
    factors = tuple(Factor(Slot(0), (operand,)) for operand in operands)
    return Term(target, space, coefficient, factors)


def test_terms_and_adjoints() -> None:
    seed = Access(Z.bar(), (N_, I_))
    of_w = Adjoint(
        W, (term(Access(W.bar(), (J_, I_)), (N_, J_, I_), number(1), seed, Access(X, (N_, J_))),)
    )
    assert sides(Setting(PLAIN, swapped=[W]), of_w) == (
        r"\frac{\partial L}{\partial w_{ij}^{(3)}} = "
        r"\frac{\partial L}{\partial z_{i}^{(3)}} x_{j}"
    )
    of_x = term(Access(X.bar(), (N_, J_)), (N_, I_, J_), number(-2), seed, Access(W, (J_, I_)))
    chosen = Setting(PLAIN)
    names = chosen.names([J_])
    assert golden(chosen.term(of_x, names)) == (
        r"-2 \sum_{i = 1}^{3} \frac{\partial L}{\partial z_{i}^{(3)}} w_{ji}^{(3)}"
    )
    assert golden(chosen.term(of_x, names, kept=[I_])) == (
        r"-2 \frac{\partial L}{\partial z_{i}^{(3)}} w_{ji}^{(3)}"
    )
    assert sides(chosen, Adjoint(X, ())) == r"\frac{\partial L}{\partial x_{j}} = 0"


def test_places_that_a_term_reaches() -> None:
    output = Variable("a", "3", (N_, I_))
    cost = Access(Variable("l", "", (N_,)).bar(), (N_,))
    at_y = Access(output.bar(), (N_, Access(Y, (N_,))))
    scattered = Adjoint(output, (term(at_y, (N_,), number(-1), cost),))
    assert sides(Setting(PLAIN), scattered) == (
        r"\frac{\partial L}{\partial a_{i}^{(3)}} = "
        r"-\delta_{iy} \frac{\partial L}{\partial l}"
    )
    others = replace(
        term(Access(output.bar(), (N_, I_)), (N_, I_), number(1), cost),
        excluding=((I_, Access(Y, (N_,))),),
    )
    assert sides(Setting(PLAIN), Adjoint(output, (others,))).endswith(
        r"= [i \neq y] \frac{\partial L}{\partial l}"
    )
    alone = replace(scattered.terms[0], assigned=True)
    assert sides(Setting(PLAIN), Adjoint(output, (others, alone))).endswith(
        r"= \begin{cases} -\frac{\partial L}{\partial l} & \text{if } i = y \\ "
        r"\frac{\partial L}{\partial l} & \text{otherwise} \end{cases}"
    )


A, C = Named("a"), Named("c")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Apply("divide", (number(Fraction(1, 2)), A)), r"\frac{1}{2 a}"),
        (
            Apply("multiply", (number(Fraction(1, 6)), Apply("sqrt", (number(6),)), A)),
            r"\frac{1}{\sqrt{6}} a",
        ),
        (Apply("divide", (number(Fraction(-3, 4)), A)), r"-\frac{3}{4 a}"),
        (apply("add", A, apply("negative", C)), "a - c"),
        (apply("add", A, Apply("add", (C, number(-1)))), "a + c - 1"),
        (apply("add", A, Apply("negative", (Apply("add", (C, A)),))), "a - (c + a)"),
        (apply("negative", apply("add", A, C)), "-(a + c)"),
        (Apply("negative", (Apply("negative", (A,)),)), "-(-a)"),
        (apply("multiply", number(-1), A), "-a"),
        (apply("multiply", number(-2), A), "-2 a"),
        (apply("multiply", A, number(2), apply("add", C, number(1))), "2 a (c + 1)"),
        (apply("multiply", A, Apply("negative", (C,))), "a (-c)"),
        (apply("multiply", number(2), Apply("power", (number(3), A))), r"2 \cdot 3^{a}"),
        (
            Apply("multiply", (number(2), Number(Fraction(1, 3)), A)),
            r"\frac{2}{3} a",
        ),
        (apply("divide", A, apply("multiply", number(2), C)), r"\frac{a}{2 c}"),
        (apply("divide", apply("negative", apply("add", A, C)), C), r"-\frac{a + c}{c}"),
        (apply("power", apply("divide", A, C), number(2)), r"(\frac{a}{c})^{2}"),
        (apply("power", A, number(2)), "a^{2}"),
        (apply("power", Named("n_1"), number(2)), "n_{1}^{2}"),
        (apply("power", apply("negative", A), number(-2)), "(-a)^{-2}"),
        (apply("power", Apply("power", (A, C)), C), "(a^{c})^{c}"),
        (apply("power", Apply("tanh", (A,)), number(2)), r"(\tanh(a))^{2}"),
        (apply("sqrt", apply("divide", number(2), Named("pi"))), r"\sqrt{\frac{2}{\pi}}"),
        (apply("maximum", number(0), A), r"\max(0, a)"),
        (apply("abs", apply("add", A, C)), "|a + c|"),
        (apply("exp", apply("negative", apply("abs", A))), r"\mathrm{e}^{-|a|}"),
        (apply("exp", apply("negative", A)), r"\mathrm{e}^{-a}"),
        (apply("exp", apply("add", A, C)), r"\exp(a + c)"),
        (apply("exp", number(1)), r"\mathrm{e}"),
        (Number(Fraction(1, 2)), r"\frac{1}{2}"),
        (number("0.044715"), "0.044715"),
        (number("-0.1"), "-0.1"),
        (number("1e-8"), "10^{-8}"),
        (number("2.5e-9"), r"2.5 \cdot 10^{-9}"),
        (apply("power", number("2.5e-9"), A), r"(2.5 \cdot 10^{-9})^{a}"),
        (Number(Fraction(1, 3)), r"\frac{1}{3}"),
        (Named("beta"), r"\beta"),
        (Named("beta2"), r"\beta_{2}"),
        (Named("negative_slope"), r"\mathit{negative\_slope}"),
        (apply("multiply", A, Apply("greater", (C, number(0)))), "a [c > 0]"),
        (Apply("greater", (C, number(0))), "c > 0"),
        (
            Apply("where", (Apply("less", (A, C)), A, Apply("where", (A, C, number(1))))),
            r"\begin{cases} a & \text{if } a < c \\ c & \text{if } a \\ "
            r"1 & \text{otherwise} \end{cases}",
        ),
        (
            apply("logical_and", apply("less", A, C), apply("less", C, number(1))),
            r"a < c \wedge c < 1",
        ),
        (Apply("f_1", (A,)), "f_{1}(a)"),
        (Apply("f_1''", (A,)), "f_{1}''(a)"),
        (Apply("erf", (A,)), r"\mathrm{erf}(a)"),
        (Apply("remainder", (apply("add", A, C), number(3))), r"(a + c) \mathbin{\text{mod}} 3"),
    ],
)
def test_scalar_functions(expression: Expression, expected: str) -> None:
    assert golden(Setting(PLAIN).scalar(expression, ())) == expected


def test_numbers_too_long_to_be_read_have_names() -> None:
    long = Fraction("1.0507009873554804934193349852946")
    function = Apply("multiply", (number(long), A))
    letters = letters_for([function, Apply("multiply", (number(Fraction(1, 3)), A))])
    assert letters == {long: "kappa_1"}
    named = Setting(PLAIN, numbers=letters)
    assert golden(named.scalar(function, ())) == r"\kappa_{1} a"
    half = Apply("multiply", (number(-long / 2), A))
    assert golden(named.scalar(half, ())) == r"-\frac{1}{2} \kappa_{1} a"
    other = Apply("multiply", (number(Fraction(2, 7)), A))
    assert golden(named.scalar(other, ())) == r"\frac{2}{7} a"
    assert list(letters_for([function], ["kappa_1"]).values()) == ["kappa_2"]
