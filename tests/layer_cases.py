"""Every layer of the catalogue × its options × awkward shapes, made from its definition.

A case is a network of that one layer; a layer that learns nothing stands after a dense one,
so that its ∂E/∂x is needed for what the dense one learns. Values of the fields follow from
what the definition says of them; TORCH alone is written by hand, one entry a layer.
"""

import functools
import itertools
import math
import types
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
from oracles import torch_or_skip

from symbackprop import calculus
from symbackprop.architecture import Architecture, InputUse, LayerUse, Use
from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.emit import generate
from symbackprop.emit.modes import fewest_samples
from symbackprop.errors import SymbackpropError
from symbackprop.reference import accumulate, evaluate, forward_equations

TOLERANCE = 1e-10  # of a tensor's largest number
# Of the largest number of all tensors: numbers of that size that cancel leave so much behind.
CANCELLED = 64 * 2.0**-53
# Where nothing is left by ours, that is what another's may leave: 1/√eps enlarges what cancels.
ENLARGED = 1e-12
BATCHES = (3, 1)

# The layer by PyTorch: p its parameters by symbol, x its input (a tuple where it reads several),
# f its fields, defaults included, "training", its draws and its running statistics, which are
# updated in place.
TORCH = {
    "dense": lambda p, x, f: x @ p["W"] + p.get("b", 0),
    "layer_norm": lambda p, x, f: functional().layer_norm(
        x, p["gamma"].shape if p else _whole(f["normalized_shape"], x), *_affine(p), f["eps"]
    ),
    "rms_norm": lambda p, x, f: functional().rms_norm(
        x, p["gamma"].shape if p else _whole(f["normalized_shape"], x), p.get("gamma"), f["eps"]
    ),
    "instance_norm": lambda p, x, f: (
        functional().instance_norm(
            x,
            f["running_mean"],
            f["running_var"],
            *_affine(p),
            f["training"],
            f["momentum"],
            f["eps"],
        )
        if f["track_running_stats"]
        else _by_channel(
            p,
            functional().layer_norm(x, x.shape[2:], eps=f["eps"]),  # its own refuses a single place
        )
    ),
    "group_norm": lambda p, x, f: functional().group_norm(
        x, f["num_groups"], *_affine(p), f["eps"]
    ),
    "embedding": lambda p, x, f: functional().embedding(x, p["E"], f["padding_idx"]),
    "positional": lambda p, x, f: x + (p["P"] if p else _sinusoids(*x.shape[-2:])),
    "scaled_dot_product_attention": lambda p, x, f: functional().scaled_dot_product_attention(
        *_roles(x), attn_mask=_attended(_roles(x), f)
    ),
    "multi_head_attention": lambda p, x, f: _multi_head(p, _roles(x), f),
    "conv1d": lambda p, x, f: _convolved("conv1d", p, x, f),
    "conv2d": lambda p, x, f: _convolved("conv2d", p, x, f),
    "conv3d": lambda p, x, f: _convolved("conv3d", p, x, f),
    "conv_transpose1d": lambda p, x, f: _convolved("conv_transpose1d", p, x, f),
    "conv_transpose2d": lambda p, x, f: _convolved("conv_transpose2d", p, x, f),
    "max_pool1d": lambda p, x, f: functional().max_pool1d(x, **f),
    "max_pool2d": lambda p, x, f: functional().max_pool2d(x, **f),
    "avg_pool1d": lambda p, x, f: functional().avg_pool1d(x, **f),
    "avg_pool2d": lambda p, x, f: functional().avg_pool2d(x, **f),
    "adaptive_avg_pool1d": lambda p, x, f: functional().adaptive_avg_pool1d(x, **f),
    "adaptive_avg_pool2d": lambda p, x, f: functional().adaptive_avg_pool2d(x, **f),
    "global_avg_pool": lambda p, x, f: x.mean(tuple(range(2, x.ndim))),
    "global_max_pool": lambda p, x, f: x.amax(tuple(range(2, x.ndim))),
    "upsample": lambda p, x, f: functional().interpolate(x, scale_factor=f["scale_factor"]),
    "l2_normalize": lambda p, x, f: functional().normalize(x, dim=f["axis"], eps=f["eps"]),
    "add": lambda p, x, f: sum(x),
    "multiply": lambda p, x, f: math.prod(x),
    "concatenate": lambda p, x, f: torch_or_skip().cat(x, f["axis"]),
    "transpose": lambda p, x, f: x.permute(f["axes"]),
    "dropout": lambda p, x, f: (
        x * ((f["u"] >= f["p"]).double() / (1 - f["p"])) if f["training"] else x
    ),
    "batch_norm": lambda p, x, f: functional().batch_norm(
        x,
        f.get("running_mean"),
        f.get("running_var"),
        p.get("gamma"),
        p.get("beta"),
        f.get("training", True),
        f["momentum"],
        f["eps"],
    ),
    "flatten": lambda p, x, f: x.flatten(f["start_dim"], f["end_dim"]),
    "reshape": lambda p, x, f: x.reshape(len(x), *_several(f["shape"])),
    "slice": lambda p, x, f: x.movedim(f["axis"], 0)[f["start"] : f["stop"] : f["step"]].movedim(
        0, f["axis"]
    ),
    "pad": lambda p, x, f: functional().pad(x, _edges(f["padding"], x), f["mode"], f["value"]),
    "rnn": lambda p, x, f: _recurrent(f"rnn_{f['nonlinearity']}", p, x, f),
    "gru": lambda p, x, f: _recurrent("gru", p, x, f),
    "lstm": lambda p, x, f: _recurrent("lstm", p, x, f),
}


