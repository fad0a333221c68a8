"""What a derivative claims: which of its values is the gradient by which variable."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.interpreter.values import Array, Instance, Tensor
from symbackprop.auditing.code.pairs import Pair
from symbackprop.auditing.code.running import Followed, Target


@dataclass(frozen=True)
class Claim:
    """One gradient that a derivative gives.

    Attributes:
        variable: The variable as the file spells it; several arrays of a list are one.
        names: The inputs that it is made of.
        values: The claimed arrays of nodes, one for each of them.
        spelled: The name that the gradient has.
        update: Whether it is seen in an update alone, and so known up to a positive factor.
    """

    variable: str
    names: tuple[str, ...]
    values: tuple[Array, ...]
    spelled: str
    update: bool = False


def as_nodes(followed: Followed, value: Any) -> Array | None:
    """Return a value as an array of nodes, or None if it is none."""
    if isinstance(value, Tensor):
        value = value.array
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | Node):
        number: Array = np.empty((), dtype=object)
        number[()] = followed.machine.node(value)
        return number
    if isinstance(value, np.ndarray):
        made = np.empty(value.shape, dtype=object)
        for place in np.ndindex(*value.shape):
            made[place] = followed.machine.node(value[place])
        return made
    return None


def variables(followed: Followed, wanted: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the variables that may have a gradient, each with the inputs that it is made of."""
    found: dict[str, list[str]] = {}
    aliases = unpacked(followed)
    for name, alias in aliases.items():
        found[alias] = [name]
    for name in followed.inputs.originals:
        if name in followed.inputs.setup.aliases.values() or name.startswith("random "):
            continue
        if name != followed.upstream and not naming.names_rate(name):
            found.setdefault(name, []).append(name)
            group = re.sub(r"\[\d+\]$", "", name)
            if group != name:
                found.setdefault(group, []).append(name)
    if not wanted:
        parts = {name.partition("[")[0] for name in aliases}
        return {
            k: tuple(v)
            for k, v in found.items()
            if not re.search(r"\[\d+\]$", k) and k not in parts
        }
    chosen = {}
    for name in wanted:
        known = next(
            (k for k in found if _plain(k) == _plain(name)),
            next((k for k in found if naming.last(k) == naming.last(name)), None),
        )
        if known is not None:
            chosen[name] = tuple(found[known])
    return chosen


def unpacked(followed: Followed) -> dict[str, str]:
    """Return the names that the function itself gives to the parts of a list of parameters."""
    found = {}
    for name, value in {**followed.locals, **followed.names}.items():
        own = followed.machine.input_name(value) if isinstance(value, np.ndarray | Tensor) else None
        if own is not None and re.fullmatch(r"\w+\[\d+\]", own):
            found[own] = name
    return found


def _plain(name: str) -> str:
    return name.replace('"', "'").replace(" ", "")


def gathered(followed: Followed) -> Iterator[tuple[str, Any, bool]]:
    """Yield every value that may be a gradient: its spelled name, itself, whether returned."""
    if isinstance(followed.result, dict):
        for key, value in followed.result.items():
            yield from _flat(str(key), value, True)
    yield from _returned(followed.backward, followed.result)
    for name, value in followed.after.items():
        before = followed.before.get(name)
        if name.startswith("self.") and not _same(before, value):
            yield from _flat(name, value, False)


def _returned(target: Target, result: Any) -> Iterator[tuple[str, Any, bool]]:
    names = _return_names(target.node)
    if isinstance(result, tuple):
        spelled = (
            names if len(names) == len(result) else [f"result[{i}]" for i in range(len(result))]
        )
        for name, part in zip(spelled, result, strict=True):
            yield from _flat(name, part, True)
    else:
        yield from _flat(names[0] if len(names) == 1 else "result", result, True)


def _return_names(node: Any) -> list[str]:
    if not isinstance(node, ast.FunctionDef):
        return []
    for here in reversed(list(ast.walk(node))):
        if isinstance(here, ast.Return) and here.value is not None:
            parts = here.value.elts if isinstance(here.value, ast.Tuple) else [here.value]
            own = {a.arg for a in node.args.args}
            return [_spelled(p, i, own) for i, p in enumerate(parts)]
    return []


