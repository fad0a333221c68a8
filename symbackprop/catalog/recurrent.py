"""Recurrent layers: every step reads the element there and what the step before left."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.definition import Body, Field, Parameter, Reading, written_layer
from symbackprop.errors import SymbackpropError

_KNOWN_AS = {"hidden_size": "hidden", "units": "hidden", "use_bias": "bias"}
_INSTEAD = {
    "num_layers": "write one layer below the other",
    "dropout": 'put a layer of type "dropout" after it',
    "batch_first": "samples always come first",
}


def _states(reading: Reading, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return what flows in: the sequence, then a start for every state, or for none.

    Raises:
        SymbackpropError: too many or too few values, or a start that is not of ``hidden`` numbers.
    """
    given = reading.shapes[1:]
    if len(given) not in (0, len(names)):
        starts = " and ".join(f"the start of {name}" for name in names)
        raise SymbackpropError(
            f"it reads a sequence, or that and {starts}; from names {1 + len(given)} values"
        )
    hidden = reading.fields["hidden"]
    for name, shape in zip(names, given, strict=False):
        if shape != (hidden,):
            found = ", ".join(map(str, shape))
            raise SymbackpropError(
                f"the start of {name} is ({found}) for a sample, it must be ({hidden},)"
            )
    given_by = {f"{name}zero": (f"{name}units",) for name in names[: len(given)]}
    return {"x": ("length", "features"), **given_by}


def _before(reading: Reading, names: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return by state how its last value is read, up to the index, and equations for that."""
    started, truncated = len(reading.shapes) > 1, reading.fields["truncate"] is not None
    if not started and not truncated:
        return {name: f"padded({name}[t - 1, {{}}])" for name in names}, ()
    equations: list[str] = []
    for name in names:
        value = f"{name}before[t, k]" if started else f"padded({name}[t - 1, k])"
        if started:
            equations.append(f"{name}before[t, k] = where(t > 0, {name}[t - 1, k], {name}zero[k])")
        if truncated:
            cut = f"where(t % truncate == 0, {name}held[t, k], {value})"
            cut = f"where(t > 0, {cut}, {value})" if started else cut
            equations.append(f"{name}held[t, k] = held({value})")
            equations.append(f"{name}passed[t, k] = {cut}")
    read = "passed" if truncated else "before"
    return {name: f"{name}{read}[t, {{}}]" for name in names}, tuple(equations)


def _body(
    reading: Reading,
    states: Sequence[str],
    equations: Sequence[str],
    parameters: dict[str, Parameter],
) -> Body:
    """Return the layer; its result is the first state, of every step or of the last."""
    inputs = _states(reading, states)
    every = reading.fields["return_sequences"]
    last = () if every else (f"y[k] = {states[0]}[length - 1, k]",)
    output = ("length", "hidden") if every else ("hidden",)
    return Body(
        inputs,
        (*equations, *last),
        parameters,
        output,
        ranges={"k": "hidden", "t": "length"},
    )


def _weights(gates: int, biases: Sequence[str]) -> dict[str, Parameter]:
    width = "hidden" if gates == 1 else f"{gates} * hidden"
    bias = Parameter((width,), initial=0.0, option="bias")
    return {
        "Wx": Parameter(("features", width)),
        "Wh": Parameter(("hidden", width)),
        **dict.fromkeys(biases, bias),
    }


def _rnn(reading: Reading) -> Body:
    before, equations = _before(reading, ["h"])
    function = reading.fields["nonlinearity"]
    summed = f"total(j, Wx[j, i] * x[t, j]) + total(k, Wh[k, i] * {before['h'].format('k')})"
    equations = (
        *equations,
        f"s[t, i] = {summed} + b[i]",
        f"h[t, i] = {function}(s[t, i])",
    )
    return _body(reading, ["h"], equations, _weights(1, ["b"]))


def _gru(reading: Reading) -> Body:
    before, equations = _before(reading, ["h"])
    equations = (
        *equations,
        "p[t, i] = total(j, Wx[j, i] * x[t, j]) + bx[i]",
        f"q[t, i] = total(k, Wh[k, i] * {before['h'].format('k')}) + bh[i]",
        "r[t, k] = sigmoid(p[t, 0 + k] + q[t, 0 + k])",
        "u[t, k] = sigmoid(p[t, hidden + k] + q[t, hidden + k])",
        "m[t, k] = p[t, 2 * hidden + k] + r[t, k] * q[t, 2 * hidden + k]",
        "n[t, k] = tanh(m[t, k])",
        f"h[t, k] = (1 - u[t, k]) * n[t, k] + u[t, k] * {before['h'].format('k')}",
    )
    return _body(reading, ["h"], equations, _weights(3, ["bx", "bh"]))


def _lstm(reading: Reading) -> Body:
    before, equations = _before(reading, ["h", "c"])
    summed = f"total(j, Wx[j, m] * x[t, j]) + total(k, Wh[k, m] * {before['h'].format('k')})"
    equations = (
        *equations,
        f"s[t, m] = {summed} + b[m]",
        "i[t, k] = sigmoid(s[t, 0 + k])",
        "f[t, k] = sigmoid(s[t, hidden + k])",
        "g[t, k] = tanh(s[t, 2 * hidden + k])",
        "o[t, k] = sigmoid(s[t, 3 * hidden + k])",
        f"c[t, k] = f[t, k] * {before['c'].format('k')} + i[t, k] * g[t, k]",
        "h[t, k] = o[t, k] * tanh(c[t, k])",
    )
    return _body(reading, ["h", "c"], equations, _weights(4, ["b"]))


_EXAMPLE = Reading(((16, 64),), {"hidden": 32})
_FIELDS = {"hidden": Field(required=True, least=1), "truncate": Field(least=1)}
_OPTIONS = {"bias": True, "return_sequences": True}

ENTRIES = (
    written_layer(
        _rnn,
        _EXAMPLE,
        reads=(1, 2),
        name="rnn",
        doc="Every step weighs the element there and the result of the step before.",
        source="Elman 1990, Finding structure in time, Cognitive Science 14",
        fields={
            **_FIELDS,
            "nonlinearity": Field(default="tanh", words=("tanh", "relu"), chosen=True),
        },
        options=_OPTIONS,
        also_known_as=("simple_rnn", "elman", "recurrent"),
        fields_known_as={**_KNOWN_AS, "activation": "nonlinearity"},
        instead_of=_INSTEAD,
    ),
    written_layer(
        _gru,
        _EXAMPLE,
        reads=(1, 2),
        name="gru",
        doc="Gated recurrent unit: an update gate blends the state before with a new one, which "
        "a reset gate lets read the one before.",
        source="Cho et al. 2014, arXiv:1406.1078, section 2.3, with the reset after the product",
        fields=_FIELDS,
        options=_OPTIONS,
        also_known_as=("gated_recurrent_unit",),
        fields_known_as=_KNOWN_AS,
        instead_of=_INSTEAD,
    ),
    written_layer(
        _lstm,
        _EXAMPLE,
        reads=(1, 3),
        name="lstm",
        doc="Long short-term memory: gates choose what enters the memory cell, what stays and "
        "what is read.",
        source="Hochreiter & Schmidhuber 1997; with forget gates: Gers et al. 2000",
        fields=_FIELDS,
        options=_OPTIONS,
        also_known_as=("long_short_term_memory",),
        fields_known_as=_KNOWN_AS,
        instead_of=_INSTEAD,
    ),
)
