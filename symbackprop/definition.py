"""Layers, activations, losses, penalties and optimizers as data.

A definition holds equations in the notation of ``[[define]]`` and nothing else: no
type here has a field for a derivative. The batch axis is implied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeGuard

from symbackprop.equations import Extent

Value = float | int | bool | str | None
# Beyond it, float32 overflows as soon as two numbers meet.
LARGEST_NUMBER = 1e30
# What other libraries have said and ours reads off its input.
FOLLOWING = (
    *("embed_dim", "in_channels", "in_features", "input_dim", "input_shape", "input_size"),
    *("num_channels", "num_features"),
)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a constant may have the value: a number, at most ``LARGEST_NUMBER`` from 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -LARGEST_NUMBER <= value <= LARGEST_NUMBER


def fault_of_weights(values: Sequence[float]) -> str:
    """Return why these cannot weigh the classes, "" where they can: a mean divides by them."""
    if min(values) < 0:
        return f"found {min(values)}; allowed: numbers of 0 or more"
    return "" if any(values) else "found only zeros; at least one must be greater than 0"


@dataclass(frozen=True)
class Parameter:
    """A learned array of a definition.

    Attributes:
        extents: one extent per axis: a size by name, or an expression of sizes.
        initial: ``"weight"`` (He or Glorot, by the activation that follows) or a number.
        option: the boolean field that turns it off (``"bias"``), or None. Where it is off,
            the parameter stays at the number that it starts from.
    """

    extents: tuple[str, ...]
    initial: Literal["weight"] | float = "weight"
    option: str | None = None


@dataclass(frozen=True)
class State:
    """A running statistic: an array that training updates and no gradient reaches.

    Attributes:
        extents: as for a parameter.
        initial: the number that it starts from.
    """

    extents: tuple[str, ...]
    initial: float


@dataclass(frozen=True)
class Definition:
    """What all kinds have in common.

    Attributes:
        name: as users write it.
        equations: intermediates first, the result last.
        doc: one sentence.
        source: paper or textbook, with the equation's number where it has one.
        constants: numbers with their defaults, settable where the entry is used. A default of
            None is "not set": ``where`` on a comparison with it folds to its last branch.
        positive: the constants that must be greater than 0.
        nonnegative: the constants that must be 0 or more.
        unit_interval: the constants that must lie from 0 to 1.
        also_known_as: what other libraries call the entry; read by error messages only.
        fields_known_as: what they call its fields and constants, each with our name.
        instead_of: fields of theirs that are none here, each with what does the same.
    """

    name: str
    equations: tuple[str, ...]
    doc: str = ""
    source: str = ""
    constants: Mapping[str, Value] = field(default_factory=dict)
    positive: tuple[str, ...] = ()
    nonnegative: tuple[str, ...] = ()
    unit_interval: tuple[str, ...] = ()
    also_known_as: tuple[str, ...] = ()
    fields_known_as: Mapping[str, str] = field(default_factory=dict)
    instead_of: Mapping[str, str] = field(default_factory=dict)

    def theirs(self, name: str) -> str:
        """Return what to say of another library's name for a field; "" where it is none."""
        ours = self.fields_known_as.get(name)
        if ours is not None:
            return f"is called {ours!r} here"
        if name in self.instead_of:
            return f"is no field here: {self.instead_of[name]}"
        return "follows from what the layer reads: leave it out" if name in FOLLOWING else ""

    def demand(self, name: str, value: float) -> str:
        """Return what a constant has to be where the value is not that, else ""."""
        if name in self.positive and not value > 0:
            return "a number greater than 0"
        if name in self.nonnegative and not value >= 0:
            return "a number of 0 or more"
        if name in self.unit_interval and not 0 <= value <= 1:
            return "a number from 0 to 1"
        return ""


@dataclass(frozen=True)
class Activation(Definition):
    """``a`` from ``z``. Without subscripts it acts on each number.

    With ``z[i]`` it acts along one axis (the last, or ``axis``); with ``z[c]`` and
    ``channels=True`` along axis 1.
    """

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    channels: bool = False
    relu_like: bool = False  # He initialisation before it


@dataclass(frozen=True)
class Loss(Definition):
    """``L`` of one sample from the output ``a`` and the target ``y``.

    Attributes:
        within: how units (or positions, where ``a`` is indexed by class) combine in a sample:
            ``"mean"``, ``"sum"``, or ``"written"`` where the equation already gives a scalar.
        indices: equations used where ``y`` holds class indices (``a[y]``); empty where the
            loss takes none.
        weight: the sample's weight in a mean over the batch, for the two forms of y; "" is 1.
        vectors: constants that hold one weight per class, unset by default: they then read as 1.
            Weights are 0 or more, and not all 0.
        output: the extents of ``a`` and ``target`` those of ``y``, where they differ.
        expects: what ``a`` has to be: ``"probabilities"``, each by itself; a
            ``"distribution"``, the probabilities of all classes; ``"log_probabilities"``; "" is
            any numbers.
        on_logits: the loss that says the same of logits; read by error messages only.
    """

    within: Literal["mean", "sum", "written"] = "mean"
    indices: tuple[str, ...] = ()
    weight: str = ""
    indices_weight: str = ""
    vectors: tuple[str, ...] = ()
    output: tuple[str, ...] = ("classes",)
    target: tuple[str, ...] = ("classes",)
    expects: Literal["", "probabilities", "distribution", "log_probabilities"] = ""
    on_logits: str = ""


