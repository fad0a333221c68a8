"""What a derivative claims: which of its values is the gradient by which variable."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.given_values import Value, gathered, is_loss, same
from symbackprop.auditing.code.interpreter.values import Array, Tensor
from symbackprop.auditing.code.pairs import Pair
from symbackprop.auditing.code.running import Followed, parameter_names

# How far doubles of one multiple may be apart.
NEAR = 1e-9


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
        container = name.partition("[")[0]
        if container != name and naming.names_gradient(container):
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


def claims(followed: Followed, wanted: tuple[str, ...]) -> list[Claim]:
    """Return the gradients that the derivative gives, by the wanted variables or by all."""
    values = [
        v
        for v in gathered(followed)
        if (v.returned or v.spelled not in followed.inputs.originals) and not is_loss(v)
    ]
    candidates = variables(followed, wanted)
    found: list[Claim] = []
    taken: list[Value] = []
    for variable, names in candidates.items():
        chosen = _by_name(followed, names, values)
        claim = _by_update(followed, variable, names)
        if chosen:
            taken += chosen
            named = _claim(followed, variable, names, chosen)
            claim = claim if _is_plain_step(followed, claim, named) else named
        if claim is not None:
            found.append(claim)
    found += _unnamed(followed, candidates, found, values)
    spelled = {c.spelled for c in found}
    # Where one function gives all, a plain name beside the gradients is no gradient.
    alone = followed.forward is followed.backward and bool(found)
    rest = [
        v
        for v in values
        if v.returned
        and not (alone and not naming.names_gradient(v.spelled))
        and isinstance(v.value, np.ndarray | Tensor | Node | int)
        and not any(v is t for t in taken)
        and (v.spelled not in spelled or v.place is not None)
    ]
    left = {
        k: v
        for k, v in candidates.items()
        if k not in {c.variable for c in found} and (wanted or not _is_setting(followed, k, v))
    }
    found += _by_position(followed, left, rest, bool(wanted), bool(found))
    return found


def _claim(
    followed: Followed, variable: str, names: tuple[str, ...], chosen: list[Value]
) -> Claim | None:
    arrays = [as_nodes(followed, v.value) for v in chosen]
    kept = tuple(a for a in arrays if a is not None)
    return Claim(variable, names, kept, chosen[0].spelled) if len(kept) == len(names) else None


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
    values: list[Value],
) -> list[Claim]:
    """What is stored as the gradient and no more: that of the one parameter of its shape."""
    known = {c.variable for c in found}
    result = []
    for spelled, value, returned, _ in values:
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


def _by_name(followed: Followed, names: tuple[str, ...], values: list[Value]) -> list[Value]:
    """The gradients whose names are those of some inputs with a mark; none if one lacks its own.

    Of equal names, the one that stands where its variable stands among the parameters.
    """
    chosen: list[Value] = []
    holders = {naming.holder(name) for name in followed.inputs.originals}
    for name in names:
        own_holder = naming.holder(name)
        others = {h for h in holders if len(h) > 1 and h != own_holder}
        place = re.search(r"(\[\d+\])$", name)
        stem = naming.stem(re.sub(r"\[\d+\]$", "", name))
        fits = []
        for value in values:
            own = re.search(r"(\[\d+\])$", value.spelled)
            # What an object holds is of its own parameters, not of another object's.
            if naming.holder(value.spelled) in others:
                continue
            if place is not None and (own is None or own[1] != place[1]):
                continue
            base = re.sub(r"\[\d+\]$", "", value.spelled)
            away = value.place != _place_of(followed, name)
            if _is_entry(base, name) or base == f"d{naming.last(name)}":
                fits.append((False, away, value))
            elif naming.names_gradient(base) and _alike(naming.stem(base), stem):
                fits.append((naming.stem(base) != stem, away, value))
        fits.sort(key=lambda fit: fit[:2])
        if not fits or as_nodes(followed, fits[0][2].value) is None:
            return []
        chosen.append(fits[0][2])
    return chosen


def _place_of(followed: Followed, name: str) -> int | None:
    """Where a variable stands among the function's parameters, if results stand in their order."""
    node = followed.forward.node
    if node is None or followed.forward is followed.backward:
        return None
    known = parameter_names(followed.forward)
    ordered = isinstance(followed.result, tuple) and len(followed.result) == len(known)
    return known.index(name) if ordered and name in known else None


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
        if before.shape != after.shape or same(before, after):
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


