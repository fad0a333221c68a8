from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbackprop.errors import SymbackpropError
from symbackprop.formula import Assignment, Call, Reduce, Reference
from symbackprop.formula_reader import FUNCTIONS, REDUCTIONS, read_equation, read_expression
from symbackprop.scalar import ARITY, Named, Number

A, B, C, X = (Reference(name) for name in "abcx")


def number(value):
    return Number(Fraction(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", A),
        ("pi", Named("pi")),
        ("0.1", number("1/10")),
        ("2.5e-3", number("1/400")),
        (".5", number("1/2")),
        ("a + b", Call("add", (A, B))),
        ("a - b", Call("add", (A, Call("negative", (B,))))),
        ("a * b", Call("multiply", (A, B))),
        ("a / b", Call("divide", (A, B))),
        ("a // b", Call("floor_divide", (A, B))),
        ("a % b", Call("remainder", (A, B))),
        ("-a**b", Call("negative", (Call("power", (A, B)),))),
        ("+a", A),
        ("a > b", Call("greater", (A, B))),
        ("a >= b", Call("greater_equal", (A, B))),
        ("a < b", Call("less", (A, B))),
        ("a <= b", Call("less_equal", (A, B))),
        ("a == b", Call("equal", (A, B))),
        ("a != b", Call("not_equal", (A, B))),
        ("a and b and c", Call("logical_and", (Call("logical_and", (A, B)), C))),
        ("a or b", Call("logical_or", (A, B))),
        ("not a", Call("logical_not", (A,))),
        ("x[a]", Reference("x", (A,))),
        ("x[2*a + b, c]", Reference("x", (Call("add", (Call("multiply", (number(2), A)), B)), C))),
        ("x[a[b], c]", Reference("x", (Reference("a", (B,)), C))),
        ("total(a, b, c)", Reduce("total", ("a", "b"), C)),
        ("largest(a, x[a])", Reduce("largest", ("a",), Reference("x", (A,)))),
        ("maximum(a, b, c)", Call("maximum", (Call("maximum", (A, B)), C))),
        ("where(a, b, c)", Call("where", (A, B, C))),
        ("log1p(a)", Call("log", (Call("add", (number(1), A)),))),
        ("expm1(a)", Call("add", (Call("exp", (A,)), Call("negative", (number(1),))))),
        ("sigmoid(a)", Call("sigmoid", (A,))),
    ],
)
def test_reads_the_notation(text, expected):
    assert read_expression(text, ["sigmoid"]) == expected
    assert read_equation(f"z = {text}", ["sigmoid"]) == Assignment(Reference("z"), expected)


def test_reads_indices_on_the_left_and_what_is_held():
    expected = Assignment(Reference("m", (A,)), Reduce("largest", ("b",), Reference("x", (A, B))))
    assert read_equation("m[a] = largest(b, x[a, b])") == expected
    held = read_equation("m[a] = held(largest(b, x[a, b]))")
    assert held == Assignment(expected.target, expected.value, held=True)


