"""Names: looked up, bound, and the top level of a module, which runs where it is asked for."""

from __future__ import annotations

import ast
import builtins
from functools import lru_cache
from typing import Any

from symbackprop.auditing.code.faults import Raised, Unknown
from symbackprop.auditing.code.interpreter.builtins import BUILTINS
from symbackprop.auditing.code.interpreter.machine import Machine
from symbackprop.auditing.code.interpreter.values import Library, ModuleScope, Scope

MISSING = object()
# What snippets leave out.
_CUSTOMARY = {"np": "numpy", "numpy": "numpy", "math": "math", "torch": "torch"}


def lookup(machine: Machine, name: str, scope: Scope, line: int = 0) -> Any:
    """Return what a name is bound to.

    Raises:
        Raised: If nothing binds it, as Python's NameError.
    """
    here: Scope | None = scope
    while here is not None:
        if name in here.names and name not in here.globals_:
            return here.names[name]
        if name in here.unbound and name not in here.globals_ | here.outside:
            message = f"local variable {name!r} is read before it is set"
            raise Raised("UnboundLocalError", message, line)
        here = here.outer
    found = of_module(machine, scope.module, name)
    if found is not MISSING:
        return found
    if name in BUILTINS:
        return BUILTINS[name]
    if name in _CUSTOMARY:
        return Library(_CUSTOMARY[name])
    if name in ("__name__", "__file__"):
        return "module"
    if name in _ELSEWHERE or _may_be_bound(scope.module, name):
        raise Unknown(f"the name {name!r} is not known", line)
    raise Raised("NameError", f"name {name!r} is not defined", line)


# Names of Python, of older ones and of notebooks, which programs need not bind.
_ELSEWHERE = frozenset(
    [*dir(builtins), *("unicode", "raw_input", "basestring", "unichr", "file", "get_ipython")]
)


def _may_be_bound(module: ModuleScope, name: str) -> bool:
    """Whether a name may be set where no statement of the top level shows it."""
    for statement in module.module.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Global) and name in node.names:
                return True
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                return True
        if isinstance(statement, ast.If):
            stored = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
            if any(n.id == name and isinstance(n.ctx, ast.Store) for n in stored):
                return True
    return module.module.problem is not None


def of_module(machine: Machine, module: ModuleScope, name: str) -> Any:
    """Return what a module's top level binds a name to; its statements run for it."""
    if name in module.overrides:
        return module.overrides[name]
    if name in module.names:
        return module.names[name]
    statements = module.module.bindings.get(name)
    if not statements:
        return _starred(machine, module, name)
    if name in module.running:
        return MISSING
    module.running.add(name)
    scope = Scope(module, None)
    scope.names = module.names
    last = statements[-1]
    definition = isinstance(last, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)
    try:
        for statement in [last] if definition else _setting(statements):
            machine.execute([statement], scope)
    finally:
        module.running.discard(name)
    if name in module.names:
        module.names[name] = module.found(name, module.names[name])
    return module.names.get(name, MISSING)


def _setting(statements: list[ast.stmt]) -> list[ast.stmt]:
    """What gives a name its value: loops and scripts that go on from there do not run."""
    kept: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.For | ast.While | ast.With):
            if kept or any(isinstance(s, ast.Assign) for s in statements):
                continue
            raise Unknown("a name that a script's loop binds", statement.lineno)
        kept.append(statement)
    return kept


def _starred(machine: Machine, module: ModuleScope, name: str) -> Any:
    for statement in module.module.body:
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            found = imported(machine, module, statement.module or "", statement.level)
            if isinstance(found, ModuleScope):
                value = of_module(machine, found, name)
                if value is not MISSING:
                    return value
    return MISSING


def imported(machine: Machine, module: ModuleScope, name: str, level: int) -> Any:
    """Return the module of an import: one beside the file, or a library's name."""
    outside = not level and name.split(".", maxsplit=1)[0] in LIBRARIES
    known = None if outside else machine.find(name, level, module.module)
    if known is not None and known.path != module.module.path:
        return machine.module(known)
    return Library(ALIASES.get(name, name))


LIBRARIES = frozenset(
    ("numpy", "torch", "jax", "math", "scipy", "autograd", "cupy", "random", "copy", "functools")
)
ALIASES = {
    "jax.numpy": "numpy",
    "autograd.numpy": "numpy",
    "cupy": "numpy",
    "minpy.numpy": "numpy",
    "mxnet.numpy": "numpy",
    "tensorflow.experimental.numpy": "numpy",
    "jax.scipy": "scipy",
}


def bind(machine: Machine, name: str, value: Any, scope: Scope) -> None:
    """Bind a name in the scope that an assignment there means."""
    if name in scope.globals_:
        scope.module.names[name] = value
        return
    if name in scope.outside:
        here = scope.outer
        while here is not None:
            if name in here.names:
                here.names[name] = value
                return
            here = here.outer
    scope.names[name] = value


@lru_cache(maxsize=4096)
def generates(node: ast.FunctionDef) -> bool:
    """Return whether a function yields values."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        here = waiting.pop()
        if isinstance(here, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(here, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(here)
    return False


@lru_cache(maxsize=4096)
def bound_names(node: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """Return the names that a function binds, which are its own throughout."""
    if isinstance(node, ast.Lambda):
        return frozenset()
    found: set[str] = set()
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        here = waiting.pop()
        if isinstance(here, ast.FunctionDef | ast.ClassDef):
            found.add(here.name)
            continue
        if isinstance(here, ast.Lambda | ast.ListComp | ast.GeneratorExp | ast.DictComp):
            continue
        if isinstance(here, ast.Name) and isinstance(here.ctx, ast.Store):
            found.add(here.id)
        waiting += ast.iter_child_nodes(here)
    return frozenset(found)