def functional():
    return torch_or_skip().nn.functional


def _roles(x):
    """Queries, keys and values."""
    return (x, x, x) if not isinstance(x, tuple) else x if len(x) == 3 else (*x, x[1])


def _attended(roles, f):
    """Which places (query, key) count, of each sample."""
    query, key = roles[:2]
    places = torch_or_skip().ones(*query.shape[:-1], key.shape[-2], dtype=bool)
    places = places.tril() if f["causal"] else places
    return places if f["mask"] is None else places & (f["mask"][..., None, :] != 0)


def _multi_head(p, roles, f):
    torch = torch_or_skip()
    query, key = roles[:2]
    width = query.shape[-1]
    length, places = query.shape[-2], key.shape[-2]
    later = torch.ones(length, places, dtype=bool).triu(1) if f["causal"] else None
    names = ("bq", "bk", "bv")
    bias = torch.cat([p[name] for name in names]) if "bq" in p else None
    output, _ = functional().multi_head_attention_forward(
        *(value.flatten(0, -3).swapaxes(0, 1) for value in roles),
        width, f["heads"], None, bias, None, None, False, 0.0, p["Wo"].T, p.get("bo"),
        training=False,
        need_weights=False,
        attn_mask=later,
        key_padding_mask=None if f["mask"] is None else (f["mask"] == 0).flatten(0, -2),
        use_separate_proj_weight=True,
        **{f"{k}_proj_weight": p[f"W{k}"].T for k in "qkv"},
    )  # fmt: skip
    return output.swapaxes(0, 1).reshape(query.shape)


def _convolved(name, p, x, f):
    known = ("stride", "padding", "output_padding", "dilation", "groups")
    fields = {k: f[k] for k in known if k in f}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*padding='same' with even kernel lengths")
        return getattr(functional(), name)(x, p["W"], p.get("b"), **fields)


def _affine(p):
    return p.get("gamma"), p.get("beta")


def _by_channel(p, h):
    shape = (-1, *[1] * (h.ndim - 2))
    return h * p["gamma"].reshape(shape) + p["beta"].reshape(shape) if p else h


