r"""What a formula says: a tree of typed, frozen nodes, and the statements of a document.

Nothing here knows LaTeX or shapes. A reader resolves every question of notation (is ``f(x)`` an
application, is ``^{(3)}`` a label) before it builds these nodes; what it cannot settle it gives as
several trees. Three worked examples, as the reader builds them:

``\frac{\partial L}{\partial w^{(3)}_{ij}}
= \frac{\partial L}{\partial \hat{y}_i} f_3'(z_i) h_{2j}`` is a chain of two members.
The left one is ``Derivative(L, (w,))`` with ``w = Access("w", labels=(Label("", 3, "round"),),
indices=(i, j))``; the right one is a `Product` of three factors joined by
`ADJACENT`: ``Derivative(L, (Access("y", accents=("hat",), indices=(i,)),))``,
``Apply(Access("f", labels=(Label("", 3, "below"),)), (z_i,), primes=1)`` and
``Access("h", labels=(Label("", 2, "below"),), indices=(j,))``.

``\frac{\partial L}{\partial W} = X^T \delta`` has the right side ``Product((Transpose(X), delta),
(ADJACENT,))``: whether that is a product of matrices or of numbers is left to whoever knows shapes.

``\frac{\partial p_i}{\partial z_j} = \begin{cases} p_i (1 - p_i) & i = j \\ -p_i p_j & i \neq j
\end{cases}`` has the right side ``Cases((Branch(Product(…), Comparison("=", i, j)),
Branch(Negate(…), Comparison("!=", i, j))))``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from symbackprop.auditing.formulas.nodes import (
    Node,
    at_path,
    children,
    replaced,
    rewritten,
    with_children,
    within,
)

# How two neighbouring factors are joined, as written. Only HADAMARD and MATRIX say which product.
ADJACENT, DOT, CROSS, STAR = "", "·", "×", "*"
HADAMARD, MATRIX, OUTER = "⊙", "@", "⊗"


# How an element is set that bears the small letter of its matrix: it is printed as written.
SMALL = "small"
# A name, with accents and primes; how many labels and how many indices it bears.
Family = tuple[tuple[str, tuple[str, ...], int], int, int]


@dataclass(frozen=True, slots=True)
class Label:
    """A mark that tells quantities of one name apart: a layer, a sample, a word.

    Attributes:
        base: The letter or word, empty for a number: ``l`` of ``W^{(l+1)}``, ``new`` of
            ``w_{new}``.
        shift: What is added to the letter, or the number itself.
        place: How it is written: ``above`` (``^l``), ``round`` (``^{(l)}``), ``square``
            (``^{[l]}``), ``below`` (``_1``). Labels that differ in place alone are the same.
    """

    base: str
    shift: int = 0
    place: str = "above"

    @property
    def key(self) -> tuple[str, int]:
        """What tells one label from another."""
        return self.base, self.shift


@dataclass(frozen=True, slots=True)
class Number(Node):
    """An exact number; ``text`` is how it was written, so that decimals may be rounded ones."""

    value: Fraction
    text: str = ""

    @property
    def is_decimal(self) -> bool:
        """Whether it was written with a decimal point and digits after it."""
        return bool(self.text.partition(".")[2])


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A number known by name: ``e``, ``pi``, ``infinity``."""

    name: str


@dataclass(frozen=True, slots=True)
class Access(Node):
    r"""A quantity, or one of its elements: ``\hat{y}^{(n)}_i``, ``W^l``, ``eta``.

    Attributes:
        name: Letters only, Greek ones by name without a backslash: ``w``, ``delta``, ``Loss``.
        accents: Marks that make it another quantity, from the inside: ``hat``, ``bar``, ``tilde``…
        labels: Its layer, sample or word, in the order written.
        indices: Its subscripts (and sample superscripts that are summed over): any nodes,
            mostly accesses without indices (``i``), numbers and sums (``i + 1``).
        primes: For a prime that makes a new value (``p'_{ij} = p_{ij} + …``), never a derivative.
        style: How it is set: ``bold``, ``double`` (blackboard), ``script``, ``word``, ``small``
            (an element in the small letter of its matrix), or empty. Evidence for a shape.
            Accesses that differ in style alone are the same quantity.
    """

    name: str
    accents: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    indices: tuple[Node, ...] = ()
    primes: int = 0
    style: str = ""

    @property
    def symbol(self) -> tuple[str, tuple[str, ...], int]:
        """What is named, whatever its labels and indices."""
        return self.name, self.accents, self.primes

    @property
    def family(self) -> Family:
        """What has one shape: a name with so many labels, below so many indices."""
        return self.symbol, len(self.labels), len(self.indices)

    @property
    def whole(self) -> Family:
        """The shape of all of it, whatever indices it bears here."""
        return self.symbol, len(self.labels), 0


@dataclass(frozen=True, slots=True)
class Element(Node):
    r"""An element of something that has no name: ``[Ax]_i``, ``(\nabla W)_{jk}``."""

    base: Node
    indices: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Apply(Node):
    """A function at arguments: ``f_3'(z)``, ``exp(x)``, ``softmax(z)_i`` (an `Element` of it).

    ``function`` may be a library's name (``exp``, ``log``, ``tr``, ``diag``, …), a
    function that the document defines, or an abstract one. ``primes`` is the order of the
    derivative with respect to its one argument. No arguments: the function itself, as in
    ``σ' = σ(1 − σ)``. ``base`` is the base of a logarithm, when one is written.
    """

    function: Access
    arguments: tuple[Node, ...]
    primes: int = 0
    base: Node | None = None


