"""The module under check: its functions, and points at which to try them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from string import ascii_letters
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop.errors import SymbackpropError

Array = np.ndarray[Any, Any]
Inputs = Array | dict[str, Array]

_ALWAYS = ("PARAMETER_SHAPES", "initialize", "forward", "backward")
_WITH_LOSS = ("loss_gradient", "loss_and_gradients", "update", "Workspace")

EXTENTS = "EXAMPLES"  # where a module has choices of the extents that it leaves open
TRIES = 100  # at a target, until the loss is a number


def draws() -> np.random.Generator:
    """Return the generator that all calls draw from: the same numbers in each."""
    return np.random.default_rng(0)


def moved(state: Mapping[str, Array]) -> dict[str, Array]:
    """Return running statistics away from where they start, in the same way at every call."""
    rng = np.random.default_rng(1)
    return {name: value + rng.random(value.shape) for name, value in state.items()}


class Captured(BaseException):
    """Carries the input that a module's own check gave to its ``forward``."""


@dataclass(frozen=True)
class Sample:
    """A point of a module: one batch, the cotangent of its output, and targets of every form.

    Attributes:
        x: the batch.
        cotangent: of the output.
        targets: one of every form.
        kept: how many numbers ``forward`` keeps, at least, for ``backward``.
        read: how many numbers of parameters it reads, each as often as it is read.
        arrays: how many arrays they are in.
    """

    x: Inputs
    cotangent: Array
    targets: tuple[Array, ...]
    kept: int = 0
    read: int = 0
    arrays: int = 0

    @property
    def size(self) -> int:
        """The number of samples in the batch."""
        return len(self.cotangent)


def inputs_by_name(x: Inputs) -> dict[str, Array]:
    """Return the arrays of an input under the names of their gradients."""
    return {f"x.{k}": v for k, v in x.items()} if isinstance(x, dict) else {"x": x}


def _output(parameter: str) -> str:
    """Return under which name ``forward`` keeps the output of a parameter's layer."""
    return f"a{parameter.lstrip(ascii_letters)}"


def _places(output: Any, shape: tuple[int, ...]) -> int:
    """Return at how many places of a layer's output, samples included, a parameter is read.

    With axes for a kernel it is read at all but the channels, else at all but the last axis.
    """
    axis = 1 if len(shape) > 2 else -1
    if np.ndim(output) < 2 or not np.size(output):
        return 1
    return int(np.size(output)) // int(np.shape(output)[axis])


