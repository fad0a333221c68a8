"""Derives backpropagation: from the equations of one unit to checked NumPy code.

The functions are imported on first use: importing the package loads neither SymPy
nor NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symbackprop.api import (
        check,
        derive,
        generate,
        load,
        total_derivative,
        total_differential,
    )
    from symbackprop.auditing.calling import audit
    from symbackprop.errors import SymbackpropError

__version__ = "0.1.0"
__all__ = [
    "SymbackpropError",
    "__version__",
    "audit",
    "check",
    "derive",
    "generate",
    "load",
    "total_derivative",
    "total_differential",
]

_HOMES = {
    "SymbackpropError": "errors",
    "audit": "auditing.calling",
    "check": "api",
    "derive": "api",
    "generate": "api",
    "load": "api",
    "total_derivative": "api",
    "total_differential": "api",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
