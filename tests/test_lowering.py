"""The value graph, sums of products, accesses, and the checkers with planted faults."""

from dataclasses import replace

import pytest

from symbackprop import calculus
from symbackprop.api import build
from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Equation,
    Index,
    Remainder,
    Role,
    Term,
    Variable,
)
from symbackprop.errors import SymbackpropError
from symbackprop.lowering.accesses import inside_only, place, read
from symbackprop.lowering.checker import LoweringError, check_program, check_values
from symbackprop.lowering.expressions import add_terms, evaluate
from symbackprop.lowering.lower import Lowering
from symbackprop.lowering.products import Product, combine
from symbackprop.lowering.storage import plan_storage
from symbackprop.lowering.training import training_values
from symbackprop.lowering.values import Labelled, ValueGraph, reachable
from symbackprop.scalar import ONE, Named, Slot, apply, number

N = Index("n", Named("N"), Role.BATCH)
I3, J4, K5 = Index("i", 3), Index("j", 4), Index("k", 5)


def array(symbol, *axes, **kind):
    return Variable(symbol, axes=axes, **kind)


def given(graph, variable, *labels):
    return Labelled(graph.input(variable).value, labels)


# --- the value graph ---


def test_renamed_copies_are_one_value():
    graph = ValueGraph()
    w, x = array("w", I3, J4), array("x", N, J4)
    first = graph.contract([given(graph, w, "i", "j"), given(graph, x, "n", "j")], ["j"])
    count = len(graph.nodes)
    second = graph.contract([given(graph, w, "p", "q"), given(graph, x, "m", "q")], ["q"])
    assert second.value is first.value
    assert second.labels == ("p", "m")
    assert len(graph.nodes) == count


def test_other_permutations_are_other_values():
    graph = ValueGraph()
    square = array("s", I3, I3)
    straight = graph.map("add", given(graph, square, "i", "j"), given(graph, square, "i", "j"))
    turned = graph.map("add", given(graph, square, "i", "j"), given(graph, square, "j", "i"))
    assert straight.value is not turned.value
    assert straight.labels == turned.labels == ("i", "j")


def test_labels_of_a_map_are_the_union_in_order():
    graph = ValueGraph()
    row, matrix = given(graph, array("r", I3), "i"), given(graph, array("m", J4, I3), "j", "i")
    result = graph.map("multiply", row, matrix)
    assert result.labels == ("i", "j")
    assert [axis.extent for axis in result.value.axes] == [3, 4]
    assert result.value.subscripts == ((0,), (1, 0))


def test_truth_values_become_numbers_where_they_must():
    graph = ValueGraph()
    x = given(graph, array("x", I3), "i")
    mask = graph.map("greater", x, graph.leaf("literal", number(0)))
    assert mask.value.boolean
    assert graph.map("multiply", x, mask).value.operands[1] is mask.value
    assert graph.map("multiply", mask, mask).value.operation == "logical_and"
    assert graph.map("add", x, mask).value.operands[1].operation == "number"
    both = graph.contract([mask, mask], ["i"]).value
    assert [operand.operation for operand in both.operands] == ["number", "greater"]


def test_positions_become_numbers_in_arithmetic():
    graph = ValueGraph()
    x, y = given(graph, array("x", N), "n"), given(graph, array("y", N, integer=True), "n")
    assert graph.map("multiply", x, y).value.operands[1].operation == "number"
    assert graph.map("equal", x, y).value.operands[1] is y.value


def test_reachable_stops_where_told():
    graph = ValueGraph()
    x = given(graph, array("x", I3), "i")
    e = graph.map("exp", x)
    s = graph.map("sqrt", e)
    assert reachable([s.value]) == [x.value, e.value, s.value]
    assert reachable([s.value], stop={e.value.number}) == [e.value, s.value]


# --- sums of products ---


def product_of(*factors, below=(), constant=ONE):
    return Product(constant, tuple(factors), tuple(below))


def written(value):
    """Return the value as nested names."""
    if value.operation == "input":
        return value.variable.name
    if value.operation == "literal":
        return str(value.attribute.value)
    return f"{value.operation}({', '.join(map(written, value.operands))})"


def test_factors_without_the_summed_label_leave_the_sum():
    graph = ValueGraph()
    a, b, c = (given(graph, array(s, axis), axis) for s, axis in (("a", I3), ("b", J4), ("c", J4)))
    result = combine(graph, product_of(a, b, c), [J4])
    assert written(result.value) == "multiply(a, contract(b, c))"


def test_two_groups_that_share_a_summed_label_are_contracted():
    graph = ValueGraph()
    w = given(graph, array("w", I3, J4), I3, J4)
    x = given(graph, array("x", N, J4), N, J4)
    g = given(graph, array("g", I3, J4), I3, J4)
    result = combine(graph, product_of(w, x, g), [J4])
    assert written(result.value) == "contract(multiply(w, g), x)"
    assert set(result.labels) == {I3, N}


