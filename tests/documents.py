"""Documents made by hand, for the tests of the writers."""

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
    listed,
    row,
)

EQUALS, PLUS, MINUS = Operator("=", "relation"), Operator("+"), Operator("−")
TIMES_SIGN, PARTIAL = Operator(TIMES), Operator("∂", "prefix")
UNIT, J, K, LOSS = Symbol("i"), Symbol("j"), Symbol("k"), Symbol("L")


def number(value: object) -> Math:
    return Numeral(str(value))


def indexed(letter: str, below: Math, layer: int | None = None) -> Math:
    above = None if layer is None else Fenced("(", number(layer), ")")
    return Script(Symbol(letter), below, above)


def guess(below: Math) -> Math:
    return Script(Accent(Symbol("y"), "hat"), below)


def partial(of: Math, by: Math) -> Math:
    return Fraction(row(PARTIAL, of), row(PARTIAL, by))


def times(*factors: Math) -> Math:
    return row(*[part for factor in factors for part in (TIMES_SIGN, factor)][1:])


def called(function: Math, *arguments: Math) -> Math:
    return row(function, Operator(APPLICATION), Fenced("(", listed(*arguments), ")"))


def total(index: Math, layer: int, body: Math) -> Math:
    limit = Script(Symbol("n"), number(layer))
    return row(Large("Σ", row(index, EQUALS, number(1)), limit), body)


def ranges(*pairs: tuple[Math, int]) -> Math:
    dots = Operator("…", "plain")
    return listed(
        *[
            row(index, EQUALS, listed(number(1), dots, Script(Symbol("n"), number(layer))))
            for index, layer in pairs
        ]
    )


W3 = indexed("w", row(UNIT, J), 3)
H2 = indexed("h", J, 2)
Z3 = indexed("z", UNIT, 3)
SLOPE = row(
    Script(Symbol("f"), number(3), Operator(PRIME, "plain")),
    Operator(APPLICATION),
    Fenced("(", Z3, ")"),
)
RESIDUAL = Fenced("(", row(guess(UNIT), MINUS, indexed("y", UNIT)), ")")