def _is_plain_step(followed: Followed, update: Claim | None, named: Claim | None) -> bool:
    """Whether one function gives all, and its update is a multiple of the gradient that it keeps.

    That multiple is what it trains with; a step that keeps averages or shrinks the weights is none.
    """
    alone = followed.forward is followed.backward
    if not alone or update is None or update.update or named is None:
        return False
    sides = [[n.value for v in claim.values for n in v.flat] for claim in (update, named)]
    if len(sides[0]) != len(sides[1]):
        return False
    pairs = list(zip(*sides, strict=True))
    step, gradient = max(pairs, key=lambda pair: abs(pair[1]))
    return gradient != 0 and all(
        math.isclose(one * gradient, other * step, rel_tol=NEAR, abs_tol=NEAR * gradient**2)
        for one, other in pairs
    )


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
    rest: list[Value],
    wanted: bool,
    others: bool,
) -> list[Claim]:
    """Gradients without a telling name: by their place, the only value, or by shape and order."""
    placed = list(_by_place(followed, left, rest))
    known = {claim.variable for claim in placed}
    left = {name: names for name, names in left.items() if name not in known}
    if placed or not rest or not left:
        return placed
    forward = [n for n in left if not n.startswith("self.") and not naming.names_label(n)]
    if len(rest) > 1:
        return list(_by_shape(followed, left, rest, forward))
    names = list(left) if wanted else forward[:1]
    array = as_nodes(followed, rest[0].value)
    if len(names) != 1 or array is None or len(left[names[0]]) != 1:
        return []
    if others and not wanted:
        # What is left of several is of the one variable that is left, if it has its shape.
        shapes = [followed.inputs.originals[left[n][0]].shape for n in forward]
        if shapes.count(array.shape) != 1 or shapes[0] != array.shape:
            return []
    return [Claim(names[0], left[names[0]], (array,), rest[0].spelled)]


def _by_place(
    followed: Followed, left: dict[str, tuple[str, ...]], rest: list[Value]
) -> Iterator[Claim]:
    """Gradients that stand in the order of the parameters, one for each."""
    for name, names in left.items():
        place = _place_of(followed, name)
        for value in rest:
            array = as_nodes(followed, value.value)
            own = naming.stem(value.spelled)
            telling = naming.names_gradient(value.spelled) and own
            others = [v for v in left if naming.stem(v) == own]
            if place is None or value.place != place or array is None or len(names) != 1:
                continue
            if not telling or not others or followed.forward.context:
                yield Claim(name, names, (array,), value.spelled)


def _by_shape(
    followed: Followed,
    left: dict[str, tuple[str, ...]],
    rest: list[Value],
    forward: list[str],
) -> Iterator[Claim]:
    open_values = list(rest)
    for name, names in left.items():
        shapes = [followed.inputs.originals[n].shape for n in names]
        if len(shapes) != 1:
            continue
        fits = []
        for spelled, value, *_ in open_values:
            array = as_nodes(followed, value)
            if array is not None and array.shape == shapes[0]:
                fits.append((spelled, array))
        rivals = [n for n in left if n != name and n not in forward] or []
        if len(fits) >= 1 and (len(fits) == 1 or not rivals):
            open_values = [v for v in open_values if v.spelled != fits[0][0]]
            yield Claim(name, names, (fits[0][1],), fits[0][0])