@dataclass(frozen=True)
class Field:
    """A field of a layer: a whole number, a list of them, or one of some words.

    Attributes:
        default: None is "not set".
        required: it has to be given.
        least: the smallest number allowed; None is any.
        several: a list of numbers is allowed, too.
        names: a number may be an extent by name.
        words: what may stand instead of a number.
        chosen: one of the words it has to be.
        examples: values that fit some shape, where few of those allowed do.
        source: names one more value that the layer reads, after those of ``from``; the field is
            then true.
    """

    default: int | str | tuple[int | str, ...] | None = None
    required: bool = False
    least: int | None = None
    several: bool = False
    names: bool = False
    words: tuple[str, ...] = ()
    chosen: bool = False
    examples: tuple[int | tuple[int, ...], ...] = ()
    source: bool = False

    def demand(self, value: object) -> str:
        """Return what the field has to be where the value is not that, else ""."""
        if value is None and self.default is None and not self.required:
            return ""
        if self.source:
            return "" if value is True else "the name of an input or of a layer above"
        if isinstance(value, str) and value in self.words:
            return ""
        if self.chosen:
            return " or ".join(f'"{word}"' for word in self.words)
        items = value if isinstance(value, list | tuple) and self.several else [value]
        if items and all(map(self._fits, items)):
            return ""
        number = "a whole number" + ("" if self.least is None else f" from {self.least}")
        several = ["a list of them"] if self.several else []
        return ", or ".join([number, *several, *(f'"{word}"' for word in self.words)])

    def _fits(self, item: object) -> bool:
        if isinstance(item, str):
            return self.names and item.isidentifier()
        if isinstance(item, bool) or not isinstance(item, int):
            return False
        return abs(item) <= LARGEST_NUMBER and (self.least is None or item >= self.least)


@dataclass(frozen=True)
class Reading:
    """One use of a layer: the shapes that it reads, and its fields.

    Attributes:
        shapes: of one sample of each value that it reads, in order; without the batch.
        fields: what is set, or the defaults: constants, sizes, options and fields by name.
    """

    shapes: tuple[tuple[Extent, ...], ...]
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Body:
    """What of a layer may depend on what it reads; each as in ``Layer``."""

    inputs: Mapping[str, tuple[str, ...]]
    equations: tuple[str, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    output: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    ranges: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, State] = field(default_factory=dict)
    updates: tuple[str, ...] = ()
    evaluation: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer(Definition):
    """The output (the last equation's target) from inputs and parameters.

    An input whose first extent is ``"N"`` is written with its batch axis, over which the
    equations may then reduce.

    Attributes:
        inputs: by name, the extents of each value that it reads, in the order of ``from``.
        parameters: by symbol.
        sizes: fields that are extents, all required.
        options: fields that are true or false, with their defaults.
        fields: further fields.
        output: the extents of the output, where they do not follow.
        roles: what the output's axes stand for ("channel", "space", ...), where that does not
            follow.
        ranges: the extents of further indices, by letter, where they do not follow.
        written: writes the equations where they depend on the ranks or fields of a use. Those
            of the entry are then of ``example``, a use that is allowed.
        reads: how many values it may read, at least and at most (None: any number), where
            equations are written; those that fields name do not count.
        draws: the extents, by name, of numbers drawn anew for every sample in every step of
            training, uniform in [0, 1).
        state: running statistics, by name.
        updates: equations that a step of training ends with: a statistic's new value.
        evaluation: equations that stand, outside training, for those of the same names.
    """

    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"x": ("features",)})
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sizes: tuple[str, ...] = ()
    options: Mapping[str, bool] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)
    output: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    ranges: Mapping[str, str] = field(default_factory=dict)
    draws: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    state: Mapping[str, State] = field(default_factory=dict)
    updates: tuple[str, ...] = ()
    evaluation: tuple[str, ...] = ()
    written: Callable[[Reading], Body] | None = None
    reads: tuple[int, int | None] = (1, 1)
    example: Reading | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The fields that each name one more value to read."""
        return tuple(name for name, entry in self.fields.items() if entry.source)

    @property
    def defaults(self) -> dict[str, Any]:
        """Every field but the sizes, with its default."""
        fields = {name: entry.default for name, entry in self.fields.items()}
        return {**self.constants, **self.options, **fields}

    def at(self, reading: Reading) -> Layer:
        """Return the layer as this use writes it.

        Raises:
            SymbackpropError: shapes or fields that do not fit.
        """
        return replace(self, **vars(self.written(reading))) if self.written else self


def index_letters(rank: int) -> tuple[str, ...]:
    """Return the letters of a sample's indices: i; t, i; or c, h, w, ..."""
    if rank < 3:
        return (("i",), ("t", "i"))[rank - 1]
    return ("c", *"hwdefg"[: rank - 1])


def written_layer(written: Callable[[Reading], Body], example: Reading, **entry: Any) -> Layer:
    """Return an entry whose equations a function writes from ranks and fields.

    Args:
        written: the function; it writes equations as text, and no derivative.
        example: a use that is allowed, without what has a default; the entry shows its equations.
        entry: everything else of a ``Layer``.
    """
    count = len(example.shapes)
    plain = Layer(equations=(), written=written, **{"reads": (count, count), **entry})
    return replace(
        plain.at(Reading(example.shapes, {**plain.defaults, **example.fields})), example=example
    )


@dataclass(frozen=True)
class Penalty(Definition):
    """``R`` of one parameter ``w``, elementwise and summed; scaled by the constant ``rate``."""


@dataclass(frozen=True)
class Optimizer(Definition):
    """New ``w`` and moments from ``w``, the gradient ``g``, ``eta``, moments and the step ``t``.

    Equations are read in order as assignments; ``moments`` start at 0.
    """

    moments: tuple[str, ...] = ()