FORWARD = Display(
    (
        Line(
            guess(UNIT),
            called(
                Script(Symbol("f"), number(3)),
                row(total(J, 2, times(W3, H2)), PLUS, indexed("b", UNIT, 3)),
            ),
            condition=ranges((UNIT, 3)),
        ),
        Line(
            LOSS,
            total(
                UNIT,
                3,
                Script(
                    Fenced("(", row(indexed("y", UNIT), MINUS, guess(UNIT)), ")"), None, number(2)
                ),
            ),
        ),
    ),
    "forward",
    (CodeLines("forward", 2, 3),),
)
WEIGHTS = Display(
    (
        Line(
            partial(LOSS, W3),
            times(partial(LOSS, guess(UNIT)), partial(guess(UNIT), W3)),
            rule="chain rule",
            condition=ranges((UNIT, 3), (J, 2)),
        ),
        Line(
            None,
            times(number(2), RESIDUAL, SLOPE, H2),
            rule="local partials",
            reason=("of ", Link("the forward equations", "forward")),
        ),
    ),
    "weights",
    (CodeLines("backward", 5, 6), CodeLines("loss_and_gradients", 8, 8)),
)
HIDDEN = Display(
    (
        Line(
            partial(LOSS, H2),
            total(UNIT, 3, times(partial(LOSS, guess(UNIT)), partial(guess(UNIT), H2))),
            condition=ranges((J, 2)),
            rule="total derivative",
            reason=("unit ", J, " of layer 2 feeds every unit of layer 3"),
        ),
        Line(None, total(UNIT, 3, times(number(2), RESIDUAL, SLOPE, W3))),
    ),
    "hidden",
    absorbed=Link("the weights of layer 3", "weights"),
)
DELTA = indexed("δ", row(UNIT, K))
SOFTMAX = Display(
    (
        Line(
            partial(indexed("p", UNIT), indexed("z", K)),
            times(indexed("p", UNIT), Fenced("(", row(DELTA, MINUS, indexed("p", K)), ")")),
            condition=ranges((UNIT, 3), (K, 3)),
            rule="local partial",
        ),
        Line(
            row(
                Script(Symbol("f"), number(1), Operator(PRIME, "plain")),
                Operator(APPLICATION),
                Fenced("(", Symbol("z"), ")"),
            ),
            Cases(
                (
                    (number(0), row(Symbol("z"), Operator("≤", "relation"), number(0))),
                    (number(1), None),
                )
            ),
        ),
        Line(
            Symbol("g"),
            row(
                Fraction(number(1), number(2)),
                TIMES_SIGN,
                Fenced(
                    "(",
                    row(
                        number(1),
                        PLUS,
                        called(Symbol("erf", "upright"), Fraction(Symbol("z"), Root(number(2)))),
                    ),
                    ")",
                ),
            ),
        ),
    ),
    "softmax",
)
BOLD = {letter: Symbol(letter, "bold") for letter in "WZAγ"}
MATRIX = Display(
    (
        Line(
            partial(LOSS, BOLD["W"]),
            row(
                Script(BOLD["A"], None, Operator("⊤", "plain")),
                Fenced("(", row(partial(LOSS, BOLD["Z"]), Operator("⊙"), BOLD["γ"]), ")"),
            ),
            shape=row(number(4), Operator("×"), number(2)),
            rule="matrix form",
        ),
    ),
    "matrix",
)
CODE = """def forward(params, x):
    # z1[n, i] = Σ_j W1[j, i] x[n, j] + b1[i]
    z1 = x @ params["W1"] + params["b1"]
def backward(params, cache, d_output):
    # ∂L/∂z, it's `quoted` {braced} \\\\ and 100% $5 #1 & a_b^c~d
    return {"W1": x.T @ dz}

def loss_and_gradients(params, x, y): pass
# LONG
""".replace("LONG", "x" * 86)
NETWORK = Diagram(
    tuple(
        Node(Symbol(letter), label, "forward", "hidden")
        for letter, label in [("x", "input"), ("h", "layer 1, sigmoid"), ("y", "output")]
    ),
    (
        Arrow(0, 1, Symbol("h"), partial(LOSS, Symbol("h")), "forward", "hidden"),
        Arrow(1, 2, Symbol("y"), partial(LOSS, Symbol("y")), "forward", "weights"),
        Arrow(0, 2, Symbol("x"), None),
    ),
    "The network: forward above, backward beneath",
)
SAMPLE = Document(
    "The tutorial’s network, 3–4–2–2",
    ("Every partial derivative of ", LOSS, ", from the equations of one unit."),
    (
        Section(
            ("The network",),
            "network",
            (
                NETWORK,
                Table(
                    (("layer",), ("kind",), ("output",)),
                    (
                        (("1",), (Code("dense"), ", sigmoid"), (row(number(4)),)),
                        (
                            ("2",),
                            (Code("dense"), ", identity: " + "a long remark " * 8),
                            (number(2),),
                        ),
                    ),
                ),
            ),
        ),
        Section(
            ("Forward",),
            "equations",
            (
                Paragraph(
                    (
                        "Unit ",
                        UNIT,
                        " of layer 3 reads all of layer 2.",
                    )
                ),
                FORWARD,
            ),
        ),
        Section(("Backward",), "backward", (), 1),
        Section(
            ("Layer 3: ", partial(LOSS, W3)),
            "layer-3",
            (
                Paragraph(("The weights come first; see ", Link(LOSS, "forward"), " above.")),
                WEIGHTS,
                HIDDEN,
            ),
            2,
        ),
        Section(("Famous forms",), "famous", (SOFTMAX, MATRIX), 2),
        Section(("The module",), "module", (Listing(CODE, "module.py"),)),
    ),
)
