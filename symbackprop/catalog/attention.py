"""Attention: every place of a sequence reads a weighed mean of places."""

from __future__ import annotations

from typing import Any

from symbackprop.catalog.convolution import times
from symbackprop.definition import Body, Field, Parameter, Reading, written_layer
from symbackprop.errors import SymbackpropError

# Far below any score: its exponential is 0, and there is no infinity to subtract.
_NEVER = "-1e30"
# What asks, what is compared with it, and what is averaged, by how many values flow in: a
# sequence that reads itself; queries and a memory; queries, keys and values.
_ROLES = {1: ("x", "x", "x"), 2: ("x", "memory", "memory"), 3: ("query", "key", "value")}


def _inputs(
    reading: Reading, extents: dict[str, str]
) -> tuple[tuple[str, str, str], dict[str, tuple[str, ...]]]:
    """Return the roles, and what flows in: with a mask, one number for each place that is read.

    Args:
        reading: the use.
        extents: of the last axis, by what flows in.
    """
    masked = bool(reading.fields["mask"])
    roles = _ROLES[len(reading.shapes) - masked]
    lengths = {roles[2]: "places", roles[1]: "places", roles[0]: "length"}
    inputs: dict[str, tuple[str, ...]] = {}
    for name in roles:
        inputs[name] = (lengths[name], extents[name])
    if masked:
        inputs["mask"] = (lengths[roles[1]],)
    return roles, inputs


def _weights(reading: Reading, place: str, score: str) -> tuple[str, ...]:
    """Return equations of p: the softmax of scores over all places, or over those allowed.

    Args:
        reading: the use, which says whether later places count, and those that a mask leaves out.
        place: the subscripts of a query, with their last comma.
        score: of the query t and the place u.
    """
    if reading.fields["mask"]:
        score = f"where(mask[u] == 0, {_NEVER}, {score})"
    if reading.fields["causal"]:
        score = f"where(u > t, {_NEVER}, {score})"
    own = place.removesuffix(", ")
    return (
        f"s[{place}u] = {score}",
        f"m[{own}] = held(largest(u, s[{place}u]))",
        f"e[{place}u] = exp(s[{place}u] - m[{own}])",
        f"c[{own}] = total(u, e[{place}u])",
        f"p[{place}u] = e[{place}u] / c[{own}]",
    )


def _scaled_dot_product(reading: Reading) -> Body:
    extents = dict.fromkeys(("x", "memory", "query", "key"), "features") | {"value": "units"}
    (query, key, value), inputs = _inputs(reading, extents)
    score = f"total(j, {query}[t, j] * {key}[u, j]) / sqrt(features)"
    mean = f"z[t, i] = total(u, p[t, u] * {value}[u, i])"
    return Body(inputs, (*_weights(reading, "t, ", score), mean))


def _multi_head(reading: Reading) -> Body:
    """Write the queries, keys and values of all heads as parts of one projection each."""
    heads, features = reading.fields["heads"], reading.shapes[0][-1]
    if not isinstance(features, int) or features % heads:
        raise SymbackpropError(
            f"heads is {heads}; it must divide the features, {features}, of what is asked"
        )
    width = features // heads
    extents = {"x": "features", "query": "features"}
    extents |= {name: f"{name}_features" for name in ("memory", "key", "value")}
    roles, inputs = _inputs(reading, extents)
    projections, parameters = [], {}
    for letter, place, source in zip("qkv", "tuu", roles, strict=True):
        product = f"total(j, {source}[{place}, j] * W{letter}[j, d])"
        projections.append(f"{letter}[{place}, d] = {product} + b{letter}[d]")
        parameters[f"W{letter}"] = Parameter((extents[source], "features"))
    parameters["Wo"] = Parameter(("features", "features"))
    parameters |= {f"b{k}": Parameter(("features",), 0.0, option="bias") for k in "qkvo"}
    part = f"{times(width, 'g')} + i"
    score = f"total(i, q[t, {part}] * k[u, {part}]) / sqrt({width})"
    equations = (
        *projections,
        *_weights(reading, "g, t, ", score),
        f"h[t, g, i] = total(u, p[g, t, u] * v[u, {part}])",
        f"z[t, d] = total(f, h[t, f // {width}, f % {width}] * Wo[f, d]) + bo[d]",
    )
    ranges = {"g": str(heads), "i": str(width), "f": "features"}
    return Body(inputs, equations, parameters, ranges=ranges)


_MASKS: dict[str, Any] = {
    "reads": (1, 3),
    "options": {"causal": False},
    "fields": {"mask": Field(source=True)},
    "fields_known_as": {
        "is_causal": "causal",
        "attn_mask": "mask",
        "key_padding_mask": "mask",
    },
}

ENTRIES = (
    written_layer(
        _scaled_dot_product,
        Reading(((16, 64),)),
        name="scaled_dot_product_attention",
        doc="Every place reads the mean of all places, weighed by the softmax of its scores; "
        "causal: of no later ones; with a mask: of those where it is not 0.",
        source="Vaswani et al. 2017, arXiv:1706.03762, equation (1)",
        also_known_as=("attention", "dot_product_attention"),
        **_MASKS,
    ),
    written_layer(
        _multi_head,
        Reading(((6, 8),), {"heads": 2}),
        name="multi_head_attention",
        doc="Attention of several heads, each with its part of learned projections.",
        source="Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2",
        also_known_as=("multihead_attention", "mha"),
        **{
            **_MASKS,
            "options": {"causal": False, "bias": True},
            "fields": {"heads": Field(required=True, least=1), **_MASKS["fields"]},
            "fields_known_as": {"num_heads": "heads", **_MASKS["fields_known_as"]},
        },
    ),
)
