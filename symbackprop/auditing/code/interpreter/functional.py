"""Activations and losses of ``torch.nn.functional``."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from symbackprop.auditing.code.faults import Mismatch, Unknown
from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.elementwise import SCALARS, clip, mapped
from symbackprop.auditing.code.interpreter.machine import (
    Machine,
    as_array,
    unwrapped,
)
from symbackprop.auditing.code.interpreter.reductions import over, total
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS, Call
from symbackprop.auditing.code.interpreter.signals import log_softmax, softmax
from symbackprop.auditing.code.interpreter.values import Array, Tensor


def tensor(machine: Machine, value: Any) -> Any:
    """Return a result as a tensor; parts of a tuple each."""
    if isinstance(value, tuple | list):
        return tuple(tensor(machine, v) for v in value)
    if isinstance(value, Tensor) or value is None or isinstance(value, bool):
        return value
    return Tensor(as_array(machine, value))


def bare(value: Any) -> Any:
    """Return arrays for tensors, within lists and tuples too."""
    if isinstance(value, list | tuple):
        return type(value)(bare(v) for v in value) if type(value) in (list, tuple) else value
    return unwrapped(value)


def _scalar(name: str) -> Call:
    def call(machine: Machine, x: Any) -> Any:
        if not isinstance(x, Tensor):
            raise machine.misused(x, "tensor", f"{name}() needs a tensor")
        return mapped(machine, SCALARS[name], x)

    return call


def _within(machine: Machine, places: Array, target: Array, axis: int) -> None:
    for other, (left, right) in enumerate(zip(places.shape, target.shape, strict=True)):
        if other != axis and left not in (right, 1):
            message = f"an index of shape {places.shape} for a tensor of shape {target.shape}"
            raise Mismatch(message, left, right, machine.here[1])


def _where(machine: Machine, condition: Any, x: Any = None, y: Any = None) -> Any:
    found = FUNCTIONS["numpy.where"](machine, condition, unwrapped(x), unwrapped(y))
    return tensor(machine, found)


def _softplus(machine: Machine, x: Any, beta: Any = 1, threshold: Any = 20) -> Any:
    steep = machine.node(beta)

    def one(machine: Machine, u: Any) -> Any:
        return machine.graph.log(1 + machine.graph.exp(u * steep)) / steep

    return mapped(machine, one, x)


def _leaky(machine: Machine, x: Any, negative_slope: Any = None, inplace: Any = False) -> Any:
    slope = machine.number(1) / 100 if negative_slope is None else machine.node(negative_slope)
    return mapped(machine, lambda m, u: u if u > 0 else u * slope, x)


def _reduce(machine: Machine, losses: Any, reduction: Any) -> Any:
    if reduction == "none":
        return Tensor(losses)
    summed = total(machine, losses)
    return tensor(machine, summed if reduction == "sum" else over(machine, summed, losses.size))


def _cross_entropy(
    machine: Machine,
    x: Any,
    target: Any,
    weight: Any = None,
    ignore_index: Any = -100,
    reduction: Any = "mean",
) -> Any:
    if weight is not None:
        raise Unknown("cross_entropy with weights", machine.here[1])
    logs = log_softmax(machine, unwrapped(x), 1)
    return _nll(machine, Tensor(logs), target, reduction=reduction)


def _nll(machine: Machine, x: Any, target: Any, reduction: Any = "mean", **others: Any) -> Any:
    logs, labels = unwrapped(x), unwrapped(target)
    if labels.dtype == object:
        raise machine.misused(labels, "label", "class indices that are real numbers")
    if labels.ndim != logs.ndim - 1:
        shift = logs.ndim - 1 - labels.ndim
        raise machine.misused(labels, f"shift {shift}", "class indices of another rank")
    _within(machine, np.expand_dims(labels, 1), logs, 1)
    picked = np.take_along_axis(logs, np.expand_dims(labels, 1), 1)
    return _reduce(machine, -picked.reshape(labels.shape), reduction)


def _mse(machine: Machine, x: Any, target: Any, reduction: Any = "mean") -> Any:
    apart = operators.arrays(machine, "sub", operator.sub, unwrapped(x), unwrapped(target))
    return _reduce(machine, apart * apart, reduction)


def _bce_logits(machine: Machine, x: Any, target: Any, reduction: Any = "mean") -> Any:
    logits, labels = unwrapped(x), unwrapped(target)
    soft = mapped(machine, SCALARS["softplus"], logits)
    apart = operators.arrays(machine, "mul", operator.mul, logits, labels)
    return _reduce(machine, operators.arrays(machine, "sub", operator.sub, soft, apart), reduction)


def _linear(machine: Machine, x: Any, weight: Any, bias: Any = None) -> Any:
    found = operators.matmul(machine, unwrapped(x), unwrapped(weight).T)
    if bias is not None:
        found = operators.arrays(machine, "add", operator.add, found, unwrapped(bias))
    return Tensor(found)


def _softmaxes(function: Callable[..., Array]) -> Call:
    def call(machine: Machine, x: Any, dim: Any = -1, dtype: Any = None, **others: Any) -> Any:
        return Tensor(as_array(machine, function(machine, unwrapped(x), dim)))

    return call


def _relu(machine: Machine, x: Any, inplace: Any = False) -> Any:
    return mapped(machine, SCALARS["relu"], x)


_FUNCTIONAL: dict[str, Call] = {
    "softplus": _softplus,
    "relu": _relu,
    "leaky_relu": _leaky,
    "sigmoid": _scalar("sigmoid"),
    "tanh": _scalar("tanh"),
    "silu": _scalar("silu"),
    "relu6": lambda machine, x, inplace=False: clip(machine, x, 0, 6),
    "hardtanh": lambda machine, x, low=-1, high=1: clip(machine, x, low, high),
    "softmax": _softmaxes(softmax),
    "log_softmax": _softmaxes(log_softmax),
    "cross_entropy": _cross_entropy,
    "nll_loss": _nll,
    "mse_loss": _mse,
    "binary_cross_entropy_with_logits": _bce_logits,
    "linear": _linear,
    "logsigmoid": lambda machine, x: _negated(machine, _softplus(machine, _negated(machine, x))),
}


def _negated(machine: Machine, x: Tensor) -> Tensor:
    return mapped(machine, SCALARS["negative"], x)  # type: ignore[no-any-return]
