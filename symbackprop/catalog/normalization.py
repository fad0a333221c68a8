"""Normalisations, with PyTorch's meaning; parameters are called gamma and beta."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symbackprop.catalog.batch_norm import running_statistics
from symbackprop.catalog.convolution import times
from symbackprop.catalog.rearranging import axis_of, shown
from symbackprop.definition import Body, Field, Parameter, Reading, written_layer
from symbackprop.errors import SymbackpropError

_LETTERS = "ijklmop"
_SPACE = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
_EPS: dict[str, Any] = {"constants": {"eps": 1e-5}, "positive": ("eps",)}


def _affine(extents: Sequence[str], *, shifted: bool = True) -> dict[str, Parameter]:
    found = {"gamma": Parameter(tuple(extents), initial=1.0)}
    return {**found, "beta": Parameter(tuple(extents), initial=0.0)} if shifted else found


def _standardized(kept: str, over: str, count: str, source: str = "x") -> tuple[str, ...]:
    """Return equations of h: x less its mean over some axes, by its standard deviation.

    Args:
        kept: the axes that have a mean of their own, each followed by a comma.
        over: the axes that it is over.
        count: how many numbers those are.
        source: what stands for x.
    """
    place = f"{kept}{over}"
    count = f"({count})" if " " in count else count
    own = f"[{kept.rstrip(', ')}]" if kept else ""
    return (
        f"m{own} = total({over}, {source}[{place}]) / {count}",
        f"u[{place}] = {source}[{place}] - m{own}",
        f"v{own} = total({over}, u[{place}]**2) / {count}",
        f"r{own} = 1 / sqrt(v{own} + eps)",
        f"h[{place}] = u[{place}] * r{own}",
    )


def _last_axes(reading: Reading) -> tuple[str, ...]:
    """Return names for the extents of the axes that are normalised together."""
    given = reading.fields["normalized_shape"]
    shape = reading.shapes[0]
    wanted = (given,) if isinstance(given, int) else given or shape[-1:]
    count = len(wanted)
    if shape[len(shape) - count :] != tuple(wanted):
        raise SymbackpropError(
            f"normalized_shape is {given}; it must be the last extents of a sample of shape {shape}"
        )
    return ("features",) if count == 1 else tuple(f"extent_{k + 1}" for k in range(count))


def _layer_norm(reading: Reading) -> Body:
    extents = _last_axes(reading)
    place = ", ".join(_LETTERS[: len(extents)])
    equations = _standardized("", place, " * ".join(extents))
    if not reading.fields["affine"]:
        return Body({"x": extents}, (*equations[:-1], _as_output(equations[-1])))
    scaled = f"z[{place}] = h[{place}] * gamma[{place}] + beta[{place}]"
    return Body({"x": extents}, (*equations, scaled), _affine(extents))


def _rms_norm(reading: Reading) -> Body:
    extents = _last_axes(reading)
    place, count = ", ".join(_LETTERS[: len(extents)]), " * ".join(extents)
    affine = reading.fields["affine"]
    equations = (
        f"q = total({place}, x[{place}]**2) / {f'({count})' if ' ' in count else count}",
        "r = 1 / sqrt(q + eps)",
        f"z[{place}] = x[{place}] * r{f' * gamma[{place}]' if affine else ''}",
    )
    return Body({"x": extents}, equations, _affine(extents, shifted=False) if affine else {})


def _as_output(equation: str) -> str:
    return f"z{equation[1:]}"


def _instance_norm(reading: Reading) -> Body:
    space = len(reading.shapes[0]) - 1
    if space not in _SPACE:
        raise SymbackpropError(
            f"instance_norm reads channels and 1 to {max(_SPACE)} axes of space, "
            f"a sample has {space + 1} axes"
        )
    if reading.fields["track_running_stats"]:
        return _tracked(reading, space)
    extents = ("channels", *_SPACE[space])
    over = ", ".join(_LETTERS[1 : space + 1])
    equations = _standardized("i, ", over, " * ".join(_SPACE[space]))
    if not reading.fields["affine"]:
        return Body({"x": extents}, (*equations[:-1], _as_output(equations[-1])))
    scaled = f"z[i, {over}] = h[i, {over}] * gamma[i] + beta[i]"
    return Body({"x": extents}, (*equations, scaled), _affine(extents[:1]))


def _tracked(reading: Reading, space: int) -> Body:
    """Write what outside training goes by running statistics: means over the batch."""
    over, count = ", ".join(_LETTERS[1 : space + 1]), " * ".join(_SPACE[space])
    if set(reading.shapes[0][1:]) == {1}:
        raise SymbackpropError("a channel is a single place, which has no variance to keep")
    affine = reading.fields["affine"]
    x, scaled = f"x[n, i, {over}]", "gamma[i] * " if affine else ""
    shifted = " + beta[i]" if affine else ""
    return Body(
        {"x": ("N", "channels", *_SPACE[space])},
        (
            f"mean[n, i] = total({over}, {x}) / ({count})",
            f"var[n, i] = total({over}, ({x} - mean[n, i])**2) / ({count})",
            f"z[n, i, {over}] = {scaled}({x} - mean[n, i]) / sqrt(var[n, i] + eps){shifted}",
        ),
        _affine(("channels",)) if affine else {},
        ranges={"n": "N"},
        state=running_statistics(),
        evaluation=("mean[n, i] = running_mean[i]", "var[n, i] = running_var[i]"),
        updates=(
            "running_mean[i] = (1 - momentum) * running_mean[i] "
            "+ momentum * total(n, mean[n, i]) / N",
            "running_var[i] = (1 - momentum) * running_var[i] "
            f"+ momentum * total(n, var[n, i]) / N * ({count}) / ({count} - 1)",
        ),
    )


def _group_norm(reading: Reading) -> Body:
    """Write the channel c as one of a group: c = width*i + j."""
    channels, *space = reading.shapes[0]
    groups = reading.fields["num_groups"]
    if len(space) not in _SPACE and space:
        raise SymbackpropError(
            f"group_norm reads channels and up to {max(_SPACE)} axes of space, "
            f"a sample has {len(space) + 1} axes"
        )
    if not isinstance(channels, int) or channels % groups:
        raise SymbackpropError(
            f"num_groups is {groups}; it must divide the channels of an input of shape "
            f"{shown(reading.shapes[0])}"
        )
    names, width = _SPACE.get(len(space), ()), channels // groups
    rest = "".join(f", {letter}" for letter in _LETTERS[2 : len(space) + 2])
    equations = _standardized("i, ", f"j{rest}", " * ".join([str(width), *names]), "s")
    split = f"s[i, j{rest}] = x[{times(width, 'i')} + j{rest}]"
    result = f"h[c // {width}, c % {width}{rest}]"
    affine = reading.fields["affine"]
    last = f"z[c{rest}] = {result} * gamma[c] + beta[c]" if affine else f"z[c{rest}] = {result}"
    return Body(
        {"x": ("channels", *names)},
        (split, *equations, last),
        _affine(("channels",)) if affine else {},
        output=("channels", *names),
        roles=("channel", *["space"] * len(space)) if space else (),
        ranges={"i": str(groups), "j": str(width)},
    )


def _l2_normalize(reading: Reading) -> Body:
    rank = len(reading.shapes[0])
    axis = axis_of("axis", reading.fields["axis"], rank)
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
    written_layer(
        _rms_norm,
        Reading(((64,),)),
        name="rms_norm",
        doc="Each sample's features, or last axes, by the root of their mean square.",
        source="Zhang & Sennrich 2019, arXiv:1910.07467, equation (4)",
        constants={"eps": 2.0**-52},
        positive=("eps",),
        options={"affine": True},
        fields={"normalized_shape": Field(least=1, several=True)},
        also_known_as=("rmsnorm",),
        fields_known_as={"elementwise_affine": "affine", "epsilon": "eps"},
    ),
    written_layer(
        _instance_norm,
        Reading(((8, 4, 4),)),
        name="instance_norm",
        doc="Each sample's channels less their mean over space, by their standard deviation.",
        source="Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022, equation (2)",
        options={"affine": False, "track_running_stats": False},
        unit_interval=("momentum",),
        also_known_as=("instancenorm", "instance_norm1d", "instance_norm2d", "instance_norm3d"),
        fields_known_as={"epsilon": "eps"},
        constants={"eps": 1e-5, "momentum": 0.1},
        positive=("eps",),
    ),
    written_layer(
        _group_norm,
        Reading(((8, 4, 4),), {"num_groups": 4}),
        name="group_norm",
        doc="Each sample's groups of channels less their mean, by their standard deviation.",
        source="Wu & He 2018, arXiv:1803.08494, equations (1) to (6)",
        options={"affine": True},
        fields={"num_groups": Field(required=True, least=1)},
        also_known_as=("groupnorm", "group_normalization"),
        fields_known_as={"groups": "num_groups", "epsilon": "eps"},
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
