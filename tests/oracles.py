"""Two oracles for emitted modules: the module itself on fifty digits, and PyTorch."""

import ast
import builtins
import math
import types
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest

DIGITS = 50
STEP = "1e-15"  # of central differences: their error is its square
_ELEMENTARY = ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "erf", "erfc")

mp = mpmath.ctx_mp.MPContext()
mp.dps = DIGITS


def _copysign(a, b):
    return -abs(a) if b < 0 else abs(a)


def _mp_ufunc(function, arguments=1):
    """Return a NumPy function over arrays of numbers, out= and where= included."""
    return np.frompyfunc(function, arguments, 1)


_UFUNCS = {name: _mp_ufunc(getattr(mp, name)) for name in _ELEMENTARY}
_UFUNCS |= {
    "copysign": _mp_ufunc(_copysign, 2),
    "sign": _mp_ufunc(mp.sign),
    "isnan": _mp_ufunc(mp.isnan),
    "isfinite": _mp_ufunc(mp.isfinite),
}


def _filled(name):
    def make(*arguments, **keywords):
        return _exact(getattr(np, name)(*arguments, **keywords))

    return make


def _exact(values):
    """Return an object array with every real number at fifty digits; others stay."""
    array = np.asarray(values)
    if array.dtype.kind not in "fO" or array.size == 0:
        return array
    return np.asarray(np.frompyfunc(mp.mpf, 1, 1)(array), dtype=object)


def _namespace(name, base, replaced):
    """Return a stand-in for a module: what is not replaced is the module's own."""
    stand_in = types.ModuleType(name)
    stand_in.__getattr__ = lambda attribute: getattr(base, attribute)
    stand_in.__dict__.update(replaced)
    return stand_in


_NUMPY = _namespace(
    "numpy",
    np,
    {
        **_UFUNCS,
        "float64": object,
        **{name: _filled(name) for name in ("ones", "zeros", "full", "where")},
    },
)
_MATH = _namespace(
    "math",
    math,
    {**{name: getattr(mp, name) for name in _ELEMENTARY}, "pi": +mp.pi, "e": +mp.e},
)
_IMPORTS = {"numpy": _NUMPY, "math": _MATH}


class _Exactly(ast.NodeTransformer):
    """Reads decimals as written, keeps quotients of integers, and lets arrays of objects pass."""

    def __init__(self, text):
        self.text = text

    def visit_Constant(self, node):
        if isinstance(node.value, float):
            digits = ast.Constant(ast.get_source_segment(self.text, node))
            return ast.Call(ast.Name("_decimal", ast.Load()), [digits], [])
        if isinstance(node.value, str) and node.value in ("biuf", "iuf", "f", "fiu"):
            return ast.Constant(f"{node.value}O")
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        kinds = [c for c in node.comparators if isinstance(c, ast.Constant) and c.value == "fO"]
        if kinds and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            node.ops = [ast.In() if isinstance(node.ops[0], ast.Eq) else ast.NotIn()]
        return node

    def visit_JoinedStr(self, node):
        return node

    def visit_BinOp(self, node):
        self.generic_visit(node)
        left = node.left.operand if isinstance(node.left, ast.UnaryOp) else node.left
        if isinstance(node.op, ast.Div | ast.Pow) and isinstance(left, ast.Constant):
            node.left = ast.Call(ast.Name("_decimal", ast.Load()), [node.left], [])
        return node


def fifty_digits(text):
    """Return an emitted module that computes on fifty digits instead of sixteen.

    Its ``np``, ``math``, ``float``, decimals and special functions are replaced; arrays hold
    objects, so everything else is NumPy's own.
    """
    tree = ast.fix_missing_locations(_Exactly(text).visit(ast.parse(text)))

    def imported(name, *arguments):
        return _IMPORTS.get(name) or builtins.__import__(name, *arguments)

    module = types.ModuleType("fifty_digits")
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": imported, "float": mp.mpf}
    module.__dict__["_decimal"] = mp.mpf
    exec(compile(tree, "fifty_digits.py", "exec"), module.__dict__)
    for name in ("erf", "erfc"):
        if name in module.__dict__:
            module.__dict__[name] = _UFUNCS[name]
    return module


@dataclass
class Point:
    """Where two oracles meet: all numbers float64."""

    params: dict
    x: np.ndarray
    y: np.ndarray | None
    cotangent: np.ndarray