def _recurrent(name, p, x, f):
    torch = torch_or_skip()
    x, *starts = x if isinstance(x, tuple) else (x,)
    before, x = x.shape[:-2], x.reshape(-1, *x.shape[-2:])
    zero = x.new_zeros(len(x), f["hidden"])
    starts = [state.reshape(1, -1, f["hidden"]) for state in starts or [zero, zero]]
    biases = [p.get("bx", p.get("b")), p.get("bh", p.get("b", zero) * 0)] if f["bias"] else []
    weights = [p["Wx"].T, p["Wh"].T, *biases]
    pieces, run = [], getattr(torch, name)
    for piece in x.split(f["truncate"] or x.shape[1], 1):
        start = tuple(starts) if name == "lstm" else starts[0]
        found, *states = run(piece, start, weights, f["bias"], 1, 0.0, True, False, True)
        pieces, starts = [*pieces, found], [state.detach() for state in states]
    every = torch.cat(pieces, 1)
    every = every if f["return_sequences"] else every[:, -1]
    return every.reshape(*before, *every.shape[1:])


def _sinusoids(length, features):
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(features) // 2 * 2 / features)
    even = np.arange(features) % 2 == 0
    return torch_or_skip().tensor(np.where(even, np.sin(angles), np.cos(angles)))


def _whole(shape, x):
    return x.shape[-1:] if shape is None else _several(shape)


def _several(value):
    return (value,) if isinstance(value, int) else value


def _edges(padding, x):
    """Before and after for each axis but channels, in PyTorch's order: the last axis first."""
    pairs = padding if isinstance(padding, tuple) else (padding,) * 2 * max(x.ndim - 2, 1)
    return [n for k in reversed(range(0, len(pairs), 2)) for n in pairs[k : k + 2]]


# Extents of a sample: unequal, with a 1 at every place, all 1.
SHAPES = {
    1: ((3,), (1,), (6,)),
    2: ((5, 4), (1, 6), (3, 1), (1, 1)),
    3: ((2, 3, 4), (4, 1, 6), (1, 5, 3), (6, 4, 1), (1, 1, 1)),
    4: ((2, 3, 4, 5), (4, 1, 3, 2), (1, 2, 1, 3)),
}


@dataclass(frozen=True)
class Case:
    """One layer with its fields on a sample of one shape."""

    layer: str
    fields: tuple[tuple[str, object], ...]
    shape: tuple[int, ...]
    reads: int = 0  # how many values; 0 is as many as in the definition's example

    @property
    def count(self):
        """How many values the layer reads, besides those that fields name."""
        definition = CATALOG.layers[self.layer]
        example = len(definition.example.shapes) if definition.example else len(definition.inputs)
        return self.reads or example

    @property
    def named(self):
        """The fields that name one more value each."""
        fields = CATALOG.layers[self.layer].fields
        return [
            name for name, value in self.fields if value and name in fields and fields[name].source
        ]

    def __str__(self):
        settings = [f"{name}={value}" for name, value in self.fields]
        reads = [f"of {self.reads}"] if self.reads else []
        return " ".join([self.layer, "x".join(map(str, self.shape)), *settings, *reads])


def values_of(definition):
    """Return by field the values to try, the first of them for when other fields vary."""
    found = dict.fromkeys(definition.sizes, (3, 1, 4))
    found |= {name: (on, not on) for name, on in definition.options.items()}
    found |= {name: _values(definition, name) for name in definition.constants}
    found |= {name: _of_field(field) for name, field in definition.fields.items()}
    return found


def _of_field(field):
    """Return the default, every word and some numbers that are allowed, or its own examples."""
    if field.examples:
        return field.examples
    if field.source:
        return None, True
    if field.chosen:
        return tuple(dict.fromkeys([field.default, *field.words]))
    start = [2] if field.required else [field.default]
    numbers = (1, 2, 3) if field.least == 1 else (0, 1, 2) if field.least == 0 else (1, 2, -2)
    lists = [(1, 6), (3, 4)] if field.several else []
    return tuple(dict.fromkeys([*start, *field.words, *numbers, *lists]))


def _values(definition, name):
    default = definition.constants[name]
    if isinstance(default, bool):
        return default, not default
    if isinstance(default, int):
        return tuple(dict.fromkeys((default, 1, 2, 3)))
    if isinstance(default, float):
        tries = (default, 0.25, 0.0, 1.5, -0.75)
        return tuple(v for v in dict.fromkeys(tries) if not definition.demand(name, v))
    return (default,)


