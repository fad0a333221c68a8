"""The values of an interpreted program that Python and NumPy do not have themselves."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from symbackprop.auditing.code.source import Module

# NumPy's stubs know no arrays of objects.
Array = Any


class Scope:
    """Names of a function call, a class body or a module, within what surrounds it."""

    __slots__ = ("globals_", "module", "names", "outer", "outside", "owner", "unbound", "yielded")

    def __init__(
        self, module: ModuleScope, outer: Scope | None, owner: Class | None = None
    ) -> None:
        self.names: dict[str, Any] = {}
        self.module = module
        self.outer = outer
        self.owner = owner
        self.globals_: set[str] = set()
        self.outside: set[str] = set()
        self.unbound: frozenset[str] = frozenset()
        # What a generator gave so far: it runs to its end before its values are used.
        self.yielded: list[Any] = []


@dataclass
class ModuleScope:
    """A module whose top-level statements run when a name that they bind is looked up.

    `found` may put another value in place of the one that a name was bound to.
    """

    module: Module
    names: dict[str, Any] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    overrides: dict[str, Any] = field(default_factory=dict)
    found: Callable[[str, Any], Any] = lambda name, value: value


@dataclass(eq=False)
class Function:
    """A function or lambda with the scope that it was made in."""

    name: str
    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    defaults: list[Any]
    keyword_defaults: dict[str, Any]
    kind: str = "function"  # or staticmethod, classmethod, property
    owner: Class | None = None

    @property
    def qualified(self) -> str:
        """The name with that of the class."""
        return f"{self.owner.name}.{self.name}" if self.owner else self.name


@dataclass(eq=False)
class Bound:
    """A method with the object that it is called on."""

    function: Any
    receiver: Any


@dataclass(eq=False)
class Class:
    """A class of the program."""

    name: str
    node: ast.ClassDef
    bases: list[Any]
    names: dict[str, Any]
    module: ModuleScope

    def lineage(self) -> list[Any]:
        """Return the class and its bases, nearest first."""
        found: list[Any] = [self]
        for base in self.bases:
            found += base.lineage() if isinstance(base, Class) else [base]
        return [c for i, c in enumerate(found) if c not in found[i + 1 :]]

    def find(self, name: str) -> Any:
        """Return what the class or a base binds a name to, or None."""
        for cls in self.lineage():
            if isinstance(cls, Class) and name in cls.names:
                return cls.names[name]
        return None


@dataclass(eq=False)
class Instance:
    """An object of a class of the program."""

    cls: Class
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Super:
    """What ``super()`` gives."""

    cls: Class
    receiver: Any


@dataclass(frozen=True)
class Library:
    """A module, class or function of a library, by its dotted name."""

    name: str


@dataclass(eq=False)
class Namespace:
    """An object with attributes and nothing else, such as the context of an autograd function."""

    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Tensor:
    """A PyTorch tensor: the same storage as an array, other methods."""

    array: Array


@dataclass(eq=False)
class Native:
    """A function of a table."""

    name: str
    call: Callable[..., Any]


class Defaults(dict[Any, Any]):
    """A dict that makes what it lacks."""

    factory: Any = None
    keyed = False


class Extents(tuple[int, ...]):
    """A shape that remembers what it is the shape of."""

    array: Any

    def __new__(cls, values: tuple[int, ...], array: Any) -> Extents:
        """Return a shape of an array."""
        made = super().__new__(cls, values)
        made.array = array
        return made