def _spelled(node: ast.expr, place: int, parameters: set[str]) -> str:
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return ast.unparse(node)
    # `dw / N` and `dx.T` keep the name of what they are made of.
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id not in parameters]
    marked = [n for n in names if naming.names_gradient(n)]
    return (
        marked[0] if len(set(marked)) == 1 and isinstance(node, ast.BinOp) else f"result[{place}]"
    )


def _flat(name: str, value: Any, returned: bool, depth: int = 0) -> Iterator[tuple[str, Any, bool]]:
    if depth > 4:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}[{key!r}]", inner, returned, depth + 1)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _flat(f"{name}[{place}]", inner, returned, depth + 1)
    elif isinstance(value, Instance):
        for key, inner in value.attributes.items():
            yield from _flat(f"{name}.{key}", inner, returned, depth + 1)
    elif isinstance(value, np.ndarray | Tensor | Node | int) and not isinstance(value, bool):
        yield name, value, returned


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        return before.shape == after.shape and all(
            a is b or (not isinstance(a, Node) and bool(a == b))
            for a, b in zip(before.flat, after.flat, strict=True)
        )
    return before is after


def claims(followed: Followed, wanted: tuple[str, ...]) -> list[Claim]:
    """Return the gradients that the derivative gives, by the wanted variables or by all."""
    values = [
        (n, v, r) for n, v, r in gathered(followed) if r or n not in followed.inputs.originals
    ]
    candidates = variables(followed, wanted)
    found: list[Claim] = []
    for variable, names in candidates.items():
        claim = _by_name(followed, variable, names, values) or _by_update(followed, variable, names)
        if claim is not None:
            found.append(claim)
    found += _unnamed(followed, candidates, found, values)
    taken = {c.spelled for c in found}
    rest = [v for v in values if v[0] not in taken and v[2] and _is_array_like(v[1])]
    left = {
        k: v
        for k, v in candidates.items()
        if k not in {c.variable for c in found} and (wanted or not _is_setting(followed, k, v))
    }
    found += _by_position(followed, left, rest, bool(wanted), bool(found))
    return found


def claimed(followed: Followed, pair: Pair) -> list[Claim]:
    """Return all gradients that a run gives: the named ones as they are spelled, then the rest."""
    found = [c for c in claims(followed, ()) if not naming.names_label(naming.last(c.variable))]
    if not pair.wrt:
        return found
    named = claims(followed, pair.wrt)
    return [*named, *(c for c in found if c.names not in {n.names for n in named})]


def _is_setting(followed: Followed, name: str, names: tuple[str, ...]) -> bool:
    """Whether a variable is a number among arrays: its gradient has to be named to be meant."""
    ranks = [a.ndim for a in followed.inputs.originals.values()]
    return max(ranks) > 0 and all(followed.inputs.originals[n].ndim == 0 for n in names)


def _unnamed(
    followed: Followed,
    candidates: dict[str, tuple[str, ...]],
    found: list[Claim],
    values: list[tuple[str, Any, bool]],
) -> list[Claim]:
    """What is stored as the gradient and no more: that of the one parameter of its shape."""
    known = {c.variable for c in found}
    result = []
    for spelled, value, returned in values:
        if returned or not naming.names_gradient(spelled) or naming.stem(spelled):
            continue
        array = as_nodes(followed, value)
        fits = [
            v
            for v, names in candidates.items()
            if v not in known
            and len(names) == 1
            and v.startswith("self.")
            and array is not None
            and followed.inputs.originals[names[0]].shape == array.shape
        ]
        if len(fits) == 1 and array is not None:
            result.append(Claim(fits[0], candidates[fits[0]], (array,), spelled))
    return result


def _is_array_like(value: Any) -> bool:
    return isinstance(value, np.ndarray | Tensor | Node | int)


