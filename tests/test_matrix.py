"""The matrix form: run by NumPy, it gives what the per-unit equations give, run by loops."""

from dataclasses import replace

import pytest
from matrix_run import Case, MismatchError

from symbackprop.build import build_network
from symbackprop.calculus import derive_head, derive_layers, derive_network
from symbackprop.calculus.derive import derive
from symbackprop.catalog import CATALOG
from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Derivation,
    Equation,
    Factor,
    Index,
    Role,
    Term,
    Variable,
)
from symbackprop.network import BATCH
from symbackprop.notation import load
from symbackprop.notation.toml import read_toml
from symbackprop.render.matrices import (
    Array,
    Constant,
    Elementwise,
    MatMul,
    Ones,
    SquaredNorm,
    Transpose,
    shape,
)
from symbackprop.render.matrix import LAYOUTS, made_variables, matrix_adjoint, matrix_equation
from symbackprop.scalar import ONE, ZERO, Apply, Slot, number

SIZES = [(5, 3, 4), (1, 1, 1), (2, 4, 1), (1, 3, 2), (3, 1, 2)]
# Losses of which one equation or adjoint has no matrix form, and why.
WITHOUT = {"gaussian_nll": "means and log-variances are slices of the output"}
each_layout = pytest.mark.parametrize("layout", LAYOUTS)


def batches(layout):
    """Sizes of batch, input and output; one sample is what its layout is for."""
    return [(1, *s[1:]) for s in SIZES] if layout == "sample" else SIZES


def layer_equations(network):
    return [e for layer in network.layers for e in (*layer.equations, *layer.activation)]


def written(network):
    """The layers derived as they are written, without stable forms."""
    wrt = [network.input, *(p.variable for p in network.parameters)]
    return derive(layer_equations(network), [network.output], wrt)


def shown(network):
    """The layers as documents show them: between named variables, in closed forms."""
    book = derive_network(network).textbook
    totals = [
        replace(total, shares=tuple(book.closed.get(share, share) for share in total.shares))
        for total in book.totals
    ]
    return Derivation(tuple(layer_equations(network)), tuple(total.adjoint for total in totals))


@each_layout
@pytest.mark.parametrize("way", [written, derive_layers, shown])
@pytest.mark.parametrize("activation", CATALOG.activations)
def test_every_activation(activation, way, layout):
    for batch, inputs, units in batches(layout):
        network = build_network(load(f"{inputs}-{units}:{activation}-3"))
        case = Case(way(network), [network.output], {"N": batch}, units)
        assert not case.missing(layout)


def network_of(units, loss, options="", activation="identity"):
    return build_network(
        read_toml(
            f'spec = 1\n[network]\ninput = [3]\nloss = {{ name = "{loss}"{options} }}\n'
            f'[[layer]]\ntype = "dense"\nunits = {units}\nactivation = "{activation}"\n',
            "a.toml",
        )
    )


def head_derivations(network):
    for head in network.heads:
        yield head, derive(head.equations, [head.cost], [network.output])
        yield head, derive_head(network, head, fused=False)


@each_layout
@pytest.mark.parametrize("loss", CATALOG.losses)
def test_every_loss(loss, layout):
    for batch, _, units in batches(layout):
        outputs = 2 * units if loss == "gaussian_nll" else units
        for head, derivation in head_derivations(network_of(outputs, loss)):
            missing = Case(derivation, [head.cost], {"N": batch}, units).missing(layout)
            assert bool(missing) == (loss in WITHOUT)


@each_layout
@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("cross_entropy", ", label_smoothing = 0.1, ignore_index = 0, weight = [1, 2, 0.5, 4]"),
        ("cross_entropy_with_logits", ", label_smoothing = 0.2, weight = [1, 2, 0.5, 4]"),
        ("nll", ", ignore_index = 2, weight = [1, 2, 0.5, 4]"),
        ("binary_cross_entropy", ", pos_weight = 2.5"),
    ],
)
def test_options_of_losses(loss, options, layout):
    batch = 1 if layout == "sample" else 6
    for head, derivation in head_derivations(network_of(4, loss, options)):
        assert not Case(derivation, [head.cost], {"N": batch}, 3).missing(layout)