def test_three_arrays_meet_by_smallest_union():
    graph = ValueGraph()
    a = given(graph, array("a", I3, J4), I3, J4)
    b = given(graph, array("b", J4, K5), J4, K5)
    c = given(graph, array("c", K5), K5)
    result = combine(graph, product_of(a, b, c), [J4, K5])
    assert written(result.value) == "contract(a, contract(b, c))"


def test_a_lone_array_is_summed():
    graph = ValueGraph()
    a = given(graph, array("a", I3, J4), I3, J4)
    assert written(combine(graph, product_of(a), [J4]).value) == "total(a)"


def test_equal_factors_are_squares_and_small_quotients_come_first():
    graph = ValueGraph()
    a, s = given(graph, array("a", I3, J4), I3, J4), given(graph, array("s", I3), I3)
    assert written(combine(graph, product_of(a, a)).value) == "square(a)"
    small = combine(graph, product_of(a, below=[s, s], constant=number(3)))
    assert written(small.value) == "multiply(a, divide(3, square(s)))"


def test_a_sign_joins_the_number_or_leaves_the_product():
    graph = ValueGraph()
    a, b = (given(graph, array(name, I3), I3) for name in "ab")
    assert written(combine(graph, product_of(a, constant=number(-2))).value) == "multiply(a, -2)"
    assert written(combine(graph, product_of(a, constant=number(-1))).value) == "negative(a)"
    third = apply("divide", number(1), number(3))
    combine(graph, product_of(below=[b], constant=third))
    shared = combine(graph, product_of(a, below=[b], constant=apply("negative", third)))
    assert written(shared.value) == "negative(multiply(a, divide(1/3, b)))"


def test_a_quotient_that_is_there_is_read():
    graph = ValueGraph()
    e, d = (given(graph, array(name, N, I3), N, I3) for name in "ed")
    s = given(graph, array("s", N), N)
    assert written(combine(graph, product_of(e, d, below=[s])).value) != "multiply(d, divide(e, s))"
    softmax = combine(graph, product_of(e, below=[s]))
    assert written(softmax.value) == "divide(e, s)"
    direct = combine(graph, product_of(d, e, below=[s, s]), [I3])
    assert written(direct.value) == "divide(contract(d, divide(e, s)), s)"
    within = combine(graph, product_of(graph.map("divide", d, s), e))
    assert written(within.value) == "multiply(d, divide(e, s))"


def test_what_divides_every_term_divides_their_sum():
    graph = ValueGraph()
    a, b, s = (given(graph, array(name, I3), I3) for name in "abs")
    first, second = (graph.map("divide", value, s) for value in (a, b))
    total = add_terms(graph, [(False, graph.map("negative", first)), (False, second)])
    assert written(total.value) == "divide(subtract(b, a), s)"
    assert (
        written(add_terms(graph, [(False, first), (True, b)]).value) == "subtract(divide(a, s), b)"
    )


# --- scalar expressions ---


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (apply("power", Slot(0), number(3)), "multiply(square(a), a)"),
        (apply("power", Slot(0), number("-1/2")), "divide(1, sqrt(a))"),
        (apply("power", Slot(0), number("0.3")), "power(a, 3/10)"),
        (apply("add", apply("negative", Slot(0)), Slot(1)), "subtract(b, a)"),
        (apply("maximum", number(0), Slot(0)), "maximum(a, 0)"),
        (apply("less", number(0), Slot(0)), "greater(a, 0)"),
        (apply("where", apply("less", Slot(0), Slot(1)), ONE, number(0)), "less(a, b)"),
        (apply("where", apply("less", Slot(0), Slot(1)), number(0), ONE), "greater_equal(a, b)"),
    ],
)
def test_expressions(expression, text):
    graph = ValueGraph()
    operands = [given(graph, array("a", I3), I3), given(graph, array("b", I3), I3)]
    assert written(evaluate(graph, expression, operands).value) == text


def test_a_mask_reads_the_rectified_value():
    graph = ValueGraph()
    a = given(graph, array("a", I3), I3)
    relu = evaluate(graph, apply("maximum", number(0), Slot(0)), [a])
    mask = evaluate(graph, apply("greater", Slot(0), number(0)), [a])
    assert mask.value.operands[0] is relu.value


# --- accesses ---


def lowered(graph, variable, *indices, fill=None, others=()):
    values = {v: graph.input(v) for v in (variable, *others)}
    return read(graph, values, Access(variable, indices, fill))


