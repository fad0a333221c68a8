"""Whether a network's output is what its loss reads, found out by running its last layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from symbackprop.architecture import Architecture
from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.checking.elements import Elements
from symbackprop.definition import Loss
from symbackprop.errors import SymbackpropError
from symbackprop.network import Network
from symbackprop.reference import FLOAT64, evaluate, forward_equations
from symbackprop.small import SMALL, narrowed

Array = np.ndarray[Any, np.dtype[np.float64]]

SAMPLES = 8
SCALES = (0.5, 3.0, 10.0) * 4  # of inputs and parameters: outputs near 0, and far out
ROUNDING = 1e-9

# What a loss expects: in words, and what gives it.
_EXPECTED = {
    "probabilities": ("probabilities, numbers from 0 to 1", "sigmoid"),
    "distribution": ("probabilities of all classes, which sum to 1", "softmax"),
    "log_probabilities": ("log-probabilities, numbers up to 0", "log_softmax"),
}


def check_output(architecture: Architecture, network: Network) -> None:
    """Refuse a loss whose domain the output leaves, as tanh does that of probabilities.

    The last layer that learns, and what follows it, is run on random numbers, a few units
    wide: so a user's own definitions, too, are judged by what they give. What is not seen to
    leave the domain passes.

    Args:
        architecture: as written.
        network: what was built from it.

    Raises:
        SymbackpropError: names the loss, the last layer, what it gave and what fits.
    """
    if architecture.loss is None or network.undetermined:
        return
    loss = CATALOG.with_definitions(architecture.definitions).losses[architecture.loss.name]
    if not loss.expects:
        return
    try:
        output = np.concatenate(list(_outputs(architecture, network)))
    except SymbackpropError:
        return  # a definition that cannot be made smaller
    found = _fault(loss, output, architecture.loss.constants.get("axis", -1))
    if found:
        raise SymbackpropError(_message(architecture, loss, found)).at(architecture.place)


def _outputs(architecture: Architecture, network: Network) -> Iterator[Array]:
    """Yield the output of the last layers for random numbers of each scale."""
    learning = [k for k, layer in enumerate(network.layers) if layer.equations and layer.parameters]
    first = learning[-1] if learning else 0
    extents = [axis.extent for axis in network.layers[first].input.axes[1:]]
    tail_layers = [narrowed(layer, SMALL[-1]) for layer in architecture.layers[first:]]
    tail_layers[0] = replace(tail_layers[0], sources=(), share="")
    tail = replace(
        architecture,
        inputs=(),
        input=tuple(min(e, SMALL[0]) if isinstance(e, int) else SMALL[0] for e in extents),
        layers=tuple(tail_layers),
        loss=None,
    )
    small = build_network(tail)
    sizes = {"N": SAMPLES, **dict.fromkeys(small.named_sizes, SMALL[1])}
    given = (*small.inputs, *(array.variable for array in small.parameters))
    shapes = {v.name: Elements({}, sizes, FLOAT64).shape(v) for v in given}
    for seed, scale in enumerate(SCALES):
        rng = np.random.default_rng(seed)
        values = {name: scale * rng.normal(size=shape) for name, shape in shapes.items()}
        arrays = evaluate(forward_equations(small), values, sizes)
        yield arrays[small.output.name].astype(np.float64)


def _fault(loss: Loss, output: Array, axis: int) -> str:
    """Return what shows that the output is not what the loss expects; "" where nothing does."""
    values = output[np.isfinite(output)]
    low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
    if loss.expects == "log_probabilities":
        return f"can be {high:.2g} and is never below 0" if low >= 0 and high > ROUNDING else ""
    if low < -ROUNDING or high > 1 + ROUNDING:
        return f"can be {low if low < -ROUNDING else high:.2g}"
    sums = output.sum(axis=axis)
    apart = sums[np.abs(sums - 1) > ROUNDING]
    if loss.expects == "distribution" and apart.size:
        return f"can sum to {apart[0]:.2g}"
    return ""


def _message(architecture: Architecture, loss: Loss, found: str) -> str:
    last = architecture.layers[-1]
    what = f"{last.activation.name} of {last.place}" if last.activation else last.place
    expected, source = _EXPECTED[loss.expects]
    other = f", or use {loss.on_logits} on a layer without activation" if loss.on_logits else ""
    return (
        f"loss: {loss.name} reads {expected}, but the output, {what}, {found}; "
        f"{source} gives what it reads{other}"
    )