@each_layout
@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        ("cross_entropy", "softmax"),
        ("nll", "log_softmax"),
        ("binary_cross_entropy", "sigmoid"),
        ("cross_entropy_with_logits", "identity"),
    ],
)
def test_what_losses_collapse_to(loss, activation, layout):
    network = network_of(4, loss, activation=activation)
    for fused in derive_network(network).heads:
        assert not Case(fused, [network.heads[0].cost], {"N": 1}, 3).missing(layout)
    for loss_shown in derive_network(network).textbook.losses:
        for step in loss_shown.collapse:
            collapsed = Derivation(tuple(layer_equations(network)), step.after)
            assert not Case(collapsed, [], {"N": 1}, 3).missing(layout)


N, T = Index("n", BATCH, Role.BATCH), Index("t", 2, Role.TIME)
K, J = Index("i", 3), Index("j", 4)
X, Y, Z = Variable("x", axes=(N, J)), Variable("y", axes=(N, K)), Variable("z", axes=(N, T, K))
SQUARE = Variable("q", axes=(K, K))
SUM, PRODUCT = Apply("add", (Slot(0), Slot(1))), Apply("multiply", (Slot(0), Slot(1)))


def plain(target, function, *operands, **fields):
    return Equation(target, function, operands, **fields)


@pytest.mark.parametrize(
    "equation",
    [
        plain(Access(Z, (N, T, K)), Slot(0), Access(Y, (N, K))),
        plain(Access(Y, (N, K)), Slot(0), Access(X, (N, K))),
        plain(Access(Y, (N, K)), Slot(0), Access(X, (N, Affine(((1, K),), 1)))),
        plain(Access(Y, (N, K)), PRODUCT, Access(Y, (N, K)), K),
        plain(Access(Variable("d", axes=(K,)), (K,)), Slot(0), Access(SQUARE, (K, K))),
        plain(Access(Y, (N, K)), SUM, Access(Y, (N, K)), Access(X, (N, J)), reduction="largest",
              reduced=(J,)),
        plain(Access(Variable("p"), ()), Slot(0), Access(X, (N, J)), reduction="largest",
              reduced=(N, J)),
        plain(Access(Variable("p", axes=(N,)), (N,)), Slot(0), Access(X, (N, J)),
              reduction="product", reduced=(J,)),
        plain(Access(Variable("p", axes=(N,)), (N,)), Slot(0), Access(X, (N, J)),
              reduction="total", reduced=(J,), excluding=((J, Affine((), 1)),)),
    ],
    ids=["three axes", "slice", "shift", "index", "diagonal", "joint", "two", "product", "but one"],
)  # fmt: skip
def test_what_has_no_form(equation):
    assert matrix_equation(equation, {}, "rows") is None
    assert matrix_equation(equation, {}, "columns") is None


def test_three_axes_of_one_sample_are_two():
    source = Variable("x", axes=(N, T, J))
    weights, bias = Variable("W", axes=(J, K)), Variable("b", axes=(K,))
    product = Equation(
        Access(Variable("_t", axes=(N, T, K)), (N, T, K)),
        PRODUCT,
        (Access(weights, (J, K)), Access(source, (N, T, J))),
        "total",
        (J,),
    )
    sum_ = plain(Access(Z, (N, T, K)), SUM, product.target, Access(bias, (K,)))
    made = made_variables([product])
    assert matrix_equation(sum_, made, "rows") is None
    form = matrix_equation(sum_, made, "sample")
    assert text(form) == "z = W x + b 1'"
    assert shape(form.target) == (3, 2)


def test_an_adjoint_that_is_scattered_or_empty():
    index = Access(Y.bar(), (N, Affine(((1, T),), 1)))
    term = Term(index, (N, T), ONE, (Factor(Slot(0), (Access(Z, (N, T, K)),)),))
    assert matrix_adjoint(Adjoint(Y, (term,)), {}, "rows") is None
    form = matrix_adjoint(Adjoint(Y, ()), {}, "rows")
    assert form.right == Elementwise(
        "multiply", (Constant(ZERO), MatMul((Ones(BATCH), Transpose(Ones(3)))))
    )


def text(form):
    """A form as a line of text."""
    return f"{_text(form.target)} = {_text(form.right)}"


def _text(matrix):
    rules = {
        Array: lambda: matrix.variable.name,
        Ones: lambda: "1",
        Constant: lambda: str(getattr(matrix.value, "value", "c")),
        Transpose: lambda: f"{_text(matrix.operand)}'",
        MatMul: lambda: " ".join(_text(factor) for factor in matrix.factors),
        SquaredNorm: lambda: f"SquaredNorm[{_text(matrix.operand)}]",
    }
    if type(matrix) in rules:
        return rules[type(matrix)]()
    parts = [_text(operand) for operand in matrix.operands]
    sign = {"add": " + ", "multiply": " * ", "divide": " / "}.get(matrix.function)
    return sign.join(parts) if sign else f"{matrix.function}({', '.join(parts)})"


