"""A hand-made document with everything that a page can hold."""

from __future__ import annotations

from symbackprop.render.document import (
    Arrow,
    Code,
    CodeLines,
    Diagram,
    Display,
    Document,
    Line,
    Link,
    Listing,
    Node,
    Paragraph,
    Section,
    Table,
)
from symbackprop.render.typeset import (
    APPLICATION,
    PRIME,
    TIMES,
    Accent,
    Cases,
    Fenced,
    Fraction,
    Large,
    Math,
    Numeral,
    Operator,
    Root,
    Script,
    Symbol,
    Words,
    listed,
    row,
)

SOURCE = '''"""Two
lines & <more>."""
def forward(params, x):
    # z2[n, i] = Σ_j W2[j, i] a1[n, j] + b2[i]
    z2 = x @ params["W2"] + params["b2"]
    a2 = np.maximum(0, z2)
    return a2


def backward(params, cache, d_output):
    dz2 = np.where(cache["z2"] > 0, d_output, 0)
    dW2 = cache["x"].T @ dz2
    db2 = dz2.sum(axis=0)
    return {"W2": dW2, "b2": db2}
'''
COST, UNIT, FROM, ANY = (Symbol(letter) for letter in "Lijk")
EQUALS, DOT, PLUS, MINUS = (
    Operator("=", "relation"),
    Operator("·"),
    Operator("+"),
    Operator("−"),
)
PARTIAL = Operator("∂", "plain")
Y_HAT = Accent(Symbol("y"), "hat")
TIMES_SIGN = Operator(TIMES, "plain")
APPLY = Operator(APPLICATION, "plain")


def partial(above: Math, below: Math) -> Math:
    return Fraction(row(PARTIAL, above), row(PARTIAL, below))


def at(letter: str, layer: int, *indices: Math) -> Math:
    above = Fenced("(", Numeral(str(layer)), ")")
    return Script(Symbol(letter), row(*indices) if indices else None, above)


def hat(*indices: Math) -> Math:
    return Script(Y_HAT, row(*indices))


def call(function: Math, argument: Math) -> Math:
    return row(function, APPLY, Fenced("(", argument, ")"))


def total(index: Math, last: Math, *body: Math) -> Math:
    return row(Large("Σ", row(index, EQUALS, Numeral("1")), last), *body)


def ranges(index: Math, count: Math) -> Math:
    return row(index, EQUALS, listed(Numeral("1"), Operator("…", "plain"), count))


def size(layer: int) -> Math:
    return Script(Symbol("n"), Numeral(str(layer)))


def forward(layer: int) -> Display:
    weighted = total(
        FROM, size(layer - 1), at("w", layer, UNIT, FROM), TIMES_SIGN, at("a", layer - 1, FROM)
    )
    function = Script(Symbol("f", "upright"), Numeral(str(layer)))
    return Display(
        (
            Line(
                at("z", layer, UNIT),
                row(weighted, PLUS, at("b", layer, UNIT)),
                condition=ranges(UNIT, size(layer)),
            ),
            Line(at("a", layer, UNIT), call(function, at("z", layer, UNIT))),
        ),
        f"layer-{layer}",
        (CodeLines("forward", 2 + layer, 3 + layer),),
    )


def gradient() -> Display:
    weight = at("w", 3, UNIT, FROM)
    chain = row(partial(COST, hat(UNIT)), DOT, partial(hat(UNIT), at("z", 3, UNIT)), DOT)
    primed = Script(Symbol("f", "upright"), Numeral("3"), Operator(PRIME, "plain"))
    error = row(MINUS_SIGN, Numeral("2"), TIMES_SIGN, DIFFERENCE)
    return Display(
        (
            Line(
                partial(COST, weight),
                row(chain, partial(at("z", 3, UNIT), weight)),
                condition=row(
                    ranges(UNIT, size(3)), Operator(";", "punctuation"), ranges(FROM, size(2))
                ),
                rule="chain rule",
                reason=("only ", hat(UNIT), " depends on ", weight),
            ),
            Line(
                None,
                row(error, DOT, call(primed, at("z", 3, UNIT)), DOT, at("a", 2, FROM)),
                rule="local partials",
                reason=("by ", Link("the loss", "loss"), " and ", Code("f")),
            ),
        ),
        "weights-3",
        (CodeLines("backward", 10, 13),),
    )


MINUS_SIGN = Operator("−", "prefix")
DIFFERENCE = Fenced("(", row(Script(Symbol("y"), UNIT), MINUS, hat(UNIT)), ")")


def loss() -> Display:
    squared = Script(DIFFERENCE, None, Numeral("2"))
    return Display(
        (
            Line(COST, total(UNIT, size(3), squared), rule="definition"),
            Line(
                partial(COST, hat(UNIT)),
                row(MINUS_SIGN, Numeral("2"), TIMES_SIGN, DIFFERENCE),
                condition=ranges(UNIT, size(3)),
                rule="local partial",
            ),
        ),
        "loss",
    )


def softmax() -> Display:
    p, delta = Symbol("p"), Script(Symbol("δ"), row(UNIT, FROM))
    z = Symbol("z")
    peak = row(Large("max", ANY), Script(z, ANY))
    exponent = Fenced("(", row(Script(z, UNIT), MINUS, peak), ")")
    below = row(Large("Σ", ANY), call(Symbol("exp", "upright"), Script(z, ANY)))
    bracket = Fenced("(", row(delta, MINUS, Script(p, FROM)), ")")
    return Display(
        (
            Line(
                Script(p, UNIT),
                Fraction(row(Symbol("exp", "upright"), APPLY, exponent), below),
                condition=ranges(UNIT, Symbol("C")),
            ),
            Line(
                partial(Script(p, UNIT), Script(z, FROM)),
                row(Script(p, UNIT), TIMES_SIGN, bracket),
                rule="quotient rule",
            ),
        ),
        "softmax",
        absorbed=Link(row(partial(COST, Script(Symbol("z"), FROM))), "weights-3"),
    )