def option_sets(definition, full=False):
    """Return settings of all fields: one varied at a time, or every two values of two fields."""
    values = values_of(definition)
    base = {name: found[0] for name, found in values.items()}
    sets = [{**base, name: value} for name, found in values.items() for value in found[1:]]
    if full:
        sets += [
            {**base, one: a, other: b}
            for one, other in itertools.combinations(values, 2)
            for a, b in itertools.product(values[one][1:], values[other][1:])
        ]
    return [base, *sets]


def cases(name, full=False):
    """Return the cases of a layer that fit: settings, each in a shape or, some, in several."""
    definition = CATALOG.layers[name]
    shapes = [shape for rank in SHAPES for shape in SHAPES[rank]]
    found = []
    for k, fields in enumerate(option_sets(definition, full)):
        settings = tuple(sorted((n, v) for n, v in fields.items() if v is not None))
        fitting = [c for c in (Case(name, settings, s) for s in shapes) if fits(c)]
        if not full and k > 0:
            found += fitting[k % max(len(fitting), 1) :][:1] or paired(name, fields)
        else:
            found += fitting if full else fitting[:4]
        if k == 0:
            counts = {1, 2, 3} - {found[0].count}
            others = (
                [c for c in (replace(c, reads=n) for c in fitting) if fits(c)] for n in counts
            )
            found += [case for other in others for case in (other if full else other[:2])]
    return found


def paired(name, fields):
    """Return a case with these fields and one other, if there is any that fits."""
    values = values_of(CATALOG.layers[name])
    base = {field: found[0] for field, found in values.items()}
    kept = [field for field, value in fields.items() if value != base[field]]
    shapes = [shape for rank in SHAPES for shape in SHAPES[rank]]
    for other in (field for field in values if field not in kept):
        for value in values[other]:
            settings = {**base, **fields, other: value}.items()
            settings = tuple(sorted((n, v) for n, v in settings if v is not None))
            for case in (Case(name, settings, shape) for shape in shapes):
                if fits(case):
                    return [case]
    return []


def fits(case):
    """Whether the layer takes the shape and the fields."""
    try:
        network_of(case)
    except SymbackpropError:
        return False
    return True


def network_of(case):
    """Return the network of a case, with a squared error as its loss.

    Of several values the first is a dense layer's, wider where that fits; the others are the
    network's input. A field that names one more value names an input of whole numbers.
    """
    layer = LayerUse(case.layer, "layer", fields=dict(case.fields))
    first = LayerUse("dense", "first", "first", fields={"units": case.shape[-1]})
    if case.count == 1 and not case.named:
        network = _built(case, [layer])
        return network if network.parameters else _built(case, [first, layer])
    layer = replace(layer, sources=("first", *["x"] * (case.count - 1), *case.named))
    first = replace(first, sources=("x",))
    wider = replace(first, fields={"units": case.shape[-1] + 1})
    try:
        return _built(case, [wider, layer])
    except SymbackpropError:
        return _built(case, [first, layer])


def _built(case, layers):
    loss = Use("mean_squared_error")
    x = InputUse("x", case.shape, integer=looks_up(case.layer))
    given = (x, *(InputUse(name, case.shape[:-1], integer=True) for name in case.named))
    return build_network(Architecture("case", (), tuple(layers), loss=loss, inputs=given))


@functools.cache
def looks_up(layer):
    """Whether the layer reads whole numbers, by what it says to others."""
    example = CATALOG.layers[layer].example
    if example is None:
        return False
    use = LayerUse(layer, "layer", fields=example.fields, sources=("a",) * len(example.shapes))
    try:
        build_network(Architecture("case", (), (use,), inputs=(InputUse("a", example.shapes[0]),)))
    except SymbackpropError as error:
        return "not integer" in str(error)
    return False


def emitted(case):
    """Return the text of the case's module."""
    return generate(network_of(case)).text


def module_of(text):
    """Return the module of the text."""
    module = types.ModuleType("case")
    exec(compile(text, "case.py", "exec"), module.__dict__)
    return module