TUTORIAL = {
    "rows": """
        z1 = x W1 + 1 b1'
        a1 = f_1(z1)
        a2 = f_2(z2)
        dz2 = da2 * f_2'(z2)
        db2 = dz2' 1
        dW2 = a1' dz2
        da1 = dz2 W2'
        dx = dz1 W1'
        L = c * SquaredNorm[a2 + negative(y)]
        da2 = c * a2 + negative(y)""",
    "columns": """
        z1 = W1 x + b1 1'
        dz2 = da2 * f_2'(z2)
        db2 = dz2 1
        dW2 = dz2 a1'
        da1 = W2' dz2
        dx = W1' dz1
        L = c * SquaredNorm[a2 + negative(y)]""",
    "sample": """
        z1 = W1 x + b1
        a1 = f_1(z1)
        dz2 = da2 * f_2'(z2)
        db2 = dz2
        dW2 = dz2 a1'
        da1 = W2' dz2
        L = SquaredNorm[a2 + negative(y)]
        da2 = 2 * a2 + negative(y)""",
}


@each_layout
def test_the_tutorials_matrix_form(layout):
    architecture = load("n_0-n_1:f_1-n_2:f_2")
    loss = replace(read_toml(
        'spec = 1\n[network]\ninput = [2]\nloss = "squared_error"\n'
        '[[layer]]\ntype = "dense"\nunits = 1\n', "a.toml").loss)  # fmt: skip
    network = build_network(replace(architecture, loss=loss))
    head = network.heads[0]
    found = []
    for derivation in (written(network), derive(head.equations, [head.cost], [network.output])):
        made = made_variables(derivation.equations, derivation.adjoints)
        found += [matrix_equation(e, made, layout) for e in derivation.equations]
        found += [matrix_adjoint(a, made, layout) for a in derivation.adjoints]
    lines = [text(form) for form in found]
    for line in TUTORIAL[layout].split("\n")[1:]:
        assert line.strip() in lines


def damaged(matrix):
    """Yield the formula with one fault: a sign, a transpose, an order, a factor, a number."""
    if isinstance(matrix, Transpose):
        yield matrix.operand
    elif isinstance(matrix, Constant):
        yield Constant(Apply("add", (matrix.value, number("0.001"))))
    elif isinstance(matrix, MatMul):
        yield MatMul(matrix.factors[::-1])
        yield MatMul(tuple(Transpose(factor) for factor in matrix.factors))
    elif isinstance(matrix, Elementwise):
        yield Elementwise("negative", (matrix,))
        if matrix.function == "negative":
            yield matrix.operands[0]
        if len(matrix.operands) == 2:
            yield from matrix.operands
            yield Elementwise("maximum", matrix.operands)
    inner = {"factors", "operands"} & set(type(matrix).__dataclass_fields__)
    for name in inner:
        parts = getattr(matrix, name)
        for place, part in enumerate(parts):
            for bad in damaged(part):
                yield replace(matrix, **{name: (*parts[:place], bad, *parts[place + 1 :])})
    if isinstance(matrix, Transpose):
        for bad in damaged(matrix.operand):
            yield Transpose(bad)


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_planted_faults_are_found(layout):
    """Sizes are equal, so that shapes alone do not tell."""
    network = build_network(load("3-3:log_sigmoid-3:softmax"))
    case = Case(written(network), [network.output], {"N": 3}, 3)
    count = 0
    for variable, form in case.forms(layout):
        assert form is not None, variable
        case.check(form, layout)
        for bad in damaged(form.right):
            with pytest.raises((MismatchError, AssertionError)):
                case.check(replace(form, right=bad), layout)
            count += 1
    assert count > 80


def test_faults_are_found_by_numbers_where_shapes_agree():
    """A square W whose transpose is missing has the right shape and the wrong numbers."""
    network = build_network(load("3-3:log_sigmoid-3:softmax"))
    case = Case(written(network), [network.output], {"N": 3}, 3)
    forms = {variable.name: form for variable, form in case.forms("rows")}
    backward = forms["dx"]
    slope, weights = backward.right.factors
    assert isinstance(weights, Transpose)
    with pytest.raises(MismatchError):
        case.check(replace(backward, right=MatMul((slope, weights.operand))), "rows")
