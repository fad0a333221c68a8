"""Normalisations, with PyTorch's meaning; parameters are called gamma and beta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symbackprop.definition import Body, Field, Layer, Parameter, Reading, written_layer
from symbackprop.errors import SymbackpropError

_LETTERS = "ijklmop"
_SPACE = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
_EPS: dict[str, Any] = {"constants": {"eps": 1e-5}, "positive": ("eps",)}


def _affine(extents: Sequence[str], *, shifted: bool = True) -> dict[str, Parameter]:
    found = {"gamma": Parameter(tuple(extents), initial=1.0)}
    return {**found, "beta": Parameter(tuple(extents), initial=0.0)} if shifted else found


def _standardized(kept: str, over: str, count: str) -> tuple[str, ...]:
    """Return equations of h: x less its mean over some axes, by its standard deviation.

    Args:
        kept: the axes that have a mean of their own, each followed by a comma.
        over: the axes that it is over.
        count: how many numbers those are.
    """
    place = f"{kept}{over}"
    count = f"({count})" if " " in count else count
    own = f"[{kept.rstrip(', ')}]" if kept else ""
    return (
        f"m{own} = total({over}, x[{place}]) / {count}",
        f"u[{place}] = x[{place}] - m{own}",
        f"v{own} = total({over}, u[{place}]**2) / {count}",
        f"r{own} = 1 / sqrt(v{own} + eps)",
        f"h[{place}] = u[{place}] * r{own}",
    )


def _layer_norm(reading: Reading) -> Body:
    given = reading.fields["normalized_shape"]
    shape = reading.shapes[0]
    wanted = (given,) if isinstance(given, int) else given or shape[-1:]
    count = len(wanted)
    if shape[len(shape) - count :] != tuple(wanted):
        raise SymbackpropError(
            f"normalized_shape is {given}; it must be the last extents of a sample of shape {shape}"
        )
    extents = ("features",) if count == 1 else tuple(f"extent_{k + 1}" for k in range(count))
    place = ", ".join(_LETTERS[:count])
    equations = _standardized("", place, " * ".join(extents))
    if not reading.fields["affine"]:
        return Body({"x": extents}, (*equations[:-1], _as_output(equations[-1])))
    scaled = f"z[{place}] = h[{place}] * gamma[{place}] + beta[{place}]"
    return Body({"x": extents}, (*equations, scaled), _affine(extents))


def _as_output(equation: str) -> str:
    return f"z{equation[1:]}"


def _instance_norm(reading: Reading) -> Body:
    space = len(reading.shapes[0]) - 1
    if space not in _SPACE:
        raise SymbackpropError(
            f"instance_norm reads channels and 1 to {max(_SPACE)} axes of space, "
            f"a sample has {space + 1} axes"
        )
    extents = ("channels", *_SPACE[space])
    over = ", ".join(_LETTERS[1 : space + 1])
    equations = _standardized("i, ", over, " * ".join(_SPACE[space]))
    if not reading.fields["affine"]:
        return Body({"x": extents}, (*equations[:-1], _as_output(equations[-1])))
    scaled = f"z[i, {over}] = h[i, {over}] * gamma[i] + beta[i]"
    return Body({"x": extents}, (*equations, scaled), _affine(extents[:1]))


def _l2_normalize(reading: Reading) -> Body:
    rank = len(reading.shapes[0])
    axis = _checked_axis(reading.fields, rank)
    extents = tuple(f"extent_{k + 1}" for k in range(rank))
    letters = _LETTERS[:rank]
    own = ", ".join(letters.replace(letters[axis], ""))
    place, own = ", ".join(letters), f"[{own}]" if own else ""
    squares = f"total({letters[axis]}, x[{place}]**2)"
    equations = (
        f"q{own} = sqrt(maximum(eps**2, {squares}))",
        f"z[{place}] = x[{place}] / q{own}",
    )
    return Body({"x": extents}, equations)


def _checked_axis(fields: Mapping[str, Any], rank: int) -> int:
    """Return the axis of a sample, from one that counts the batch as 0."""
    axis: int = fields["axis"]
    place = axis if axis >= 0 else axis + rank + 1
    if not 1 <= place <= rank:
        raise SymbackpropError(
            f"axis is {axis}; allowed: 1 to {rank} (the batch is 0), or negative from the end"
        )
    return place - 1


ENTRIES = (
    written_layer(
        _layer_norm,
        Reading(((64,),)),
        name="layer_norm",
        doc="Each sample's features, or last axes, less their mean, by their standard deviation.",
        source="Ba, Kiros & Hinton 2016, arXiv:1607.06450, equation (4)",
        options={"affine": True},
        fields={"normalized_shape": Field(least=1, several=True)},
        also_known_as=("layernorm", "layer_normalization"),
        fields_known_as={"elementwise_affine": "affine", "epsilon": "eps"},
        **_EPS,
    ),
    Layer(
        name="rms_norm",
        equations=(
            "q = total(i, x[i]**2) / features",
            "r = 1 / sqrt(q + eps)",
            "z[i] = x[i] * r * gamma[i]",
        ),
        doc="Each sample's features by the root of their mean square.",
        source="Zhang & Sennrich 2019, arXiv:1910.07467, equation (4)",
        constants={"eps": 2.0**-52},
        positive=("eps",),
        parameters=_affine(("features",), shifted=False),
        also_known_as=("rmsnorm",),
        fields_known_as={"epsilon": "eps"},
    ),
    written_layer(
        _instance_norm,
        Reading(((8, 4, 4),)),
        name="instance_norm",
        doc="Each sample's channels less their mean over space, by their standard deviation.",
        source="Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022, equation (2)",
        options={"affine": False},
        also_known_as=("instancenorm", "instance_norm1d", "instance_norm2d", "instance_norm3d"),
        fields_known_as={"epsilon": "eps"},
        **_EPS,
    ),
    written_layer(
        _l2_normalize,
        Reading(((16, 64),)),
        name="l2_normalize",
        doc="Every vector along an axis by its length; no length counts as less than eps.",
        source="PyTorch: torch.nn.functional.normalize",
        fields={"axis": Field(default=-1)},
        constants={"eps": 1e-12},
        positive=("eps",),
        also_known_as=("normalize", "unit_normalization"),
        fields_known_as={"dim": "axis", "epsilon": "eps"},
    ),
)
