"""Python's own functions, and the methods of lists, dicts and strings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.faults import Misused, Raised, Unknown
from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.elementwise import _around, mapped
from symbackprop.auditing.code.interpreter.machine import (
    MOST_LENGTH,
    Machine,
    kind_of,
    plain,
)
from symbackprop.auditing.code.interpreter.objects import get_item, iterate, method, store
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS
from symbackprop.auditing.code.interpreter.values import (
    Bound,
    Class,
    Extents,
    Function,
    Instance,
    Library,
    Namespace,
    Native,
    Tensor,
)

MOST_ROUNDS = 20_000


def _range(machine: Machine, *bounds: Any) -> Any:
    numbers = [machine.integer(b, "a bound of a range") for b in bounds]
    if len(numbers) == 3 and numbers[2] == 0:
        raise Raised("ValueError", "range() arg 3 must not be zero", machine.here[1])
    made = range(*numbers)
    try:
        size = len(made)
    except OverflowError:
        size = MOST_ROUNDS + 1
    if size > MOST_ROUNDS:
        raise Unknown(f"a range of more than {MOST_ROUNDS} numbers", machine.here[1])
    return made


def _len(machine: Machine, value: Any) -> int:
    own = method(value, "__len__")
    if own is not None:
        return machine.integer(machine.call(own, [], {}))
    value = value.array if isinstance(value, Tensor) else value
    if isinstance(value, np.ndarray) and value.ndim:
        return len(value)
    if isinstance(value, list | tuple | dict | str | range | set | frozenset):
        return len(value)
    raise machine.misused(value, "array", f"len() of {kind_of(value)}")


def _zip(machine: Machine, *values: Any, strict: Any = False) -> Any:
    return list(zip(*(iterate(machine, v) for v in values), strict=False))


def _enumerate(machine: Machine, value: Any, start: Any = 0) -> Any:
    return list(enumerate(iterate(machine, value), machine.integer(start)))


def _map(machine: Machine, function: Any, *values: Any) -> Any:
    rounds = zip(*(iterate(machine, v) for v in values), strict=False)
    return [machine.call(function, list(items), {}) for items in rounds]


def _filter(machine: Machine, function: Any, values: Any) -> Any:
    return [
        v
        for v in iterate(machine, values)
        if operators.truth(machine, machine.call(function, [v], {}))
    ]


def _add_up(machine: Machine, values: Any, start: Any = 0) -> Any:
    result = start
    name, operation = "add", lambda a, b: a + b
    for value in iterate(machine, values):
        result = operators.binary(machine, name, operation, result, value, False)
    return result


def _extreme(larger: bool) -> Callable[..., Any]:
    def pick(machine: Machine, *values: Any, key: Any = None, default: Any = None) -> Any:
        items = iterate(machine, values[0]) if len(values) == 1 else list(values)
        if not items:
            if default is None:
                raise Raised("ValueError", "the largest of nothing", machine.here[1])
            return default
        best = items[0]
        name, operation = ("gt", lambda a, b: a > b) if larger else ("lt", lambda a, b: a < b)
        for item in items[1:]:
            one, other = ((v if key is None else machine.call(key, [v], {})) for v in (item, best))
            if operators.truth(machine, operators.compare(machine, name, operation, one, other)):
                best = item
        return best

    return pick


def _int(machine: Machine, value: Any = 0) -> Any:
    value = value.array if isinstance(value, Tensor) else value
    if isinstance(value, np.ndarray) and value.size == 1:
        value = plain(value.reshape(-1)[0])
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, str):
        if len(value) > 18 or not value.strip().lstrip("+-").isdigit():
            raise Raised("ValueError", "int() of a text", machine.here[1])
        return int(value)
    node = machine.node(value, "int()")
    if node.function == "input":
        raise machine.misused(node, "int", "int() of an input")
    if node.constant is not None:
        return int(node.constant)
    floor = machine.graph.floor(node if node.value >= 0 else -node).constant
    assert floor is not None
    return int(floor) if node.value >= 0 else -int(floor)


def _float(machine: Machine, value: Any = 0) -> Any:
    if isinstance(value, str):
        if value.strip("+-").lower() in ("inf", "infinity"):
            return machine.graph.infinite(-1 if value.startswith("-") else 1)
        raise Unknown("float() of a text", machine.here[1])
    return machine.node(value, "float()")


def _isinstance(machine: Machine, value: Any, kinds: Any) -> bool:
    if isinstance(kinds, tuple):
        return any(_isinstance(machine, value, kind) for kind in kinds)
    if isinstance(kinds, Class):
        if not isinstance(value, Instance) and machine.input_name(value) is not None:
            raise machine.misused(value, "object", f"isinstance of {kinds.name}")
        return isinstance(value, Instance) and kinds in value.cls.lineage()
    name = getattr(kinds, "name", "").split(".")[-1]
    known: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (Node,),
        "list": (list,),
        "tuple": (tuple,),
        "dict": (dict,),
        "str": (str,),
        "ndarray": (np.ndarray,),
        "Tensor": (Tensor,),
        "bool": (bool,),
        "integer": (int,),
        "floating": (Node,),
        "Number": (Node, int),
    }
    if name not in known:
        raise Unknown(f"isinstance of {name or kind_of(kinds)}", machine.here[1])
    if name in ("integer", "floating"):
        return False
    return isinstance(value, known[name])


def _getattr(machine: Machine, value: Any, name: Any, *default: Any) -> Any:
    try:
        return machine.attribute(value, str(name))
    except Raised:
        if default:
            return default[0]
        raise


def _hasattr(machine: Machine, value: Any, name: Any) -> bool:
    try:
        machine.attribute(value, str(name))
    except Misused:  # an input, which may be another kind of thing than it was taken for
        raise
    except Raised:
        return False
    return True


def _sorted(machine: Machine, value: Any, key: Any = None, reverse: Any = False) -> Any:
    items = iterate(machine, value)
    keys = [v if key is None else machine.call(key, [v], {}) for v in items]
    try:
        order = sorted(range(len(items)), key=lambda i: keys[i], reverse=bool(reverse))
    except TypeError as error:
        raise Unknown("a sort", machine.here[1]) from error
    return [items[i] for i in order]


def _text(machine: Machine, value: Any = "") -> str:
    return str(value)[:200] if isinstance(value, str | int) else kind_of(value)


def _absolute(machine: Machine, value: Any) -> Any:
    if isinstance(value, bool | int):
        return abs(value)
    return mapped(machine, lambda m, u: abs(u), value)


def _rounded(machine: Machine, value: Any, digits: Any = 0) -> Any:
    return value if isinstance(value, int) else _around(machine, value, digits)


def _kind(machine: Machine, value: Any) -> Any:
    if isinstance(value, Instance):
        return value.cls
    raise Unknown(f"type() of {kind_of(value)}", machine.here[1])


def _quiet(machine: Machine, *arguments: Any, **keywords: Any) -> None:
    return None


# What files hold is unknown; a text of few characters, since programs count what it has.
_TEXT = "abacabadefab"


def _open(machine: Machine, *arguments: Any, **options: Any) -> Namespace:
    read = Native("read", lambda machine, *size: _TEXT)
    lines = Native("readlines", lambda machine: [_TEXT])
    return Namespace({"read": read, "readlines": lines, "close": Native("close", _quiet)})


_TABLE: dict[str, Callable[..., Any]] = {
    "range": _range,
    "xrange": _range,
    "len": _len,
    "zip": _zip,
    "enumerate": _enumerate,
    "map": _map,
    "filter": _filter,
    "sum": _add_up,
    "max": _extreme(True),
    "min": _extreme(False),
    "abs": _absolute,
    "int": _int,
    "long": _int,
    "float": _float,
    "bool": lambda machine, value=False: operators.truth(machine, value),
    "str": _text,
    "repr": _text,
    "list": lambda machine, value=(): list(iterate(machine, value)),
    "tuple": lambda machine, value=(): tuple(iterate(machine, value)),
    "set": lambda machine, value=(): set(iterate(machine, value)),
    "dict": lambda machine, value=(), **pairs: {**_pairs(machine, value), **pairs},
    "reversed": lambda machine, value: list(iterate(machine, value))[::-1],
    "sorted": _sorted,
    "round": _rounded,
    "pow": lambda machine, a, b: operators.binary(machine, "pow", pow, a, b, False),
    "isinstance": _isinstance,
    "getattr": _getattr,
    "hasattr": _hasattr,
    "setattr": lambda machine, value, name, new: store(machine, value, str(name), new),
    "callable": lambda machine, value: isinstance(
        value, Function | Bound | Native | Class | Library
    ),
    "print": _quiet,
    "open": _open,
    "any": lambda machine, value: any(operators.truth(machine, v) for v in iterate(machine, value)),
    "all": lambda machine, value: all(operators.truth(machine, v) for v in iterate(machine, value)),
    "type": _kind,
    "id": lambda machine, value: 0,
    "iter": lambda machine, value: list(iterate(machine, value)),
    "divmod": lambda machine, a, b: (
        operators.binary(machine, "floordiv", lambda u, v: u // v, a, b, False),
        operators.binary(machine, "mod", lambda u, v: u % v, a, b, False),
    ),
    "slice": lambda machine, *bounds: slice(*bounds),
    "reduce": lambda machine, function, values, *start: _folded(machine, function, values, start),
}


def _pairs(machine: Machine, value: Any) -> dict[Any, Any]:
    if isinstance(value, dict):
        return dict(value)
    return dict(iterate(machine, value))


def _folded(machine: Machine, function: Any, values: Any, start: tuple[Any, ...]) -> Any:
    items = [*start, *iterate(machine, values)]
    result = items[0]
    for item in items[1:]:
        result = machine.call(function, [result, item], {})
    return result


FUNCTIONS["functools.reduce"] = _TABLE["reduce"]
_VALUES = {"NotImplemented": None, "Ellipsis": Ellipsis, "__debug__": True}
BUILTINS: dict[str, Any] = {**{name: Native(name, f) for name, f in _TABLE.items()}, **_VALUES}
BUILTINS["object"] = Library("object")
BUILTINS["staticmethod"] = Native("staticmethod", lambda machine, function: function)
for _name in ("Exception", "ValueError", "TypeError", "NotImplementedError", "KeyError"):
    BUILTINS[_name] = Library(_name)


def _append(machine: Machine, value: list[Any], item: Any) -> None:
    if len(value) >= MOST_LENGTH:
        raise Unknown("a list too long", machine.here[1])
    value.append(item)


def _pop(machine: Machine, value: Any, index: Any = -1, *default: Any) -> Any:
    if isinstance(value, dict):
        return value.pop(index, *default) if default or index in value else None
    if not value:
        raise Raised("IndexError", "pop from an empty list", machine.here[1])
    return value.pop(machine.integer(index))


def _get(machine: Machine, value: dict[Any, Any], key: Any, default: Any = None) -> Any:
    return get_item(machine, value, key) if key in value else default


LIST_METHODS: dict[str, Callable[..., Any]] = {
    "append": _append,
    "extend": lambda machine, value, items: value.extend(iterate(machine, items)),
    "insert": lambda machine, value, place, item: value.insert(machine.integer(place), item),
    "pop": _pop,
    "reverse": lambda machine, value: value.reverse(),
    "copy": lambda machine, value: list(value),
    "clear": lambda machine, value: value.clear(),
    "index": lambda machine, value, item: value.index(item),
    "count": lambda machine, value, item: value.count(item),
}
TUPLE_METHODS: dict[str, Callable[..., Any]] = {
    "index": lambda machine, value, item: value.index(item),
    "count": lambda machine, value, item: value.count(item),
    "numel": lambda machine, value: int(np.prod(value)),
}
DICT_METHODS: dict[str, Callable[..., Any]] = {
    "keys": lambda machine, value: list(value),
    "values": lambda machine, value: list(value.values()),
    "items": lambda machine, value: list(value.items()),
    "iteritems": lambda machine, value: list(value.items()),
    "get": _get,
    "pop": _pop,
    "update": lambda machine, value, other=(), **pairs: value.update(
        {**_pairs(machine, other), **pairs}
    ),
    "setdefault": lambda machine, value, key, default=None: value.setdefault(key, default),
    "copy": lambda machine, value: dict(value),
    "clear": lambda machine, value: value.clear(),
}
# Text is formatted for messages alone: its fields are not looked up.
STRING_METHODS: dict[str, Callable[..., Any]] = {
    "format": lambda machine, value, *a, **k: _formatted(value, a),
    "lower": lambda machine, value: value.lower(),
    "upper": lambda machine, value: value.upper(),
    "strip": lambda machine, value, *a: value.strip(*a),
    "startswith": lambda machine, value, start: value.startswith(start),
    "endswith": lambda machine, value, end: value.endswith(end),
    "replace": lambda machine, value, old, new: value.replace(old, new)[:1000],
    "split": lambda machine, value, *a: value.split(*a),
    "join": lambda machine, value, items: value.join(map(str, iterate(machine, items)))[:1000],
}


def _formatted(value: str, arguments: tuple[Any, ...]) -> str:
    for argument in arguments[:20]:
        if isinstance(argument, int | str):
            value = value.replace("{}", str(argument)[:100], 1)
    for place, argument in enumerate(arguments[:10]):
        if isinstance(argument, int | str):
            value = value.replace(f"{{{place}}}", str(argument)[:100])
    return value[:1000]


def methods_of(value: Any) -> dict[str, Callable[..., Any]] | None:
    """Return the methods of a value of Python's own types."""
    if isinstance(value, list):
        return LIST_METHODS
    if isinstance(value, dict):
        return DICT_METHODS
    if isinstance(value, str):
        return STRING_METHODS
    if isinstance(value, tuple | Extents):
        return TUPLE_METHODS
    return None