def disagreements(case, text, batches=BATCHES):
    """Return what the module computes otherwise than loops or PyTorch: (oracle, tensor, error)."""
    network, module = network_of(case), module_of(text)
    found = []
    for (seed, batch), training in itertools.product(enumerate(batches), modes(network)):
        point = point_of(network, module, batch, seed, training)
        if training and batch < fewest_samples(network):
            with pytest.raises(ValueError, match="in training it must have 2 or more"):
                module.forward(point.params, point.x, **point.held())
            continue
        results = _computed(module, point)
        oracles = {"loops": _loops(network, point)}
        if case.layer in TORCH:
            oracles["PyTorch"] = _torch(case, network, point)
        for oracle, expected in oracles.items():
            overall = max((np.abs(value).max(initial=0) for value in expected.values()), default=0)
            for name, value in expected.items():
                error = _error(results[name], value, overall)
                if not error <= TOLERANCE:
                    found.append((oracle, name, batch, error))
        found += _training(module, point, results)
    return found


def modes(network):
    """Return the values of ``training`` that make a difference."""
    return (True, False) if network.varies else (True,)


@dataclass
class Point:
    params: dict
    x: np.ndarray
    y: np.ndarray
    cotangent: np.ndarray
    state: dict
    draws: dict
    training: bool

    def held(self):
        """Return the keywords of a call: always the same draws and running statistics."""
        state = {name: value.copy() for name, value in self.state.items()}
        return {"state": state, "training": self.training, "rng": np.random.default_rng(0)}


def point_of(network, module, batch, seed, training):
    """Return random parameters, inputs, targets and cotangents, draws and statistics."""
    rng = np.random.default_rng(seed)
    params = module.initialize(seed, scale=0.7)
    for value in params.values():
        value[...] += 0.3 * rng.standard_normal(value.shape)
    x = {variable.owner: _drawn(variable, batch, params, rng) for variable in network.inputs}
    x = x if len(x) > 1 else x[""]
    output = (batch, *(axis.extent for axis in network.output.axes[1:]))
    y, cotangent = rng.standard_normal(output), rng.standard_normal(output)
    initial = module.initial_state() if network.state else {}
    state = {name: value + rng.random(value.shape) for name, value in initial.items()}
    drawn = np.random.default_rng(0)
    shapes = {v.name: [axis.extent for axis in v.axes[1:]] for v in network.draws}
    draws = {name: drawn.random((batch, *shape)) for name, shape in shapes.items()}
    return Point(params, x, y, cotangent, state, draws, training)


def _drawn(variable, batch, params, rng):
    """Return numbers; rows of a table; or, of a mask, places kept, the first of them always."""
    shape = (batch, *(axis.extent for axis in variable.axes[1:]))
    if not variable.integer:
        return rng.standard_normal(shape)
    if not variable.owner:
        return rng.integers(0, min(len(table) for table in params.values()), shape)
    return (rng.integers(0, 2, shape) + (np.arange(shape[-1]) == 0)).clip(0, 1)


def _by_name(gradients):
    """Return gradients as one flat dict: of several inputs x.name."""
    found = dict(gradients)
    several = found.pop("x") if isinstance(found.get("x"), dict) else {}
    return {**found, **{f"x.{name}": value for name, value in several.items()}}


def _inputs(network, x):
    """Return by name of a variable what flows in, and those that have a gradient by ours."""
    several = len(network.inputs) > 1
    arrays = {v.name: x[v.owner] if several else x for v in network.inputs}
    return arrays, {v.name: f"x.{v.owner}" if several else "x" for v in network.real_inputs}


def _computed(module, point):
    kept = {name: value.copy() for name, value in point.params.items()}
    held = point.held()
    output, cache = module.forward(point.params, point.x, **held)
    results = {"output": output, **held["state"]}
    gradients = _by_name(module.backward(point.params, cache, point.cotangent))
    results |= {f"d{name}": value for name, value in gradients.items()}
    assert all((kept[name] == value).all() for name, value in point.params.items())
    return results