def test_every_function_is_a_scalar_function():
    assert ARITY.keys() >= FUNCTIONS
    assert REDUCTIONS == ("total", "product", "largest", "smallest")


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("", 1, "one equation"),
        ("a + b", 1, "one equation"),
        ("z = a = b", 5, "one '='"),
        ("z += a", 1, "one equation"),
        ("z = a ^ b", 7, "a power is written **"),
        ("z = a; b", 6, "';' is not part"),
        ("z = 'a'", 5, "is not part"),
        ("z = a\ny = b", 6, "is not part"),
        ("z = é", 5, "is not part"),
        ("z = a @ b", 7, "is not part"),
        ("z = (a", 5, "cannot be read"),
        ("z = True", 5, "'True' is not a decimal number"),
        ("z = None", 5, "not a decimal number"),
        ("z = 1j", 5, "not a decimal number"),
        ("z = 0x10", 5, "not a decimal number"),
        ("z = 1_000", 5, "not a decimal number"),
        ("z = 1e400", 5, "beyond the range of float64"),
        ("z = 0." + "1" * 41, 5, "more than 40 digits"),
        ("z = " + "1" * 5000, 4097, "at most 4096"),
        ("z = a**100", 8, "exponent 100"),
        ("z = a**-100", 8, "exponent 100"),
        ("z = a < b < c", 5, "chained"),
        ("z = a is b", 5, "Compare is not part"),
        ("z = a if b else c", 5, "where(condition, a, b)"),
        ("z = (a, b)", 5, "Tuple is not part"),
        ("z = [a]", 5, "List is not part"),
        ("z = a.b", 5, "Attribute is not part"),
        ("z = a[b][c]", 5, "only a name takes indices"),
        ("z = a[()]", 7, "no index"),
        ("z = (a + b)(c)", 5, "only functions are called"),
        ("z = a.real(c)", 5, "only functions are called"),
        ("z = f(*a)", 5, "unknown function 'f'"),
        ("z = exp(*a)", 9, "Starred is not part"),
        ("z = exp(x=a)", 5, "by name"),
        ("z = exp(a, b)", 5, "exp takes 1 arguments, not 2"),
        ("z = sigmoid(a, b)", 5, "sigmoid takes 1 arguments, not 2"),
        ("z = maximum(a)", 5, "two or more"),
        ("z = sgimoid(a)", 5, "did you mean 'sigmoid'?"),
        ("z = copysign(a, b)", 5, "unknown function 'copysign'"),
        ("z = __import__(a)", 5, "unknown function"),
        ("z = a + held(b)", 9, "only around the whole right side"),
        ("z = held(a, b)", 5, "held takes 1 arguments, not 2"),
        ("z = total(a)", 5, "takes indices and then"),
        ("z = total(2, a)", 11, "over indices by name"),
        ("z = total(a, a, b)", 14, "stands twice in total"),
        ("z = exp", 5, "a word of the notation"),
        ("exp = z", 1, "a word of the notation"),
        ("pi = z", 1, "a word of the notation"),
        ("z = _a", 5, "is not a name"),
        ("z = " + "a" * 65, 5, "is not a name"),
        ("z[0] = a", 3, "a bare name"),
        ("z[i, i] = a", 6, "stands twice"),
        ("z.a = b", 1, "the left side is a name"),
        ("(y, z) = b", 1, "the left side is a name"),
    ],
)
def test_refuses_everything_else_with_its_column(text, column, found):
    with pytest.raises(SymbackpropError) as caught:
        read_equation(text, ["sigmoid"])
    assert f"column {column}:" in str(caught.value)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["z = lambda", "z = 1or a", "z = a b", "z = ", "z = a["])
def test_refuses_what_is_no_syntax(text):
    with pytest.raises(SymbackpropError, match=r"column \d+: cannot be read"):
        read_equation(text)


@pytest.mark.parametrize(
    "text",
    [
        "z = " + "(" * 2000 + "a" + ")" * 2000,
        "z = " + "-" * 4000 + "a",
        "z = " + "not " * 1000 + "a",
        "z = " + "exp(" * 70 + "a" + ")" * 70,
        "z = " + "+".join(["a"] * 70),
    ],
)
def test_bounds_depth(text):
    with pytest.raises(SymbackpropError, match=r"deeper|too many nested"):
        read_equation(text)


def test_parentheses_alone_are_no_depth():
    assert read_expression("(" * 60 + "a" + ")" * 60) == A


def test_bounds_the_number_of_parts():
    with pytest.raises(SymbackpropError, match="more than 2000 parts"):
        read_equation("z = x[" + ",".join(["a"] * 1500) + "]")


def test_an_expression_is_no_equation():
    with pytest.raises(SymbackpropError, match="expected one expression"):
        read_expression("z = a")


@given(st.text(alphabet="abxz019 .,+-*/%()[]<>=!\n'_^", max_size=60))
def test_any_text_is_read_or_refused(text):
    message = "column"
    try:
        read_equation(text)
    except SymbackpropError as error:
        message = str(error)
    assert "column" in message
