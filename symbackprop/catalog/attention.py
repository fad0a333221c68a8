"""Attention: every place of a sequence reads a weighed mean of places."""

from __future__ import annotations

from symbackprop.definition import Body, Reading, written_layer
from symbackprop.errors import SymbackpropError

# Far below any score: its exponential is 0, and there is no infinity to subtract.
_NEVER = "-1e30"
# What flows in: a sequence that reads itself; queries and a memory; queries, keys and values.
_INPUTS = {
    1: {"x": ("length", "features")},
    2: {"x": ("length", "features"), "memory": ("places", "features")},
    3: {"q": ("length", "features"), "k": ("places", "features"), "v": ("places", "units")},
}
_ROLES = {1: ("x", "x", "x"), 2: ("x", "memory", "memory"), 3: ("q", "k", "v")}


def _scaled_dot_product(reading: Reading) -> Body:
    count = len(reading.shapes)
    if count not in _INPUTS:
        raise SymbackpropError(
            f"scaled_dot_product_attention reads 1 to 3 values, from names {count}"
        )
    query, key, value = _ROLES[count]
    score = f"total(j, {query}[t, j] * {key}[u, j]) / sqrt(features)"
    causal = reading.fields["causal"]
    equations = (
        f"s[t, u] = where(u <= t, {score}, {_NEVER})" if causal else f"s[t, u] = {score}",
        "m[t] = held(largest(u, s[t, u]))",
        "e[t, u] = exp(s[t, u] - m[t])",
        "c[t] = total(u, e[t, u])",
        "p[t, u] = e[t, u] / c[t]",
        f"z[t, i] = total(u, p[t, u] * {value}[u, i])",
    )
    return Body(_INPUTS[count], equations)


ENTRIES = (
    written_layer(
        _scaled_dot_product,
        Reading(((16, 64),)),
        name="scaled_dot_product_attention",
        doc="Every place reads the mean of all places, weighed by the softmax of its scores; "
        "causal: of no later ones.",
        source="Vaswani et al. 2017, arXiv:1706.03762, equation (1)",
        options={"causal": False},
        also_known_as=("attention", "dot_product_attention"),
        fields_known_as={"is_causal": "causal"},
    ),
)
