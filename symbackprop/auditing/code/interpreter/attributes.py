"""Attributes: of objects of the program by name, of everything else by table alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.faults import Raised, Unknown
from symbackprop.auditing.code.interpreter import elementwise, indexing
from symbackprop.auditing.code.interpreter.builtins import methods_of
from symbackprop.auditing.code.interpreter.libraries import constant, member
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, kind_of, nodes, plain
from symbackprop.auditing.code.interpreter.registry import DTYPE_KINDS, FUNCTIONS, dtype_of
from symbackprop.auditing.code.interpreter.scopes import MISSING, of_module
from symbackprop.auditing.code.interpreter.tensors import TENSOR_METHODS, in_place
from symbackprop.auditing.code.interpreter.values import (
    Array,
    Bound,
    Class,
    Extents,
    Function,
    Instance,
    Library,
    ModuleScope,
    Namespace,
    Native,
    Super,
    Tensor,
)

_ARRAY_METHODS = (
    *("sum", "mean", "max", "min", "prod", "var", "std", "argmax", "argmin", "argsort", "any"),
    *("all", "dot", "reshape", "transpose", "squeeze", "ravel", "swapaxes", "cumsum", "clip"),
    *("repeat", "take", "trace", "nonzero", "diagonal", "round"),
)


def attribute(machine: Machine, value: Any, name: str) -> Any:
    """Return ``value.name``.

    Raises:
        Raised: If there is none, as Python's AttributeError.
        Unknown: If there may be one that the tables lack.
    """
    for kind, handler in _HANDLERS:
        if isinstance(value, kind):
            return handler(machine, value, name)
    methods = methods_of(value)
    if methods is not None:
        if name in methods:
            return _bound(name, methods[name], value)
        if machine.input_name(value) is None and name in ("shape", "T", "dot", "sum"):
            raise Raised("AttributeError", f"{kind_of(value)} has no {name}", machine.here[1])
        raise Unknown(f"the method {name} of {kind_of(value)}", machine.here[1])
    message = f"{kind_of(value)} has no attribute {name!r}"
    if value is None or machine.input_name(value) is not None:
        raise machine.misused(value, "object", message)
    raise Unknown(message, machine.here[1])


def _bound(name: str, call: Callable[..., Any], value: Any) -> Native:
    return Native(name, lambda machine, *a, **k: call(machine, value, *a, **k))


def _instance(machine: Machine, value: Instance, name: str) -> Any:
    if name in value.attributes:
        return value.attributes[name]
    found = value.cls.find(name)
    if found is not None:
        return _of_class(machine, found, value)
    if name == "__class__":
        return value.cls
    if name == "__dict__":
        return value.attributes
    library = [base for base in value.cls.lineage() if isinstance(base, Library)]
    if any(base.name != "object" for base in library):
        if name in ("register_buffer", "register_parameter"):
            return Native(name, lambda machine, n, v: value.attributes.update({n: v}))
        if name == "training":
            return True
    raise Raised("AttributeError", f"{value.cls.name} has no attribute {name!r}", machine.here[1])


def _of_class(machine: Machine, found: Any, receiver: Instance) -> Any:
    if not isinstance(found, Function):
        return found
    if found.kind == "staticmethod":
        return found
    if found.kind == "property":
        return machine.call(found, [receiver], {})
    return Bound(found, receiver.cls if found.kind == "classmethod" else receiver)


def _class(machine: Machine, value: Class, name: str) -> Any:
    found = value.find(name)
    if found is not None:
        return Bound(found, value) if getattr(found, "kind", "") == "classmethod" else found
    if name == "__name__":
        return value.name
    if name == "apply":
        return _applied(machine, value)
    raise Raised("AttributeError", f"{value.name} has no attribute {name!r}", machine.here[1])


def _applied(machine: Machine, value: Class) -> Native:
    """The function of an autograd class: its forward, with a context of its own."""

    def run(machine: Machine, *arguments: Any) -> Any:
        forward = value.find("forward")
        if forward is None:
            raise Unknown(f"{value.name}.apply", machine.here[1])
        return machine.call(forward, [new_context(), *arguments], {})

    return Native("apply", run)


def new_context() -> Namespace:
    """Return the context that an autograd function is given."""
    return Namespace({"needs_input_grad": (True,) * 12})


def _super(machine: Machine, value: Super, name: str) -> Any:
    lineage = value.receiver.cls.lineage() if isinstance(value.receiver, Instance) else []
    after = lineage[lineage.index(value.cls) + 1 :] if value.cls in lineage else []
    for base in after:
        if isinstance(base, Class) and name in base.names:
            return _of_class(machine, base.names[name], value.receiver)
    if name == "__init__" or any(isinstance(base, Library) for base in after):
        return Native(name, lambda machine, *a, **k: None)
    raise Raised("AttributeError", f"no base has {name!r}", machine.here[1])


def _namespace(machine: Machine, value: Namespace, name: str) -> Any:
    if name in value.attributes:
        return value.attributes[name]
    if name == "save_for_backward":
        return Native(
            name, lambda machine, *saved: value.attributes.update({"saved_tensors": saved})
        )
    if name in ("mark_dirty", "mark_non_differentiable", "set_materialize_grads"):
        return Native(name, lambda machine, *arguments: None)
    if name == "saved_variables" and "saved_tensors" in value.attributes:
        return value.attributes["saved_tensors"]
    if name in _OF_CONTEXTS:
        raise Unknown(f"the attribute {name} of a context", machine.here[1])
    raise Raised("AttributeError", f"no attribute {name!r} was set", machine.here[1])


_OF_CONTEXTS = (
    *("saved_tensors", "saved_variables", "saved_for_forward", "save_for_forward", "fwd_args"),
    *("to_save", "next_functions", "metadata", "name", "materialize_grads", "dirty_tensors"),
)


def _library(machine: Machine, value: Library, name: str) -> Any:
    if name == "kind" and value.name in DTYPE_KINDS:
        return DTYPE_KINDS[value.name]
    full = member(value.name, name)
    if full.name == "numpy.newaxis":
        return None
    found = constant(machine, full.name)
    return full if found is None else found


def _module(machine: Machine, value: ModuleScope, name: str) -> Any:
    found = of_module(machine, value, name)
    if found is MISSING:
        raise Raised("AttributeError", f"the module has no {name!r}", machine.here[1])
    return found


def _array(machine: Machine, value: Array, name: str) -> Any:
    if name == "shape":
        return Extents(tuple(value.shape), value)
    if name in ("ndim", "size"):
        return getattr(value, name)
    if name == "T":
        return value.T
    if name in ("real", "data"):
        return value
    if name == "flat":
        return [plain(v) for v in value.ravel()]
    if name == "dtype":
        return dtype_of(_kind(value))
    if name in ("flatten", "copy"):
        order: Callable[..., Any] = np.ndarray.flatten if name == "flatten" else np.ndarray.copy
        return Native(name, lambda machine, order_="C", **k: order(value))
    if name == "astype":
        return Native(name, lambda machine, dtype, **k: _astype(machine, value, dtype))
    if name in ("item", "tolist"):
        return Native(name, lambda machine, *place: _item(machine, value, name, place))
    if name == "fill":
        return Native(name, lambda machine, new: indexing.write(machine, value, Ellipsis, new))
    if name in ("sort",):
        return Native(name, lambda machine, axis=-1: value.sort(axis=axis))
    if name == "at":
        return Library("jax.at")
    if name in _ARRAY_METHODS:
        return _bound(name, FUNCTIONS[f"numpy.{name}"], value)
    message = f"an array has no attribute {name!r}"
    if name in elementwise.SCALARS or f"numpy.{name}" in FUNCTIONS or name in TENSOR_METHODS:
        raise machine.misused(value, "tensor", message)
    raise machine.misused(value, "object", message)


def _kind(value: Array) -> str:
    return "real" if value.dtype == object else "bool" if value.dtype == bool else "int"


def _astype(machine: Machine, value: Array, dtype: Any) -> Any:
    return elementwise.cast(machine, value, dtype)


def _item(machine: Machine, value: Array, name: str, place: tuple[Any, ...]) -> Any:
    if name == "tolist":
        return value.tolist()
    if place:
        return indexing.read(machine, value, place if len(place) > 1 else place[0])
    if value.size != 1:
        raise Raised("ValueError", "item() of more than one element", machine.here[1])
    return plain(value.reshape(-1)[0])


def _tensor(machine: Machine, value: Tensor, name: str) -> Any:
    if name == "shape":
        return Extents(tuple(value.array.shape), value)
    if name in ("T", "mT"):
        return Tensor(value.array.T)
    if name == "ndim":
        return value.array.ndim
    if name == "data":
        return value
    if name == "dtype":
        kind = _kind(value.array)
        return Library({"real": "torch.float64", "int": "torch.int64", "bool": "torch.bool"}[kind])
    if name in ("device", "layout"):
        return Library("torch." + name)
    if name in ("requires_grad", "is_cuda"):
        return name == "requires_grad"
    if name in ("grad", "grad_fn"):
        return None
    if name in TENSOR_METHODS:
        return _bound(name, TENSOR_METHODS[name], value)
    if name.endswith("_") and name[:-1] in TENSOR_METHODS:
        return Native(name, lambda machine, *a, **k: in_place(machine, name[:-1], value, a, k))
    raise Unknown(f"the method {name} of a tensor", machine.here[1])


_OF_NUMBERS = ("item", "copy", "astype", "sum", "mean", "clip", "dtype", "size", "shape")


def _number(machine: Machine, value: Any, name: str) -> Any:
    exact = value.constant if isinstance(value, Node) else None
    if name == "is_integer" and exact is not None:
        return Native(name, lambda machine: exact.denominator == 1)
    free = isinstance(value, Node) and value.function == "input"
    if free and name not in _OF_NUMBERS:
        raise machine.misused(value, "array", f"a number has no attribute {name!r}")
    if isinstance(value, bool | int) and name not in ("item", "copy", "astype", "clip", "sum"):
        if name == "shape":
            return ()
        raise machine.misused(value, "array", f"an int has no attribute {name!r}")
    found = _array(machine, nodes(machine, as_array(machine, value)), name)
    if not isinstance(found, Native):
        return found
    return Native(name, lambda machine, *a, **k: plain(_out(found.call(machine, *a, **k))))


def _out(value: Any) -> Any:
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _function(machine: Machine, value: Any, name: str) -> Any:
    if name == "__name__":
        return getattr(value, "name", "method")
    message = f"a function has no attribute {name!r}"
    if machine.input_name(value) is not None:
        raise machine.misused(value, "object", message)
    raise Raised("AttributeError", message, machine.here[1])


_HANDLERS: tuple[tuple[Any, Callable[[Machine, Any, str], Any]], ...] = (
    (Instance, _instance),
    (Class, _class),
    (np.ndarray, _array),
    (Tensor, _tensor),
    (Library, _library),
    (Super, _super),
    (Namespace, _namespace),
    (ModuleScope, _module),
    (Node, _number),
    (bool | int, _number),
    (Function | Bound | Native, _function),
)