@dataclass(frozen=True, slots=True)
class Add(Node):
    """A sum of two or more terms, those subtracted as `Negate`."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negate(Node):
    """Minus its operand."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Product(Node):
    """Two or more factors from left to right and, between them, how they are joined.

    A Hadamard product of groups is nested: ``A B ⊙ c`` is ``Product((Product((A, B)), c), (⊙,))``.
    """

    factors: tuple[Node, ...]
    joins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quotient(Node):
    """A fraction, elementwise where its parts are arrays. ``slash``: written on one line."""

    numerator: Node
    denominator: Node
    slash: bool = False


@dataclass(frozen=True, slots=True)
class Power(Node):
    """A power; ``-1`` of a matrix is its inverse. Roots are powers of one half."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Transpose(Node):
    """The transpose."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Norm(Node):
    """A norm (``order`` None, a number, or the letter F) or, with ``bars`` 1, an absolute value."""

    operand: Node
    order: Node | None = None
    bars: int = 2


@dataclass(frozen=True, slots=True)
class Bound(Node):
    r"""An index with what it runs over: ``j = 1 … n``, ``j ∈ S``, ``j ≠ i``, or all its places.

    Attributes:
        index: The bound letter.
        lower, upper: Limits, both inclusive; None where not written.
        members: The set after ``∈``; None where not written.
        condition: What the index must satisfy (``j \neq i``); None where not written.
    """

    index: Access
    lower: Node | None = None
    upper: Node | None = None
    members: Node | None = None
    condition: Node | None = None


@dataclass(frozen=True, slots=True)
class Big(Node):
    """A reduction: ``kind`` is sum, product, max, min, argmax, argmin, mean (𝔼) or integral.

    No bounds: the author wrote none (``Σ (y - ŷ)²``), the index is whatever the body repeats.
    ``label`` keeps such text as stands below without being an index.
    """

    kind: str
    bounds: tuple[Bound, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Derivative(Node):
    r"""A derivative or gradient, not yet carried out.

    Attributes:
        of: What is differentiated; None where the document does not say (``dW``, ``\nabla W^l``):
            its loss.
        by: The variables, one for each order; empty for ``∇L`` without a variable.
        symbol: ``∂``, ``d``, ``∇`` or ``δ``.
        form: ``fraction``, ``operator`` (``\frac{\partial}{\partial x} f``), ``subscript``
            (``\partial_x f``, ``\nabla_x L``, ``f_x``), ``name`` (``dW``) or ``inline``.
        at: The point of an evaluation bar, conditions ``x = 3`` or values; empty if there is none.
    """

    of: Node | None
    by: tuple[Node, ...]
    symbol: str = "∂"
    form: str = "fraction"
    at: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Differential(Node):
    """A differential standing alone, as ``dt`` in ``df = f_t dt + f_u du``."""

    of: Node
    symbol: str = "d"


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """A condition: ``operator`` is one of ``= != < > <= >= in notin``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """Conditions joined by ``and`` or ``or``."""

    operator: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Indicator(Node):
    r"""1 where the condition holds, else 0: ``1[i = j]``, ``\mathbb{1}_{y=k}``."""

    condition: Node


@dataclass(frozen=True, slots=True)
class Delta(Node):
    """Kronecker's delta."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Branch(Node):
    """A value and when it holds; ``condition`` None is *otherwise*."""

    value: Node
    condition: Node | None


@dataclass(frozen=True, slots=True)
class Cases(Node):
    """The first branch whose condition holds."""

    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Matrix(Node):
    """A matrix written out by elements; a column has rows of one."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Listing(Node):
    """A tuple ``(-12, -6)`` or a set ``{1, …, K}`` (``kind`` tuple, set, range)."""

    items: tuple[Node, ...]
    kind: str = "tuple"


@dataclass(frozen=True, slots=True)
class At(Node):
    """Something at a point: an evaluation bar. ``points`` are conditions ``x = 3`` or values."""

    base: Node
    points: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Space(Node):
    r"""The set ``\mathbb{R}^{n \times d}``; no extents for the numbers themselves."""

    extents: tuple[Node, ...] = ()


def accesses(node: Node) -> Iterator[Access]:
    """Yield every access in a tree, those within indices too, in reading order."""
    return (here for here in within(node) if isinstance(here, Access))


__all__ = [
    "ADJACENT",
    "CROSS",
    "DOT",
    "HADAMARD",
    "MATRIX",
    "OUTER",
    "SMALL",
    "STAR",
    "Access",
    "Add",
    "Apply",
    "At",
    "Big",
    "Bound",
    "Branch",
    "Cases",
    "Comparison",
    "Constant",
    "Delta",
    "Derivative",
    "Differential",
    "Element",
    "Family",
    "Indicator",
    "Label",
    "Listing",
    "Logic",
    "Matrix",
    "Negate",
    "Node",
    "Norm",
    "Number",
    "Power",
    "Product",
    "Quotient",
    "Space",
    "Transpose",
    "accesses",
    "at_path",
    "children",
    "replaced",
    "rewritten",
    "with_children",
    "within",
]
