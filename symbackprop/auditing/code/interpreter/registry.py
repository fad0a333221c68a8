"""The table of the functions of libraries that are understood, filled by the modules beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symbackprop.auditing.code.faults import Unknown
from symbackprop.auditing.code.interpreter.machine import Machine
from symbackprop.auditing.code.interpreter.values import Class, Function, Library, Native

Call = Callable[..., Any]
FUNCTIONS: dict[str, Call] = {}


def library(*names: str) -> Callable[[Call], Call]:
    """Enter a function in the table under its dotted names."""

    def enter(function: Call) -> Call:
        for name in names:
            FUNCTIONS[name] = function
        return function

    return enter


def dtype_kind(machine: Machine, dtype: Any) -> str:
    """Return ``real``, ``int`` or ``bool`` for what names a dtype."""
    if dtype is None:
        return "real"
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", "")
    last = str(name).split(".")[-1].lower()
    if isinstance(dtype, Class | Function) or "complex" in last:
        raise Unknown(f"the dtype {last}", machine.here[1])
    if last.startswith("bool"):
        return "bool"
    if last.startswith(("int", "uint", "long", "byte", "short")) or last in ("i", "i4", "i8"):
        return "int"
    return "real"


DTYPE_KINDS = {"numpy.float64": "f", "numpy.int64": "i", "numpy.bool_": "b"}


@library("numpy.dtype")
def _dtype(machine: Machine, dtype: Any) -> Library:
    return dtype_of(dtype_kind(machine, dtype))


@library("numpy.result_type")
def _result_type(machine: Machine, *values: Any) -> Library:
    """The widest of the dtypes: reals before ints before bools."""
    kinds = {
        dtype_kind(machine, v) if isinstance(v, str | Library) else _kind_of(v) for v in values
    }
    return dtype_of(next(kind for kind in ("real", "int", "bool") if kind in kinds))


def _kind_of(value: Any) -> str:
    array = getattr(value, "array", value)
    kind = getattr(getattr(array, "dtype", None), "kind", "O")
    return {"b": "bool", "i": "int", "u": "int"}.get(kind, "real")


def dtype_of(kind: str) -> Library:
    """Return the value that names a dtype."""
    return Library({"real": "numpy.float64", "int": "numpy.int64", "bool": "numpy.bool_"}[kind])


def function_native(name: str) -> Native:
    """Return a function of the table as a value."""
    return Native(name, FUNCTIONS[name])