def _loops(network, point):
    """Run equations and adjoints by plain loops."""
    sizes = {"N": len(point.y)}
    network = network if point.training else network.evaluated()
    derivation = calculus.derive_layers(network)
    arrays, real = _inputs(network, point.x)
    given = {**point.params, **point.draws, **point.state, **arrays}
    run = evaluate(forward_equations(network), given, sizes)
    run |= evaluate(derivation.equations, {**given, **run}, sizes)  # places of maxima, too
    seeds = {network.output.name: point.cotangent}
    adjoints = accumulate(derivation.adjoints, run, seeds, sizes)
    names = {**real, **{p.variable.name: p.variable.name for p in network.parameters}}
    found = {"output": run[network.output.name]}
    found |= {s.variable.name: run[(s.updated or s.variable).name] for s in network.state}
    found |= {f"d{ours}": adjoints[name] for name, ours in names.items() if name in adjoints}
    return {name: value.astype(np.float64) for name, value in found.items()}


def _torch(case, network, point):
    torch = torch_or_skip()
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in point.params.items()}
    arrays, real = _inputs(network, point.x)
    given = {name: torch.tensor(a, requires_grad=name in real) for name, a in arrays.items()}
    inputs = {real[name]: given[name] for name in real}
    value = x = given[network.inputs[0].name]
    if len(network.layers) > 1:
        value = TORCH["dense"]({"W": leaves["W_first"], "b": leaves["b_first"]}, x, {})
    value = (value, *[x] * (case.count - 1)) if case.count > 1 else value
    owner = network.layers[-1].owner
    own = {k.removesuffix(owner): v for k, v in leaves.items() if k.endswith(owner)}
    state = {name: torch.tensor(value) for name, value in point.state.items()}
    held = {**state, **{name: torch.tensor(value) for name, value in point.draws.items()}}
    held = {name.removesuffix(owner): value for name, value in held.items()}
    held |= {"training": point.training} if network.varies else {}
    held |= {name: given[f"x_{name}"] for name in case.named}
    fields = {**CATALOG.layers[case.layer].defaults, **dict(case.fields), **held}
    try:
        output = TORCH[case.layer](own, value, fields)
    except ValueError:
        assert len(point.y) == 1  # which PyTorch's batch_norm never takes in training
        return {}
    (output * torch.tensor(point.cotangent)).sum().backward()
    found = {"output": output.detach().numpy()}
    found |= {name: value.numpy() for name, value in state.items()}
    for name, leaf in {**leaves, **inputs}.items():
        gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        found[f"d{name}"] = gradient.numpy()
    return found


def _training(module, point, results):
    """Compare the training path with the plain one, twice over one workspace."""
    output, cache = module.forward(point.params, point.x, **point.held())
    cotangent = module.loss_gradient(output, point.y)
    plain = _by_name(module.backward(point.params, cache, cotangent))
    renewed = {name: results[name] for name in point.state}
    expected = {"loss": np.asarray(module.loss(output, point.y)), **plain, **renewed}
    overall = max(np.abs(value).max(initial=0) for value in (cotangent, *plain.values()))
    largest = dict.fromkeys(getattr(module, "EXTENTS", ()), 12)
    work = module.Workspace(len(point.y) + 1, **largest)
    found = []
    for workspace in (None, work, work):
        held = point.held()
        value, gradients = module.loss_and_gradients(
            point.params, point.x, point.y, **held, workspace=workspace, input_gradient=True
        )
        gradients = {**_by_name(gradients), **held["state"]}
        for name, array in {"loss": np.asarray(value), **gradients}.items():
            error = _error(array, expected[name], overall)
            if not error <= TOLERANCE:
                found.append(("training", name, len(point.y), error))
        found += [
            ("training", name, len(point.y), np.inf)
            for name in expected.keys() - {"loss", *gradients}
        ]
    return found


def _error(found, expected, overall):
    """Return the error in terms of the tensor's largest number, beyond what cancelling leaves."""
    if np.shape(found) != np.shape(expected):
        return np.inf
    largest = np.abs(expected).max(initial=0)
    difference = np.abs(found - expected).max(initial=0)
    nothing = np.abs(found).max(initial=0) <= CANCELLED * overall and largest <= ENLARGED * overall
    return 0.0 if nothing or difference <= CANCELLED * overall else difference / (largest or 1)