def _by_name(
    followed: Followed, variable: str, names: tuple[str, ...], values: list[tuple[str, Any, bool]]
) -> Claim | None:
    """The gradient whose name is the variable's with a mark."""
    chosen: list[Array] = []
    first = ""
    for name in names:
        place = re.search(r"(\[\d+\])$", name)
        stem = naming.stem(re.sub(r"\[\d+\]$", "", name))
        fits = []
        for spelled, value, _ in values:
            own = re.search(r"(\[\d+\])$", spelled)
            if place is not None and (own is None or own[1] != place[1]):
                continue
            base = re.sub(r"\[\d+\]$", "", spelled)
            if _is_entry(base, name):
                fits.append((False, spelled, value))
            elif naming.names_gradient(base) and _alike(naming.stem(base), stem):
                fits.append((naming.stem(base) != stem, spelled, value))
        fits.sort(key=lambda fit: fit[0])
        array = as_nodes(followed, fits[0][2]) if fits else None
        if array is None:
            return None
        chosen.append(array)
        first = first or fits[0][1]
    return Claim(variable, names, tuple(chosen), first)


def _is_entry(spelled: str, name: str) -> bool:
    """Whether a value is what a dict of gradients has for a variable: grads['W1'] for W1."""
    container = spelled.partition("[")[0]
    return (
        container != spelled
        and naming.names_gradient(container)
        and naming.last(spelled) == naming.last(name)
    )


_SHORT = {"w": "weights", "b": "biases", "x": "input", "k": "kernels"}


def _alike(a: str, b: str) -> bool:
    if a == b:
        return True
    if not a or not b:
        return False
    short, long = sorted((a, b), key=len)
    return _SHORT.get(short, "").startswith(long) or (
        len(short) > 3 and (long.startswith(short) or long == short + "s")
    )


def _by_update(followed: Followed, variable: str, names: tuple[str, ...]) -> Claim | None:
    """The gradient that is visible only in the change of the variable itself."""
    arrays = []
    for name in names:
        before, after = _at(followed.before, name), _at(followed.after, name)
        if not isinstance(before, np.ndarray) or not isinstance(after, np.ndarray):
            return None
        if before.shape != after.shape or _same(before, after):
            return None
        arrays.append(before - after)
    rates = [n for n in followed.inputs.values if naming.names_rate(n)]
    rates += [n for n in followed.inputs.originals if naming.names_rate(n)]
    update = True
    for rate in rates:
        node = followed.inputs.originals.get(rate)
        if node is not None and node.ndim == 0:
            arrays = [a / node[()] for a in arrays]
            update = False
            break
    return Claim(variable, names, tuple(arrays), variable, update)


def _at(state: dict[str, Any], name: str) -> Any:
    """The value of a spelled name in a state."""
    parts = re.findall(r"\.?(\w+)|\[([^\]]+)\]", name)
    keys = [a or b.strip("'\"") for a, b in parts]
    if keys[:1] == ["self"]:
        keys = [f"self.{keys[1]}", *keys[2:]]
    value: Any = state
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _by_position(
    followed: Followed,
    left: dict[str, tuple[str, ...]],
    rest: list[tuple[str, Any, bool]],
    wanted: bool,
    others: bool,
) -> list[Claim]:
    """Gradients without a telling name: the only value, or by shape and order."""
    if not rest or not left:
        return []
    forward = [n for n in left if not n.startswith("self.") and not naming.names_label(n)]
    if len(rest) == 1:
        names = list(left) if wanted else forward[:1]
        named = naming.names_gradient(rest[0][0]) and rest[0][0] != followed.upstream
        if len(names) != 1 or (others and not wanted and named):
            return []
        array = as_nodes(followed, rest[0][1])
        if array is None or len(left[names[0]]) != 1:
            return []
        return [Claim(names[0], left[names[0]], (array,), rest[0][0])]
    return list(_by_shape(followed, left, rest, forward))


def _by_shape(
    followed: Followed,
    left: dict[str, tuple[str, ...]],
    rest: list[tuple[str, Any, bool]],
    forward: list[str],
) -> Iterator[Claim]:
    open_values = list(rest)
    for name, names in left.items():
        shapes = [followed.inputs.originals[n].shape for n in names]
        if len(shapes) != 1:
            continue
        fits = []
        for spelled, value, _ in open_values:
            array = as_nodes(followed, value)
            if array is not None and array.shape == shapes[0]:
                fits.append((spelled, array))
        rivals = [n for n in left if n != name and n not in forward] or []
        if len(fits) >= 1 and (len(fits) == 1 or not rivals):
            open_values = [v for v in open_values if v[0] != fits[0][0]]
            yield Claim(name, names, (fits[0][1],), fits[0][0])