def test_slices():
    graph = ValueGraph()
    x = array("x", N, K5)
    part = lowered(graph, x, N, Affine(((1, I3),), 2))
    assert (part.value.operation, part.value.attribute) == ("slice", (1, 2, 3))
    assert part.labels == (N, I3)
    single = lowered(graph, x, N, Affine((), 4))
    assert (single.value.attribute, single.labels) == ((1, 4, None), (N,))


def test_look_ups():
    graph = ValueGraph()
    p, y = array("p", N, I3), array("y", N, integer=True)
    plain = lowered(graph, p, N, Access(y, (N,)), others=[y])
    assert written(plain.value) == "take(p, y)"
    assert plain.labels == (N,)
    guarded = lowered(graph, p, N, Access(y, (N,)), fill="zero", others=[y])
    assert written(guarded.value) == "where(equal(y, clip(y)), take(p, clip(y)), 0)"
    index, inside = inside_only(graph, given(graph, y, N), 3)
    assert index.value.attribute == 3
    assert inside.value.boolean


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        ((I3, I3), "a diagonal"),
        ((I3, Remainder(J4, 2)), "a remainder alone"),
    ],
)
def test_what_cannot_be_read_is_refused(indices, words):
    with pytest.raises(SymbackpropError, match=words):
        lowered(ValueGraph(), array("s", I3, I3), *indices)


def test_what_cannot_be_written_is_refused():
    y = Access(array("y", N, integer=True), (N,))
    s = array("s", I3, I3)
    with pytest.raises(SymbackpropError, match="two look-ups"):
        place(Access(s, (y, y)))
    half = Affine(((1, Index("h", 2)),), 0)
    with pytest.raises(SymbackpropError, match="a look-up beside an index that moves"):
        place(Access(s, (y, half)))


def term(target, factor, *, excluding=(), assigned=False):
    from symbackprop.equations import Factor

    factors = (Factor(Slot(0), (factor,)),)
    space = tuple(index for index in factor.indices if isinstance(index, Index))
    return Term(target, space, ONE, factors, excluding, assigned)


def adjoint_of(*terms, x, inputs):
    lowering = Lowering()
    for variable in inputs:
        lowering.input(variable)
    return written(lowering.adjoint(Adjoint(x, tuple(terms))).value)


def test_terms_that_skip_a_place():
    """Left out at y[n]: overwritten where a term is assigned there, else set to 0."""
    x, y = array("x", N, I3), array("y", N, integer=True)
    g, h = array("g", N, I3), array("h", N)
    there = Access(y, (N,))
    skips = term(Access(x.bar(), (N, I3)), Access(g, (N, I3)), excluding=((I3, there),))
    everywhere = term(Access(x.bar(), (N, I3)), Access(g, (N, I3)))
    looked_up = term(Access(x.bar(), (N, there)), Access(h, (N,)))
    inputs = (y, g, h)
    alone = replace(looked_up, assigned=True)
    assert adjoint_of(skips, alone, x=x, inputs=inputs) == "put(g, y, h)"
    assert adjoint_of(skips, looked_up, x=x, inputs=inputs) == "add_at(put(g, y, 0), y, h)"
    assert adjoint_of(skips, everywhere, x=x, inputs=inputs) == "add(g, put(g, y, 0))"


def test_slices_side_by_side_are_tiles():
    x, g, h = array("x", K5), array("g", I3), array("h", Index("k", 2))
    first = term(Access(x.bar(), (Affine(((1, I3),)),)), Access(g, (I3,)))
    rest = Index("k", 2)
    second = term(Access(x.bar(), (Affine(((1, rest),), 3),)), Access(h, (rest,)))
    assert adjoint_of(second, first, x=x, inputs=(g, h)) == "tile(g, h)"
    assert adjoint_of(first, second, first, x=x, inputs=(g, h)) == "tile(add(g, g), h)"
    assert adjoint_of(first, x=x, inputs=(g, h)) == "unwindow(g)"
    assert adjoint_of(first, second, second, x=x, inputs=(g, h)) == "tile(g, add(h, h))"


def test_products_of_all_but_one():
    y = Access(array("y", N, integer=True), (N,))
    x = array("x", N, I3)
    target = Access(array("p", N), (N,))
    equation = Equation(target, Slot(0), (Access(x, (N, I3)),), "product", (I3,), ((I3, y),))
    lowering = Lowering()
    lowering.input(x)
    lowering.input(y.variable)
    assert written(lowering.equation(equation).value) == "product(put(x, y, 1))"


# --- the checkers ---


def step_of(text, loss):
    network = build(text, loss=loss)
    heads = [(h, calculus.derive_head(network, h, fused=True)) for h in network.heads]
    training = training_values(network, calculus.derive_layers(network), heads, [])
    return plan_storage(network, training), training


STEPS = [
    ("3-4:tanh-2:sigmoid", "mean_squared_error"),
    ("3-40:gelu-4:softmax", "cross_entropy"),
    ("3-4:gelu-4:softmax", "cross_entropy"),
]


