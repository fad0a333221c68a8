"""Every function of a library that is understood, constants, and calls that do nothing."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from symbackprop.auditing.code.faults import Unknown
from symbackprop.auditing.code.interpreter import (
    arrays,
    drawing,
    elementwise,
    functional,
    joining,
    picking,
    reductions,
    signals,
    tensors,
)
from symbackprop.auditing.code.interpreter.machine import Machine
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS
from symbackprop.auditing.code.interpreter.values import (
    Defaults,
    Instance,
    Library,
    Namespace,
    Tensor,
)

TABLES = (
    *(arrays, drawing, elementwise, functional, joining, picking, reductions, signals),
    tensors,
)
# What only shows, seeds or configures.
QUIET = (
    *("matplotlib", "pylab", "plt", "logging", "warnings", "sys.stdout", "gc", "seaborn"),
    *("numpy.random.seed", "random.seed", "numpy.seterr", "numpy.set_printoptions", "tqdm"),
    *("torch.manual_seed", "torch.cuda", "torch.backends", "pyximport", "time.time"),
)
# Modules known under another name where a library has several.
_SYNONYMS = (
    ("torch.autograd.numpy.", "numpy."),
    ("jax.numpy.", "numpy."),
    *(
        (f"jax.nn.{name}", f"elementwise.{name}")
        for name in ("relu", "sigmoid", "softplus", "silu")
    ),
    ("jax.nn.", "torch.nn.functional."),
    ("jax.scipy.", "scipy."),
    ("autograd.numpy.", "numpy."),
    ("torch.special.expit", "torch.sigmoid"),
)


def quiet(name: str) -> bool:
    """Return whether a call has no effect on numbers."""
    return any(name == known or name.startswith(known + ".") for known in QUIET)


def member(name: str, attribute: str) -> Library:
    """Return the name of an attribute of a library's module or class."""
    full = f"{name}.{attribute}"
    for start, new in _SYNONYMS:
        if full.startswith(start):
            full = new + full[len(start) :]
    return Library(full)


def constant(machine: Machine, name: str) -> Any:
    """Return a number that a library defines; None if it defines none of that name."""
    if name in ("numpy.pi", "math.pi", "torch.pi"):
        return machine.graph.pi()
    if name in ("numpy.e", "math.e"):
        return machine.graph.exp(machine.number(1))
    if name in ("numpy.inf", "math.inf", "torch.inf", "numpy.Inf", "numpy.infty"):
        return machine.graph.infinite(1)
    if name == "sys.float_info.epsilon":
        return machine.number(Fraction(1, 2**52))
    if name in ("sys.maxsize", "sys.maxint"):
        return 2**62
    return None


def _finfo(machine: Machine, dtype: Any) -> Any:
    name = str(getattr(dtype, "name", dtype))
    digits = 23 if "32" in name else 52
    return Namespace(
        {
            "eps": machine.number(Fraction(1, 2**digits)),
            "tiny": machine.number(Fraction(1, 2**126)),
            "max": machine.number(2**127),
            "min": machine.number(-(2**127)),
        }
    )


def copied(machine: Machine, value: Any, depth: int = 0) -> Any:
    """Return a deep copy."""
    if depth > 20:
        raise Unknown("a copy of what is nested too deep", machine.here[1])
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Tensor):
        return Tensor(value.array.copy())
    if isinstance(value, list | tuple):
        return type(value)([copied(machine, v, depth + 1) for v in value])
    if isinstance(value, dict):
        return {k: copied(machine, v, depth + 1) for k, v in value.items()}
    if isinstance(value, Instance):
        inner = {k: copied(machine, v, depth + 1) for k, v in value.attributes.items()}
        return Instance(value.cls, inner)
    return value


def _shallow(machine: Machine, value: Any) -> Any:
    if isinstance(value, list | dict | np.ndarray):
        return value.copy()
    return Tensor(value.array.copy()) if isinstance(value, Tensor) else value


def _counted(machine: Machine, default: Any = None) -> dict[Any, Any]:
    made = Defaults()
    made.factory = default
    return made


def _elements(machine: Machine, value: Any, **options: Any) -> list[Any]:
    """The elements as views that can be written to, as ``np.nditer`` gives them."""
    flat = value.reshape(-1)
    if not np.shares_memory(flat, value):
        raise Unknown("nditer over an array that is not contiguous", machine.here[1])
    return [flat[i : i + 1].reshape(()) for i in range(flat.size)]


FUNCTIONS["numpy.nditer"] = _elements
FUNCTIONS["copy.deepcopy"] = copied
FUNCTIONS["copy.copy"] = _shallow
FUNCTIONS["numpy.finfo"] = _finfo
FUNCTIONS["torch.finfo"] = _finfo
FUNCTIONS["collections.OrderedDict"] = lambda machine, *pairs: dict(*pairs)
FUNCTIONS["collections.defaultdict"] = _counted
FUNCTIONS["random.random"] = lambda machine: machine.random("unit", ())
FUNCTIONS["random.uniform"] = lambda machine, a, b: machine.random("normal", ())
FUNCTIONS["random.gauss"] = lambda machine, a, b: machine.random("normal", ())
FUNCTIONS["itertools.product"] = lambda machine, *parts: _product(machine, parts)
for _name in ("float64", "float32", "float16", "float_", "double"):
    FUNCTIONS[f"numpy.{_name}"] = lambda machine, x=0: (
        elementwise.cast(machine, x, None) if isinstance(x, np.ndarray) else machine.node(x)
    )
for _name in ("int64", "int32", "int_", "int8", "uint8"):
    FUNCTIONS[f"numpy.{_name}"] = lambda machine, x=0: (
        elementwise.cast(machine, x, "int") if isinstance(x, np.ndarray) else machine.integer(x)
    )


def _product(machine: Machine, parts: Any) -> list[Any]:
    found: list[tuple[Any, ...]] = [()]
    for part in parts:
        items = list(part)
        machine.spend(len(found) * max(len(items), 1))
        found = [(*row, item) for row in found for item in items]
    return found