def errors_on_fifty_digits(text, point, held=dict):
    """Return by path and tensor how far gradients are from differences, both on fifty digits.

    Relative to the tensor's largest number, or to 1e-8 of the largest of all.

    Args:
        text: of the module.
        point: where.
        held: gives the keywords of a call, with draws and running statistics held.
    """
    module = fifty_digits(text)
    params = module.initialize(0, dtype=object)
    for name, value in params.items():
        value[...] = _exact(point.params[name])
    x = _exact(point.x)
    arrays = params if x.dtype.kind in "iu" else {**params, "x": x}
    cotangent = _exact(point.cotangent)

    def call(function, *arguments, **keywords):
        fixed = {k: _held_exactly(v) for k, v in held().items()}
        return getattr(module, function)(params, *arguments, **fixed, **keywords)

    def plain():
        return (call("forward", x)[0] * cotangent).sum()

    _, cache = call("forward", x)
    gradients = module.backward(params, cache, cotangent)
    found = {"backward": _errors(plain, arrays, gradients)}
    if point.y is None:
        return found
    y = _exact(point.y)

    def value():
        return call("loss_and_gradients", x, y)[0]

    _, gradients = call("loss_and_gradients", x, y, input_gradient=True)
    found["training"] = _errors(value, arrays, gradients)
    output, _ = call("forward", x)
    gradient = {"x": module.loss_gradient(output, y)}
    found["loss_gradient"] = _errors(lambda: module.loss(output, y), {"x": output}, gradient)
    found["value"] = {"": abs(value() - module.loss(call("forward", x)[0], y))}
    return found


def _held_exactly(value):
    return {k: _exact(v) for k, v in value.items()} if isinstance(value, dict) else value


def _errors(function, arrays, gradients):
    step, numeric = mp.mpf(STEP), {}
    for name, array in arrays.items():
        numeric[name] = np.empty(array.shape, dtype=object)
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + step
            above = function()
            array[place] = kept - step
            below = function()
            array[place] = kept
            numeric[name][place] = (above - below) / (2 * step)
    largest = {name: max(map(abs, value.flat), default=0) for name, value in numeric.items()}
    overall = max(largest.values())
    return {
        name: float(
            max((abs(d) for d in (np.asarray(gradients[name]) - numeric[name]).flat), default=0)
            / (max(largest[name], overall * mp.mpf("1e-8")) or 1)
        )
        for name in arrays
    }


def torch_or_skip():
    """Return PyTorch in double precision, or skip the test."""
    return pytest.importorskip("torch", reason="PyTorch is not installed: no third oracle")


def torch_activation(name):
    """Return PyTorch's activation by our name, with PyTorch's defaults."""
    torch = torch_or_skip()
    functional = torch.nn.functional
    ours = {
        "identity": lambda z: z,
        "log_sigmoid": functional.logsigmoid,
        "hard_sigmoid": lambda z: (z + 3).clamp(0, 6) / 6,  # its own divides in float32
        "hard_tanh": functional.hardtanh,
        "hard_swish": functional.hardswish,
        "gelu_tanh": lambda z: functional.gelu(z, approximate="tanh"),
        "exponential": torch.exp,
        "square": torch.square,
        "sine": torch.sin,
        "tanh_shrink": functional.tanhshrink,
        "soft_shrink": functional.softshrink,
        "hard_shrink": functional.hardshrink,
        "softmax": lambda z: functional.softmax(z, dim=-1),
        "log_softmax": lambda z: functional.log_softmax(z, dim=-1),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
    }
    return ours.get(name) or getattr(functional, name)