class Subject:
    """Calls the functions of an emitted module; what one raises becomes a SymbackpropError."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.has_loss = hasattr(module, "loss")
        required = (*_ALWAYS, *(_WITH_LOSS if self.has_loss else ()))
        missing = [name for name in required if not hasattr(module, name)]
        if missing:
            raise SymbackpropError(
                f"has no {', '.join(missing)}; an emitted module defines {', '.join(required)}"
            )
        self.shapes: Mapping[str, tuple[int, ...]] = module.PARAMETER_SHAPES
        if not isinstance(self.shapes, Mapping):
            raise SymbackpropError("PARAMETER_SHAPES is not a dict of shapes by name")

    def call(self, function: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a function of the module with those keywords that it knows."""
        called = getattr(self.module, function)
        known = self.keywords(function)
        try:
            return called(*arguments, **{k: v for k, v in keywords.items() if k in known})
        except Exception as error:
            raise SymbackpropError(f"{function} raised {type(error).__name__}: {error}") from error

    def keywords(self, function: str) -> frozenset[str]:
        """Return the names of the function's parameters."""
        if function not in self._keywords:
            called: Callable[..., Any] = getattr(self.module, function)
            self._keywords[function] = frozenset(inspect.signature(called).parameters)
        return self._keywords[function]

    @cached_property
    def _keywords(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def draws(self) -> bool:
        """Whether training needs a random generator."""
        x = self.inputs(np.random.default_rng(0), 2)
        held = {**self.held(), "rng": None}
        try:
            self.call("forward", self.parameters(0), x, **held)
        except SymbackpropError:
            return True
        return False

    @property
    def keeps_state(self) -> bool:
        """Whether it has running statistics."""
        return hasattr(self.module, "initial_state")

    @property
    def holds(self) -> bool:
        """Whether a value is held constant that changes with what gradients are taken by."""
        return "held" in self.keywords("forward")

    @property
    def modes(self) -> tuple[bool, ...]:
        """The values of ``training`` that make a difference."""
        return (True, False) if self.keeps_state or self.draws else (True,)

    def held(self, training: bool = True) -> dict[str, Any]:
        """Return the keywords that hold draws and state fixed, made afresh for every call."""
        fixed: dict[str, Any] = {"training": training, "rng": draws()}
        if self.keeps_state:
            fixed["state"] = {name: value.copy() for name, value in self._state.items()}
        return fixed

    @cached_property
    def _state(self) -> dict[str, Array]:
        return moved(self.call("initial_state"))

    def forward(
        self, params: Mapping[str, Array], x: Inputs, held: Mapping[str, Any] | None = None
    ) -> tuple[Array, Any]:
        """Return the output and the cache of the plain path; ``held`` by default in training."""
        result = self.call("forward", params, x, **(self.held() if held is None else held))
        if not isinstance(result, tuple) or len(result) != 2:
            raise SymbackpropError("forward did not return (output, cache)")
        return np.asarray(result[0]), result[1]

    def train(
        self,
        params: Mapping[str, Array],
        x: Inputs,
        y: Array,
        *,
        training: bool = True,
        **keywords: Any,
    ) -> tuple[float, dict[str, Array]]:
        """Return the value and the gradients of the training path."""
        held = {**self.held(training), **keywords}
        result = self.call("loss_and_gradients", params, x, y, **held)
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], dict):
            raise SymbackpropError("loss_and_gradients did not return (value, gradients)")
        return float(result[0]), result[1]

    def parameters(self, seed: int, dtype: Any = np.float64) -> dict[str, Array]:
        """Return initial parameters moved to a general point, in the module's own arrays."""
        params: dict[str, Array] = self.call("initialize", seed, dtype=dtype)
        rng = np.random.default_rng([seed, 1])
        for name, shape in self.shapes.items():
            given = params.get(name)
            if given is None or given.shape != tuple(shape):
                found = "nothing" if given is None else str(given.shape)
                raise SymbackpropError(f"initialize gives {found} for {name}, not {tuple(shape)}")
            # Weights of a deep network move less, lest their product explode.
            deep = np.sqrt(max(shape, default=1) * len(self.shapes))
            spread = 0.6 / deep if len(shape) > 1 else 0.3
            given += np.asarray(spread * rng.standard_normal(given.shape), dtype)
        return params

    def workspace(self, size: int) -> Any:
        """Return a workspace for so many samples, with room for all extents that are tried."""
        extents: Sequence[Mapping[str, int]] = getattr(self.module, EXTENTS, ({},))
        largest = {name: max(each[name] for each in extents) for name in extents[0]}
        return self.call("Workspace", size, **largest)

    @cached_property
    def examples(self) -> list[Inputs]:
        """Inputs like those that the module's own check uses: for shapes and dtypes.

        There is one for each choice of the extents that the module leaves open.
        """
        namespace = self.module.__dict__
        choices = namespace.get(EXTENTS)
        if choices is None:
            return [self._example()]
        found = []
        for choice in choices:
            namespace[EXTENTS] = (choice,)
            found.append(self._example())
        namespace[EXTENTS] = choices
        return found

    def _example(self) -> Inputs:
        captured = self._captured()
        if captured is not None:
            return captured
        weights = [shape for shape in self.shapes.values() if len(shape) > 1]
        if not weights:
            raise SymbackpropError("has no gradient_check that shows what its input looks like")
        return np.zeros((2, weights[0][0]))

    def _captured(self) -> Inputs | None:
        """Return what ``gradient_check`` gives to ``forward``, without running either further."""

        def capture(params: Any, x: Any, **_: Any) -> None:
            raise Captured(x)

        namespace = self.module.__dict__
        original = namespace["forward"]
        namespace["forward"] = capture
        try:
            namespace["gradient_check"](0)
        except Captured as captured:
            x = captured.args[0]
            return (
                {k: np.asarray(v) for k, v in x.items()} if isinstance(x, dict) else np.asarray(x)
            )
        except Exception:
            return None
        finally:
            namespace["forward"] = original
        return None

    def inputs(self, rng: np.random.Generator, size: int) -> Inputs:
        """Return a random batch in an example's shape: of the next one for two samples more."""
        example = self.examples[size // 2 % len(self.examples)]

        def batch(like: Array) -> Array:
            shape = (size, *like.shape[1:])
            if like.dtype.kind in "iub":
                return rng.choice(np.unique(like), shape)
            return rng.standard_normal(shape)

        if isinstance(example, dict):
            return {name: batch(like) for name, like in example.items()}
        return batch(example)

    def sample(self, params: Mapping[str, Array], seed: int, size: int) -> Sample:
        """Return a random batch with a random cotangent and every form of target it takes."""
        rng = np.random.default_rng([seed, 2, size])
        x = self.inputs(rng, size)
        output, cache = self.forward(params, x)
        if output.dtype != np.float64 or len(output) != size:
            raise SymbackpropError(
                f"forward gives {output.dtype} {output.shape} for {size} samples"
            )
        targets = self.targets(rng, output) if self.has_loss else ()
        arrays = cache if isinstance(cache, Mapping) else {}
        kept = sum(np.size(value) for value in arrays.values())
        read = self.read(cache, size)
        cotangent = np.asarray(rng.standard_normal(output.shape))
        return Sample(x, cotangent, targets, kept, read, len(arrays))

    def read(self, cache: Any, size: int) -> int:
        """Return how many numbers of parameters forward read, each as often as it was read."""
        arrays = cache if isinstance(cache, Mapping) else {}
        return sum(
            prod(shape) * max(size, _places(arrays.get(_output(name)), shape))
            for name, shape in self.shapes.items()
        )

    def targets(self, rng: np.random.Generator, output: Array) -> tuple[Array, ...]:
        """Return a target of every form that the module's loss accepts for this output.

        Forms are the output's own shape, half its last axis (means and variances), and
        class indices along any one axis.
        """
        half = (*output.shape[:-1], output.shape[-1] // 2)
        shapes = [output.shape] if output.ndim < 2 or not half[-1] else [output.shape, half]
        forms: list[Callable[..., Any]] = [
            partial(rng.uniform, 0.05, 0.95, shape) for shape in shapes
        ]
        for axis in range(output.ndim - 1, 0, -1):
            shape = (*output.shape[:axis], *output.shape[axis + 1 :])
            forms.append(partial(rng.integers, 0, output.shape[axis], shape))
        accepted: dict[tuple[int, ...], Array] = {}
        refused = ""
        for draw in forms:
            try:
                y = self._counted(draw, output)
            except SymbackpropError as error:
                refused = refused or str(error)
            else:
                accepted.setdefault(y.shape, y)
        if not accepted:
            raise SymbackpropError(f"loss takes no target for an output {output.shape}: {refused}")
        return tuple(accepted.values())

    def _counted(self, draw: Callable[[], Any], output: Array) -> Array:
        """Return a target that some sample counts in: of those of no weight the mean is NaN."""
        for _ in range(TRIES):
            y: Array = draw()
            if not np.isnan(self.call("loss", output, y)):
                break
        return y
