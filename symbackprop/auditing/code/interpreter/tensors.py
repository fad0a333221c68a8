"""PyTorch's functions and tensors, by those of NumPy under their own names and arguments."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from symbackprop.auditing.code.faults import Raised
from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.arrays import axis_of, reshape, shape_of
from symbackprop.auditing.code.interpreter.elementwise import SCALARS, cast, mapped
from symbackprop.auditing.code.interpreter.functional import (
    _FUNCTIONAL,
    _relu,
    _scalar,
    _softmaxes,
    _where,
    _within,
    bare,
    tensor,
)
from symbackprop.auditing.code.interpreter.machine import (
    Machine,
    as_array,
    count,
    nodes,
    plain,
    unwrapped,
)
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS, Call, dtype_kind
from symbackprop.auditing.code.interpreter.signals import log_softmax, softmax
from symbackprop.auditing.code.interpreter.values import Tensor

_RENAMED = {"dim": "axis", "keepdim": "keepdims", "input": "x", "other": "b", "requires_grad": ""}
_IGNORED = ("device", "requires_grad", "non_blocking", "memory_format", "layout", "inplace")


def adapted(name: str) -> Call:
    """Return a function of NumPy as PyTorch calls it."""

    def call(machine: Machine, *arguments: Any, **keywords: Any) -> Any:
        inner = [bare(a) for a in arguments]
        renamed = {
            _RENAMED.get(key, key): bare(value)
            for key, value in keywords.items()
            if key not in _IGNORED
        }
        return tensor(machine, FUNCTIONS[f"numpy.{name}"](machine, *inner, **renamed))

    return call


def _extreme(name: str) -> Call:
    def call(machine: Machine, x: Any, dim: Any = None, keepdim: Any = False) -> Any:
        array = unwrapped(x)
        if isinstance(dim, Tensor):
            return adapted(name + "imum")(machine, x, dim)
        found = FUNCTIONS[f"numpy.{name}"](machine, array, dim, None, keepdim)
        if dim is None:
            return tensor(machine, found)
        where = FUNCTIONS[f"numpy.arg{name}"](machine, array, dim, keepdim)
        return tensor(machine, found), tensor(machine, where)

    return call


def _var(
    machine: Machine,
    x: Any,
    dim: Any = None,
    unbiased: Any = True,
    keepdim: Any = False,
    correction: Any = None,
) -> Any:
    ddof = int(bool(unbiased)) if correction is None else correction
    return tensor(
        machine, FUNCTIONS["numpy.var"](machine, unwrapped(x), dim, ddof=ddof, keepdims=keepdim)
    )


def _std(machine: Machine, x: Any, *arguments: Any, **keywords: Any) -> Any:
    return mapped(machine, SCALARS["sqrt"], _var(machine, x, *arguments, **keywords))


def _made(name: str) -> Call:
    def call(machine: Machine, *size: Any, dtype: Any = None, **others: Any) -> Any:
        given = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
        return Tensor(FUNCTIONS[f"numpy.{name}"](machine, given, dtype=dtype))

    return call


def _tensor(machine: Machine, x: Any, dtype: Any = None, **others: Any) -> Any:
    array = as_array(machine, bare(x))
    return Tensor(array.copy() if dtype is None else cast(machine, array, dtype))


def _float_tensor(machine: Machine, *x: Any) -> Any:
    if len(x) != 1 or isinstance(x[0], int):
        return _made("zeros")(machine, *x)
    return Tensor(nodes(machine, as_array(machine, bare(x[0]))).copy())


def _scattered(
    machine: Machine,
    x: Any,
    dim: Any,
    index: Any,
    value: Any = None,
    src: Any = None,
    add: bool = False,
) -> Any:
    target, places = unwrapped(x), unwrapped(index)
    axis = axis_of(machine, target, dim)
    if places.dtype == object:
        raise machine.misused(places, "label", "real numbers as indices")
    if places.ndim != target.ndim:
        message = f"an index of {places.ndim} dimensions for a tensor of {target.ndim}"
        raise machine.misused(places, f"shift {target.ndim - places.ndim}", message)
    _within(machine, places, target, axis)
    new = unwrapped(value if src is None else src)
    for place in np.ndindex(*places.shape):
        where = (*place[:axis], int(places[place]), *place[axis + 1 :])
        element = machine.node(new[place] if isinstance(new, np.ndarray) and new.ndim else new)
        target[where] = target[where] + element if add else element
    return x


def _gather(machine: Machine, x: Any, dim: Any, index: Any) -> Any:
    source, places = unwrapped(x), unwrapped(index)
    if places.dtype == object:
        raise machine.misused(places, "label", "real numbers as indices")
    return Tensor(np.take_along_axis(source, places, axis_of(machine, source, dim)))


def _chunk(machine: Machine, x: Any, chunks: Any, dim: Any = 0) -> Any:
    array = unwrapped(x)
    axis = axis_of(machine, array, dim)
    return tuple(Tensor(p) for p in np.array_split(array, machine.integer(chunks), axis=axis))


def _view(machine: Machine, x: Any, *shape: Any) -> Any:
    return Tensor(reshape(machine, unwrapped(x), *shape))


def _permute(machine: Machine, x: Any, *axes: Any) -> Any:
    given = axes[0] if isinstance(axes[0], tuple | list) else axes
    return Tensor(unwrapped(x).transpose(tuple(given)))


def _t(machine: Machine, x: Any) -> Any:
    return Tensor(unwrapped(x).T)


def _expand(machine: Machine, x: Any, *shape: Any) -> Any:
    given = shape_of(machine, shape[0] if len(shape) == 1 else shape)
    array = unwrapped(x)
    own = (1,) * (len(given) - array.ndim) + array.shape
    extents = tuple(o if g == -1 else g for o, g in zip(own, given, strict=True))
    machine.spend(count(extents))
    return Tensor(np.broadcast_to(array, extents).copy())


def _size(machine: Machine, x: Any, dim: Any = None) -> Any:
    array = unwrapped(x)
    return array.shape if dim is None else array.shape[axis_of(machine, array, dim)]


def _squeeze(machine: Machine, x: Any, dim: Any = None) -> Any:
    array = unwrapped(x)
    if dim is not None and array.shape[axis_of(machine, array, dim)] != 1:
        return x
    return tensor(machine, np.squeeze(array, dim))


def _flatten(machine: Machine, x: Any, start_dim: Any = 0, end_dim: Any = -1) -> Any:
    array, start = unwrapped(x), machine.integer(start_dim)
    return Tensor(array.reshape((*array.shape[:start], -1)))


def _masked_fill(machine: Machine, x: Any, mask: Any, value: Any) -> Any:
    return _where(machine, mask, value, x)


def _nonzero(machine: Machine, x: Any, as_tuple: Any = False) -> Any:
    found = FUNCTIONS["numpy.nonzero"](machine, unwrapped(x))
    if as_tuple:
        return tuple(Tensor(f) for f in found)
    return Tensor(np.stack(found, axis=1))


def _same(machine: Machine, x: Any, *arguments: Any, **keywords: Any) -> Any:
    return x


def _copy(machine: Machine, x: Any, *arguments: Any, **keywords: Any) -> Any:
    return Tensor(unwrapped(x).copy())


def _cast_to(machine: Machine, x: Any, *arguments: Any, **keywords: Any) -> Any:
    dtype = keywords.get("dtype", arguments[0] if arguments else None)
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", "")
    known = ("float", "int", "bool", "long", "double", "half", "short")
    if not any(k in str(name) for k in known) or dtype_kind(machine, dtype) == "real":
        return Tensor(nodes(machine, unwrapped(x))) if name else x
    return Tensor(cast(machine, unwrapped(x), dtype))


def _caster(name: str) -> Call:
    return lambda machine, x: _cast_to(machine, x, name)


def _item(machine: Machine, x: Any) -> Any:
    return plain(unwrapped(x).reshape(-1)[0])


def _fill(machine: Machine, x: Any, value: Any) -> Any:
    unwrapped(x)[...] = machine.node(value)
    return x


_SHARED = (
    *("sum", "mean", "prod", "any", "all", "argmax", "argmin", "cumsum", "argsort", "sort"),
    *("add", "subtract", "multiply", "divide", "true_divide", "power", "remainder"),
    *("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"),
    *("maximum", "minimum", "matmul", "dot", "outer", "einsum", "tensordot", "trace", "diag"),
    *("zeros_like", "ones_like", "full_like", "empty_like", "stack", "concatenate", "flip"),
    *("tril", "triu", "logical_and", "logical_or", "logical_not", "roll", "tile", "clip"),
    *("expand_dims", "swapaxes", "arange", "full", "linspace", "eye", "nan_to_num"),
)
_ALSO = {
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
    "pow": "power",
    "mm": "matmul",
    "bmm": "matmul",
    "mv": "matmul",
    "cat": "concatenate",
    "gt": "greater",
    "ge": "greater_equal",
    "lt": "less",
    "le": "less_equal",
    "eq": "equal",
    "ne": "not_equal",
    "unsqueeze": "expand_dims",
    "transpose": "swapaxes",
    "ger": "outer",
    "repeat": "tile",
    "multiply": "multiply",
    "norm": "linalg.norm",
}
_SCALAR_NAMES = (
    *("exp", "log", "log2", "log10", "log1p", "expm1", "sqrt", "rsqrt", "square", "abs", "sign"),
    *("tanh", "sinh", "cosh", "sin", "cos", "tan", "erf", "sigmoid", "floor", "ceil", "reciprocal"),
)
TENSOR_METHODS: dict[str, Call] = {
    **{name: adapted(name) for name in _SHARED},
    **{name: adapted(known) for name, known in _ALSO.items()},
    **{name: _scalar(name) for name in _SCALAR_NAMES},
    "neg": _scalar("negative"),
    "absolute": _scalar("abs"),
    "asinh": _scalar("arcsinh"),
    "max": _extreme("max"),
    "min": _extreme("min"),
    "var": _var,
    "std": _std,
    "clamp": adapted("clip"),
    "relu": _relu,
    "softmax": _softmaxes(softmax),
    "log_softmax": _softmaxes(log_softmax),
    "view": _view,
    "reshape": _view,
    "permute": _permute,
    "t": _t,
    "expand": _expand,
    "expand_as": lambda machine, x, other: _expand(machine, x, unwrapped(other).shape),
    "view_as": lambda machine, x, other: _view(machine, x, unwrapped(other).shape),
    "size": _size,
    "dim": lambda machine, x: unwrapped(x).ndim,
    "numel": lambda machine, x: unwrapped(x).size,
    "nelement": lambda machine, x: unwrapped(x).size,
    "squeeze": _squeeze,
    "flatten": _flatten,
    "masked_fill": _masked_fill,
    "gather": _gather,
    "scatter": lambda machine, x, *a, **k: _scattered(machine, _copy(machine, x), *a, **k),
    "scatter_": _scattered,
    "scatter_add_": lambda machine, x, d, i, s: _scattered(machine, x, d, i, s, add=True),
    "chunk": _chunk,
    "nonzero": _nonzero,
    "detach": _same,
    "requires_grad_": _same,
    "contiguous": _same,
    "to": _cast_to,
    "type": _cast_to,
    "type_as": lambda machine, x, other: (
        Tensor(nodes(machine, x.array)) if unwrapped(other).dtype == object else x
    ),
    "cpu": _same,
    "cuda": _same,
    "clone": _copy,
    "float": _caster("float"),
    "double": _caster("float"),
    "half": _caster("float"),
    "long": _caster("long"),
    "int": _caster("int"),
    "bool": _caster("bool"),
    "item": _item,
    "numpy": lambda machine, x: x.array,
    "tolist": lambda machine, x: x.array.tolist(),
    "fill_": _fill,
    "zero_": lambda machine, x: _fill(machine, x, 0),
    "retain_grad": lambda machine, x: None,
    "register_hook": lambda machine, x, hook: None,
    "new_zeros": lambda machine, x, *size, **k: _made("zeros")(machine, *size),
    "new_ones": lambda machine, x, *size, **k: _made("ones")(machine, *size),
    "addmm": lambda machine, x, a, b: Tensor(
        operators.arrays(
            machine, "add", operator.add, x.array, operators.matmul(machine, a.array, b.array)
        )
    ),
}


def in_place(machine: Machine, name: str, x: Tensor, arguments: Any, keywords: Any) -> Any:
    """Do a method whose name ends in ``_``: the result is stored in the tensor itself."""
    found = TENSOR_METHODS[name](machine, x, *arguments, **keywords)
    array = unwrapped(found)
    if array.shape != x.array.shape:
        message = f"a result of shape {array.shape} in a tensor of shape {x.array.shape}"
        raise Raised("RuntimeError", message, machine.here[1])
    x.array[...] = nodes(machine, array) if x.array.dtype == object else array
    return x


_FUNCTIONS: dict[str, Call] = {
    **{n: f for n, f in TENSOR_METHODS.items() if not n.endswith("_") and n not in ("type", "to")},
    "where": _where,
    "tensor": _tensor,
    "as_tensor": _tensor,
    "from_numpy": _tensor,
    "Tensor": _float_tensor,
    "FloatTensor": _float_tensor,
    "DoubleTensor": _float_tensor,
    "LongTensor": _tensor,
    "zeros": _made("zeros"),
    "ones": _made("ones"),
    "empty": _made("empty"),
    "rand": lambda machine, *s, **k: tensor(machine, FUNCTIONS["numpy.random.rand"](machine, *s)),
    "randn": lambda machine, *s, **k: tensor(machine, FUNCTIONS["numpy.random.randn"](machine, *s)),
    "zeros_like": adapted("zeros_like"),
    "manual_seed": lambda machine, seed: None,
    "is_tensor": lambda machine, x: isinstance(x, Tensor),
    "numel": lambda machine, x: unwrapped(x).size,
    "movedim": adapted("moveaxis"),
}


for _key, _call in _FUNCTIONS.items():
    FUNCTIONS[f"torch.{_key}"] = _call
for _key, _call in _FUNCTIONAL.items():
    FUNCTIONS[f"torch.nn.functional.{_key}"] = _call