def branches() -> Display:
    z, slope = Symbol("z"), Symbol("slope", "word")
    return Display(
        (
            Line(
                call(Symbol("f", "upright"), z),
                Cases(
                    (
                        (z, row(z, Operator(">", "relation"), Numeral("0"))),
                        (row(slope, TIMES_SIGN, z), None),
                    )
                ),
                rule="definition",
            ),
            Line(
                Symbol("g"),
                row(
                    Root(row(Script(z, None, Numeral("2")), PLUS, Symbol("ε"))),
                    PLUS,
                    Symbol("log", "upright"),
                    APPLY,
                    Script(Accent(Symbol("σ"), "bar"), None, Numeral("2")),
                    Words(" for all "),
                    z,
                ),
            ),
        )
    )


def long() -> Display:
    terms = [
        row(at("w", 2, Numeral(str(k)), FROM), TIMES_SIGN, Script(Symbol("δ"), Numeral(str(k))))
        for k in range(1, 13)
    ]
    pieces = [piece for term in terms for piece in (PLUS, term)]
    primed = Script(Symbol("f", "upright"), Numeral("2"), Operator(PRIME, "plain"))
    inner = Fenced("(", row(*pieces[1:8]), ")")
    return Display(
        (
            Line(
                partial(COST, at("a", 1, FROM)),
                row(*pieces[1:]),
                condition=ranges(FROM, size(1)),
                rule="total derivative",
                reason=("every unit of the next layer reads ", at("a", 1, FROM)),
            ),
            Line(None, row(call(primed, at("z", 2, UNIT)), DOT, inner), relation="≈"),
        ),
        "long-sum",
    )


def matrices() -> Display:
    top = Operator("⊤", "plain")
    W, delta, A, Z = (Symbol(letter, "bold") for letter in "WδAZ")
    weights, errors = Script(W, Numeral("3")), Script(delta, Numeral("3"))
    primed = Script(Symbol("f", "upright"), Numeral("2"), Operator(PRIME, "plain"))
    shape = row(Symbol("N"), Operator("×"), size(2))
    return Display(
        (
            Line(
                Script(delta, Numeral("2")),
                row(
                    errors,
                    TIMES_SIGN,
                    Script(W, Numeral("3"), top),
                    Operator("⊙"),
                    call(primed, Script(Z, Numeral("2"))),
                ),
                shape=row(Operator("∈", "relation"), Script(Symbol("ℝ", "upright"), None, shape)),
                rule="matrix form",
            ),
            Line(
                partial(COST, weights),
                row(Script(A, Numeral("2"), top), TIMES_SIGN, errors),
            ),
        ),
        "matrix",
        (CodeLines("backward", 11, 11), CodeLines("loss_and_gradients", 13, 14)),
    )


def chain(layers: int) -> Diagram:
    """x, then z and a of every layer, then L, which reads y as well."""
    symbols = [(Symbol("x"), "input")]
    for layer in range(1, layers + 1):
        symbols.append((Script(Symbol("a"), Numeral(str(layer))), f"layer {layer} (dense, relu)"))
    symbols += [(Symbol("y"), "target"), (COST, "squared error")]
    nodes = tuple(
        Node(symbol, label, "layer-2" if place == 2 else "", "weights-3" if place == 3 else "")
        for place, (symbol, label) in enumerate(symbols)
    )
    last = len(nodes) - 1
    arrows = [
        Arrow(place, place + 1, symbol, partial(COST, symbol), "layer-2", "loss")
        for place, (symbol, _) in enumerate(symbols[:layers])
    ]
    arrows.append(Arrow(layers, last, symbols[layers][0], partial(COST, symbols[layers][0])))
    arrows.append(Arrow(layers + 1, last, Symbol("y"), None))
    return Diagram(nodes, tuple(arrows), f"A chain of {layers} layers from x to L")


def document(layers: int = 3) -> Document:
    listing = Listing(SOURCE, "network.py")
    table = Table(
        (("Symbol",), ("Meaning",), ("Shape",)),
        (
            ((at("w", 3, UNIT, FROM),), ("a weight of unit ", UNIT), (Code("(4, 2)"),)),
            ((Y_HAT,), ("the network's output",), (Code("(N, 2)"),)),
        ),
    )
    return Document(
        "Backpropagation through a 3-4-2-2 network",
        ("Every gradient of ", COST, ", from the last layer to the first."),
        (
            Section(
                ("The network",),
                "network",
                (
                    Paragraph(("Unit ", UNIT, " computes ", at("a", 1, UNIT), ", as follows.")),
                    chain(layers),
                    table,
                    forward(2),
                    forward(3),
                ),
            ),
            Section(("The loss ", COST), "the-loss", (loss(), softmax())),
            Section(
                ("Backward",), "backward", (Paragraph(("From the last layer to the first.",)),)
            ),
            Section(("Layer 3",), "backward-3", (gradient(), branches()), 2),
            Section(("Layer 2",), "backward-2", (long(), matrices()), 2),
            Section(("The code",), "code", (listing,)),
        ),
    )