def torch_loss(name, options=None, reduction="mean"):
    """Return PyTorch's loss by our name, over the batch, as (output, y) -> scalar.

    Cross-entropies and divergences sum over classes; the other losses average over units.
    """
    torch = torch_or_skip()
    functional = torch.nn.functional
    options = dict(options or {})
    tensors = {k: torch.tensor(options.pop(k)) for k in ("weight", "pos_weight") if k in options}
    options |= {key: value.double() for key, value in tensors.items()}

    def batch(losses):
        """Reduce what each sample costs."""
        return losses.mean() if reduction == "mean" else losses.sum()

    def each(function, **settings):
        """Average over a sample's units."""
        return lambda a, y: batch(function(a, y, reduction="none", **settings).mean(dim=-1))

    def classes(logarithms, y, label_smoothing=0.0, weight=None, ignore_index=-100):
        """Cross-entropy from logarithms of probabilities: the softmax of those is the same."""
        count = logarithms.shape[-1]
        weight = torch.ones(count).double() if weight is None else weight
        if y.ndim == logarithms.ndim:
            y = (1 - label_smoothing) * y + label_smoothing / count
            return batch(-(weight * y * logarithms).sum(dim=-1))
        kept = y != ignore_index
        y, logarithms = y[kept], logarithms[kept]
        picked = (weight * logarithms).gather(-1, y[:, None])[:, 0]
        smooth = (weight * logarithms).sum(dim=-1)
        cost = -((1 - label_smoothing) * picked + label_smoothing / count * smooth).sum()
        return cost / weight[y].sum() if reduction == "mean" else cost

    ours = {
        "squared_error": lambda a, y: batch(((a - y) ** 2).sum(dim=-1)),
        "mean_squared_error": each(functional.mse_loss),
        "mean_absolute_error": each(functional.l1_loss),
        "huber": each(functional.huber_loss, **options),
        "log_cosh": lambda a, y: batch(torch.log(torch.cosh(a - y)).mean(dim=-1)),
        "binary_cross_entropy": lambda a, y: batch(
            -(
                options.get("pos_weight", 1.0) * y * a.log().clamp(min=-100.0)
                + (1 - y) * (1 - a).log().clamp(min=-100.0)
            ).mean(dim=-1)
        ),
        "binary_cross_entropy_with_logits": each(
            functional.binary_cross_entropy_with_logits, **options
        ),
        "cross_entropy": lambda a, y: classes(a.log().clamp(min=-100.0), y, **options),
        "cross_entropy_with_logits": lambda a, y: (
            classes(torch.log_softmax(a, dim=-1), y, **options)
            if y.ndim == a.ndim
            else functional.cross_entropy(a, y, reduction=reduction, **options)
        ),
        "nll": lambda a, y: classes(a, y, **options),
        "kl_divergence": lambda a, y: batch(functional.kl_div(a, y, reduction="none").sum(dim=-1)),
        "poisson_nll": each(functional.poisson_nll_loss),
        "gaussian_nll": lambda a, y: batch(
            functional.gaussian_nll_loss(
                a[..., : a.shape[-1] // 2],
                y,
                a[..., a.shape[-1] // 2 :].exp(),
                eps=1e-300,
                reduction="none",
            ).mean(dim=-1)
        ),
        "hinge": lambda a, y: batch((1 - y * a).clamp(min=0).mean(dim=-1)),
        "squared_hinge": lambda a, y: batch(((1 - y * a).clamp(min=0) ** 2).mean(dim=-1)),
        "cosine_similarity": lambda a, y: batch(1 - functional.cosine_similarity(a, y, dim=-1)),
    }
    return ours[name]


def torch_gradients(layers, loss, point, *, options=None, reduction="mean", penalty=None):
    """Return value and gradients of a perceptron by PyTorch's autograd.

    Args:
        layers: the activation after each affine map, by our names.
        loss: by our name.
        point: parameters W1, b1, ... with their input and target.
        options: of the loss, by our names.
        reduction: over the batch.
        penalty: what is added for each matrix of weights.
    """
    torch = torch_or_skip()
    params = {k: torch.tensor(v, requires_grad=True) for k, v in point.params.items()}
    x = torch.tensor(point.x, requires_grad=True)
    value = x
    for number, name in enumerate(layers, start=1):
        value = value @ params[f"W{number}"] + params[f"b{number}"]
        learned = [params[f"alpha{number}"]] if name == "prelu" else []
        value = torch_activation(name)(value, *learned)
    cost = torch_loss(loss, options, reduction)(value, torch.tensor(point.y))
    if penalty is not None:
        cost = cost + sum(penalty(value) for value in params.values() if value.ndim > 1)
    cost.backward()
    gradients = {name: leaf.grad for name, leaf in (*params.items(), ("x", x))}
    zero = {name: torch.zeros_like(leaf) for name, leaf in (*params.items(), ("x", x))}
    return cost.item(), {
        name: (zero[name] if gradient is None else gradient).numpy()
        for name, gradient in gradients.items()
    }
