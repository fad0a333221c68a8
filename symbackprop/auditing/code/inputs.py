"""The values that a pair is run on: made from what each input is taken for."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.callees import substituted
from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.elementwise import SCALARS, mapped
from symbackprop.auditing.code.interpreter.machine import Machine
from symbackprop.auditing.code.interpreter.signals import softmax
from symbackprop.auditing.code.interpreter.values import (
    Array,
    Defaults,
    Extents,
    Instance,
    Library,
    Namespace,
    Native,
    Tensor,
)
from symbackprop.auditing.code.specs import STEPS, Setup, Spec
from symbackprop.auditing.code.sweep import gradients

MOST_STATE = 6
DIGITS = 4
FIRST = "classes first"
RECORDS = 3


class Inputs:
    """All inputs of one run, each made once.

    Args:
        machine: The run.
        setup: What each input is taken for; inputs that it lacks are entered.
        torch: Whether arrays are tensors.
    """

    def __init__(self, machine: Machine, setup: Setup, torch: bool) -> None:
        self.machine = machine
        self.setup = setup
        self.torch = torch
        self.values: dict[str, Any] = {}
        # What each variable was before anything ran: arrays of nodes.
        self.originals: dict[str, Array] = {}
        self.choices: list[str] = []
        # What the program compares an entry of a dict of settings with.
        self.choices_by_key: dict[str, list[str]] = {}
        # Values of states with what they were replaced by; they are kept, so that ids stay theirs.
        self._freed: dict[int, tuple[Any, Any]] = {}
        # Settings of many digits are of one origin where they are equal, whoever holds them.
        self._constants: dict[int, Node] = {}

    def sample(self, name: str, index: tuple[int, ...]) -> float:
        """Return the value of an element at this point."""
        if (name, index) in self.setup.chosen:
            return self.setup.chosen[name, index]
        spec = self.setup.specs.get(name, Spec())
        draw = random.Random(f"{self.setup.seed} {name} {index}")
        value = draw.uniform(spec.low, spec.high)
        if spec.low < 0 and draw.random() < 0.25:
            value *= 2.2
        return value + 0.05 if spec.low < 0 and abs(value) < 0.02 else value

    def draw(self, kind: str, index: tuple[int, ...]) -> float:
        """Return a random number that the program asks for."""
        draw = random.Random(f"{self.setup.seed} {kind} {self.machine.randoms} {index}")
        return draw.uniform(0.05, 0.95) if kind == "unit" else draw.uniform(-1.5, 1.5)

    def get(self, name: str, guess: Callable[[], Spec] | None = None) -> Any:
        """Return an input by name, made by its spec; `guess` gives that of a new one."""
        if name not in self.values:
            if name not in self.setup.specs:
                self.setup.specs[name] = guess() if guess else guessed(name)
            self.values[name] = self._made(name, self.setup.specs[name])
        return self.values[name]

    def _made(self, name: str, spec: Spec) -> Any:
        if spec.kind == "fixed":
            return self._fixed(spec.value)
        if spec.kind == "step":
            return STEPS[self.setup.sizes.which]
        if spec.kind == "generator":
            return Library("numpy.random")
        if spec.kind == "optimizer":
            return Namespace(
                {n: Native(n, self._descended) for n in ("update", "step", "optimize")}
            )
        if spec.kind in ("int", "bool"):
            value = self.setup.sizes.value(name) if spec.kind == "int" else bool(spec.value)
            return value
        if spec.kind == "shape":
            marker = Extents((), None)
            self.machine.register(name, marker)
            return Extents(self.setup.shape(name), marker)
        if spec.kind == "records":
            return [self._record(f"{name}[{i}]", i == RECORDS - 1) for i in range(RECORDS)]
        if spec.kind == "options":
            return self._options(name)
        if spec.kind == "parts":
            parts = {f"{name}[{i}]": guessed(part) for i, part in enumerate(spec.value)}
            for inner, first in parts.items():
                self.setup.specs.setdefault(inner, first)
            return tuple(map(self.get, parts))
        if spec.kind == "real":
            node = self.machine.graph.input(name, (), self.sample(name, ()))
            self.originals[name] = _zero_rank(node)
            return node
        if spec.kind == "function":
            prime = bool(_PRIMES & set(naming.words(naming.last(name))))
            made = Native(name, self._derivative if prime else self._function)
            self.machine.register(name, made)
            return made
        value = self.array(name, self.setup.shape(name), spec)
        return self.squashed(spec.kind, value) if " " in spec.kind else value

    def _record(self, name: str, last: bool) -> Defaults:
        """A description of a layer: sizes are inputs, other fields what the file compares with."""
        made = Defaults()

        def field(machine: Machine, key: Any) -> Any:
            if naming.names_size(str(key)) or not self.choices:
                inner = f"{name}[{key!r}]"
                self.setup.specs.setdefault(inner, Spec("int", 0))
                return self.get(inner)
            return self.choices[-1 if last else 0]

        made.keyed = True
        made.factory = Native("field", field)
        return made

    def _options(self, name: str) -> Defaults:
        """A dict of parameters or settings: it has whatever the program reads of it."""
        made = Defaults()

        def entry(machine: Machine, key: Any) -> Any:
            choices = self.choices_by_key.get(str(key), ())
            first = Spec("fixed", 0, value=choices[0]) if choices else guessed_option(str(key))
            inner = f"{name}[{key!r}]"
            made[key] = self.get(inner, lambda: first)
            return made[key]

        made.keyed = True
        made.factory = Native("entry", entry)
        self.machine.register(name, made)
        return made

    def _fixed(self, value: Any) -> Any:
        """A value that was named: numbers exact, parts of it too."""
        if isinstance(value, float):
            return self.machine.number(Fraction(repr(value)))
        if isinstance(value, list | tuple):
            return type(value)(self._fixed(v) for v in value)
        return value

    def _descended(self, machine: Machine, value: Any, gradient: Any, *others: Any) -> Any:
        """One plain step, whatever the optimizer: so the gradient can be seen in it."""
        step = operators.arrays(machine, "mul", operator.mul, gradient, self.get("learning_rate"))
        return operators.arrays(machine, "sub", operator.sub, value, step)

    def _function(self, machine: Machine, x: Any, *others: Any) -> Any:
        """Some smooth function, where the program is given one that nobody defines."""
        return mapped(machine, _smooth, x)

    def _derivative(self, machine: Machine, x: Any, *others: Any) -> Any:
        """The derivative of that function, where the program is given it as another one."""

        def derived(machine: Machine, u: Node) -> Any:
            # A constant is no variable: the derivative is taken at an input beside it.
            here = machine.graph.input("argument", (u.place,), u.value)
            found = gradients({_smooth(machine, here): machine.number(1)}, [here])
            return substituted(found, {here.place: u})[0]

        return mapped(machine, derived, x)

    def array(self, name: str, shape: tuple[int, ...], spec: Spec) -> Any:
        """Return an array of free values, class indices, one-hot rows or rows with one entry."""
        self.machine.spend(int(np.prod(shape, dtype=int)) if shape else 1)
        if spec.kind == "label":
            made = np.empty(shape, dtype=int)
            for index in np.ndindex(*shape):
                made[index] = int(self.sample_unit(name, index) * 2)
        elif spec.kind == "onehot":
            made = self._one_hot(name, shape, spec.value == FIRST)
        else:
            made = np.empty(shape, dtype=object)
            for index in np.ndindex(*shape):
                made[index] = self.machine.graph.input(name, index, self.sample(name, index))
            if spec.kind == "sparse":
                self._thinned(name, made)
            self.originals[name] = made.copy()
        value: Any = Tensor(made) if self.torch else made
        self.machine.register(name, made)
        return value

    def squashed(self, kind: str, value: Any) -> Any:
        """Return probabilities of logits that are the input proper."""
        logits = value.array if isinstance(value, Tensor) else value
        if kind.startswith("sigmoid"):
            made = mapped(self.machine, SCALARS["sigmoid"], logits)
        else:
            made = softmax(self.machine, logits, 0 if logits.shape[-1] == 1 else -1)
        return Tensor(made) if isinstance(value, Tensor) else made

    def sample_unit(self, name: str, index: tuple[int, ...]) -> float:
        """Return a number of [0, 1) for a choice."""
        return random.Random(f"{self.setup.seed} choice {name} {index}").random()

    def _thinned(self, name: str, made: Array) -> None:
        """Leave one element of each row; the others are 0."""
        for row in np.ndindex(*made.shape[:-1]):
            kept = int(self.sample_unit(name, row) * made.shape[-1])
            for place in range(made.shape[-1]):
                if place != kept:
                    made[(*row, place)] = self.machine.number(0)

    def _one_hot(self, name: str, shape: tuple[int, ...], first: bool) -> Array:
        made = np.empty(shape, dtype=object)
        made[...] = self.machine.number(0)
        # Columns, shaped (classes, 1), have their classes before the last axis.
        column = len(shape) > 1 and shape[-1] == 1
        axis = 0 if first and len(shape) > 1 else -2 if column else -1
        ones = np.moveaxis(made, axis, -1)
        for index in np.ndindex(*ones.shape[:-1]):
            ones[(*index, int(self.sample_unit(name, index) * ones.shape[-1]))] = (
                self.machine.number(1)
            )
        return made

    def freed(self, name: str, value: Any, depth: int = 0) -> Any:
        """Return a value with its real arrays and settings made free inputs of the same shape."""
        if depth > MOST_STATE:
            return value
        if isinstance(value, Tensor):
            return Tensor(self.freed(name, value.array, depth))
        if isinstance(value, np.ndarray | Instance):
            # What is held under several names stays one.
            if id(value) not in self._freed:
                self._freed[id(value)] = value, self._made_free(name, value, depth)
            return self._freed[id(value)][1]
        return self._made_free(name, value, depth)

    def _made_free(self, name: str, value: Any, depth: int) -> Any:
        if isinstance(value, np.ndarray) and value.dtype == object:
            if _is_accumulator(name, value):
                return value
            origin = self.machine.input_name(value)
            if origin is not None and not origin.startswith("random"):
                self.setup.aliases[name] = origin
            self.setup.specs.setdefault(name, Spec(rank=value.ndim, low=-1.5, high=1.5))
            made = np.empty(value.shape, dtype=object)
            for index in np.ndindex(*value.shape):
                made[index] = self.machine.graph.input(name, index, self.sample(name, index))
            self.originals[name] = made.copy()
            self.machine.register(name, made)
            return made
        if isinstance(value, Node) and value.constant is None and value.function == "input":
            return value
        if isinstance(value, Node) and value.constant is not None:
            return self._setting(name, value)
        if isinstance(value, list):
            return [self.freed(f"{name}[{i}]", v, depth + 1) for i, v in enumerate(value)]
        if isinstance(value, tuple) and type(value) is tuple:
            return tuple(self.freed(f"{name}[{i}]", v, depth + 1) for i, v in enumerate(value))
        if isinstance(value, dict):
            return {k: self.freed(f"{name}[{k!r}]", v, depth + 1) for k, v in value.items()}
        if isinstance(value, Instance):
            self._freed[id(value)] = value, value
            for key, inner in list(value.attributes.items()):
                value.attributes[key] = self.freed(f"{name}.{key}", inner, depth + 1)
        return value

    def _setting(self, name: str, value: Node) -> Any:
        """A real number that was set: free near its value, so that no default decides."""
        if value.constant is None or not (value.constant or naming.names_bias(name)):
            return value
        if name in self.setup.specs and self.setup.specs[name].kind == "fixed":
            return value
        if value.place in self._constants:
            return self._constants[value.place]
        low, high = sorted((value.value * 0.8, value.value * 1.2))
        if not value.constant:
            low, high = 0.2, 0.9
        self.setup.specs.setdefault(name, Spec("real", 0, low, high))
        node = self.machine.graph.input(name, (), self.sample(name, ()))
        self.originals[name] = _zero_rank(node)
        if len(str(float(value.constant)).replace(".", "").strip("-0")) >= DIGITS:
            self._constants[value.place] = node
        return node


def _is_accumulator(name: str, value: Array) -> bool:
    """Whether an array of zeros is named as a gradient, to which a derivative adds."""
    named = naming.names_gradient(name) or naming.names_gradient(name.partition("[")[0])
    return named and all(node.constant == 0 for node in value.flat)


def _smooth(machine: Machine, u: Node) -> Any:
    return machine.graph.apply("tanh", u) + u * Fraction(1, 3)


_PRIMES = frozenset(("prime", "derivative", "deriv", "derivate", "grad", "gradient", "d", "dash"))


def _zero_rank(node: Node) -> Array:
    made = np.empty((), dtype=object)
    made[()] = node
    return made


def guessed(name: str) -> Spec:
    """Return what an input is taken for at first, by its name alone."""
    bare = naming.last(name)
    if naming.names_flag(bare):
        return Spec("bool", 0, value=True)
    if "ignore" in bare:
        return Spec("fixed", 0, value=-100)
    if naming.names_rate(bare):
        return Spec("real", 0, 0.05, 0.3)
    if naming.names_function(bare):
        return Spec("function", 0)
    if naming.names_generator(bare):
        return Spec("generator", 0)
    if naming.names_optimizer(bare):
        return Spec("optimizer", 0)
    if naming.names_scalar(bare):
        return Spec("real", 0, 0.2, 0.9)
    return Spec("array", 1 if naming.names_bias(bare) else 2)


def guessed_option(key: str) -> Spec:
    """Return what an entry of a dict of settings is taken for, so that windows overlap."""
    if naming.names_step(key):
        return Spec("step", 0)
    if naming.names_pad(key):
        return Spec("fixed", 0, value=1)
    spec = guessed(key)
    plain = spec == Spec("array", 2) and len(key) > 2
    return Spec("int", 0) if plain and naming.names_size(key) else spec


def guessed_size(name: str) -> Spec:
    """Return what a parameter of a constructor is taken for at first."""
    bare = naming.last(name)
    if naming.names_rate(bare) or naming.names_function(bare):
        return guessed(name)
    if naming.names_step(bare) or naming.names_pad(bare):
        return guessed_option(bare)
    if naming.names_shape(bare):
        return Spec("shape", 3)
    return Spec("int", 0) if naming.names_size(bare) else guessed(name)


def default_spec(name: str, value: Any) -> Spec:
    """Return what a parameter with a default is taken for: free where it is a number."""
    omitted = Spec("default", 0)
    if isinstance(value, bool) or naming.names_axis(name):
        return omitted
    if isinstance(value, int):
        sized = naming.names_step(name) or naming.names_pad(name) or naming.names_size(name)
        return omitted if sized or not 0 < value < 100 else Spec("real", 0, 1.1, 2.6)
    if isinstance(value, Node) and value.constant and 0 < value.value < 100:
        return Spec("real", 0, value.value * 0.8, value.value * 1.3)
    return omitted