def values_of(text, loss):
    training = step_of(text, loss)[1]
    outputs = [value for section in training.sections for value in section.outputs.values()]
    return reachable([*outputs, *training.last])


def spoiled(values, operation, **change):
    """Return the values with the first one of an operation changed."""
    position = next(k for k, value in enumerate(values) if value.operation == operation)
    return [*values[:position], replace(values[position], **change), *values[position + 1 :]]


def test_what_is_lowered_passes():
    for step in STEPS:
        check_values(values_of(*step))
        program, training = step_of(*step)
        check_program(program, training.last)


@pytest.mark.parametrize(
    ("operation", "change", "words"),
    [
        ("contract", {"number": 0}, "made later"),
        ("contract", {"rank": 9}, "rank exceeds"),
        ("contract", {"subscripts": ((0,), (1, 2))}, "are not its subscript"),
        ("contract", {"subscripts": ((0, 0), (1, 2))}, "one dimension twice"),
        ("contract", {"subscripts": ((0, 7), (1, 2))}, "no dimension"),
        ("contract", {"subscripts": ((0, 2), (1, 2))}, "extents differ"),
        ("contract", {"rank": 3}, "do not fit"),
        ("exp", {"rank": 1}, "do not fit"),
        ("exp", {"boolean": True}, "must come from comparisons"),
    ],
)
def test_faults_in_values_are_found(operation, change, words):
    with pytest.raises(LoweringError, match=words):
        check_values(spoiled(values_of(*STEPS[1]), operation, **change))


def test_truth_values_and_positions_have_their_places():
    graph = ValueGraph()
    x = given(graph, array("x", I3), "i")
    graph.node("exp", [graph.map("greater", x, x)])
    with pytest.raises(LoweringError, match="truth values where"):
        check_values(graph.nodes)
    graph = ValueGraph()
    graph.node("exp", [given(graph, array("y", N, integer=True), "n")])
    with pytest.raises(LoweringError, match="positions where"):
        check_values(graph.nodes)


def moved(program, name, **change):
    buffers = tuple(replace(b, **change) if b.name == name else b for b in program.buffers)
    return replace(program, buffers=buffers)


def statements(program, section, change):
    sections = tuple(
        replace(s, statements=tuple(change(list(s.statements)))) if s.name == section else s
        for s in program.sections
    )
    return replace(program, sections=sections)


@pytest.mark.parametrize("step", STEPS)
def test_every_dropped_statement_is_found(step):
    program, training = step_of(*step)
    for section in program.sections:
        for k in range(len(section.statements)):
            wrong = statements(program, section.name, lambda s, k=k: s[:k] + s[k + 1 :])
            with pytest.raises(LoweringError):
                check_program(wrong, training.last)


@pytest.mark.parametrize("step", STEPS)
def test_every_shared_place_is_found(step):
    """Arrays laid over one that is alive are refused; where lives are apart they may."""
    program, training = step_of(*step)
    refused = 0
    buffers = [b for b in program.buffers if b.kind == "float"]
    for buffer in buffers:
        for other in buffers:
            if buffer.name == other.name or buffer.batched != other.batched:
                continue
            wrong = moved(program, buffer.name, offset=other.offset)
            try:
                check_program(wrong, training.last)
            except LoweringError:
                refused += 1
    assert refused > len(buffers)


def test_faults_in_the_plan_are_found():
    program, training = step_of(*STEPS[0])
    after = training.last
    ones = next(buffer for buffer in program.buffers if buffer.ones)
    other = next(b for b in program.buffers if b.batched and b.kind == "float" and not b.ones)
    with pytest.raises(LoweringError):
        check_program(moved(program, other.name, offset=ones.offset), after)
    over = ones.offset + ones.per_sample - 1
    with pytest.raises(LoweringError, match=r"ones|not there|where it reads"):
        check_program(moved(program, other.name, offset=over), after)
    for section in program.sections:
        swapped = statements(program, section.name, lambda s: s[::-1])
        if len(section.statements) > 1:
            with pytest.raises(LoweringError):
                check_program(swapped, after)


def test_writing_where_a_product_reads_is_found():
    program, training = step_of(*STEPS[1])
    buffers = {buffer.name: buffer for buffer in program.buffers}
    backward = next(s for s in program.sections if s.name == "backward")
    products = [
        (s, program.names.get(("backward", o.number), program.names.get(("forward", o.number))))
        for s in backward.statements
        if s.operation == "contract" and s.target in buffers
        for o in s.value.operands
        if o.operation != "input"
    ]
    for statement, name in products:
        wrong = moved(program, statement.target, offset=buffers[name].offset)
        with pytest.raises(LoweringError):
            check_program(wrong, training.last)
