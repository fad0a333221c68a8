"""Recurrences: start states, stacks, users' own, what has no loop; wrong loops are seen."""

import numpy as np
import pytest
from layer_cases import TORCH, module_of
from oracles import torch_or_skip

from symbackprop import calculus
from symbackprop.build import build_network
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.notation.toml import read_toml
from symbackprop.numeric import check_module
from symbackprop.reference import accumulate, decimal_arithmetic, evaluate, forward_equations

TOLERANCE = 1e-10
HIDDEN = 2
STATES = {"rnn": ("h",), "gru": ("h",), "lstm": ("h", "c")}
HEAD = 'spec = 1\n[network]\nname = "recurrent"\nloss = "mean_squared_error"\n'
INTEGRATOR = """
[[define]]
kind = "layer"
name = "leaky"
input = ["time", "features"]
constants = { alpha = 0.25 }
equations = ["h[t, i] = alpha * padded(h[t - 1, i]) + (1 - alpha) * x[t, i]"]
"""
HIGHWAY = """
[[define]]
kind = "layer"
name = "highway"
input = ["time", "features"]
parameters = { W = ["features", "features"], R = ["features", "features"] }
equations = [
  "g[t, i] = sigmoid(total(j, W[j, i] * x[t, j]) + total(k, R[k, i] * padded(h[t - 1, k])))",
  "h[t, i] = g[t, i] * x[t, i] + (1 - g[t, i]) * padded(h[t - 1, i])",
]
"""


def network_of(description):
    return build_network(read_toml(description, "arch.toml"))


def emitted(description):
    return generate(network_of(description)).text


def with_starts(kind, steps, every, truncate=None):
    """Return a description of one layer that is given its start states."""
    cut = f"truncate = {truncate}\n" if truncate else ""
    names = STATES[kind]
    inputs = "".join(f'[[input]]\nname = "{n}"\nshape = [{HIDDEN}]\n' for n in names)
    read = ", ".join(f'"{name}"' for name in ("sequence", *names))
    return (
        f'{HEAD}[[input]]\nname = "sequence"\nshape = [{steps}, 3]\n{inputs}'
        f'[[layer]]\ntype = "{kind}"\nhidden = {HIDDEN}\nfrom = [{read}]\n'
        f"return_sequences = {str(every).lower()}\n{cut}"
    )


def in_a_row(shape, *layers, definitions=""):
    """Return a description of layers that read each other."""
    tables = "".join(f"[[layer]]\n{layer}\n" for layer in layers)
    return (
        f"{HEAD}".replace('"recurrent"\n', f'"recurrent"\ninput = {shape}\n') + tables + definitions
    )


def point(module, network, batch):
    rng = np.random.default_rng(batch)
    params = module.initialize(batch, scale=0.7)
    x = {v.owner: rng.standard_normal((batch, *sizes(v))) for v in network.inputs}
    shape = (batch, *sizes(network.output))
    return (
        params,
        x if len(x) > 1 else x[""],
        rng.standard_normal(shape),
        rng.standard_normal(shape),
    )


def sizes(variable):
    return [axis.extent for axis in variable.axes[1:]]


def flat(x, gradients):
    """Return gradients by name, those of several inputs by theirs."""
    found = {name: value for name, value in gradients.items() if name != "x"}
    return found | (gradients["x"] if isinstance(x, dict) else {"x": gradients["x"]})


def apart(found, expected):
    """Return the names of tensors that differ."""
    overall = max(np.abs(value).max() for value in expected.values())
    return [
        name
        for name, value in expected.items()
        if not np.abs(found[name] - value).max()
        <= TOLERANCE * max(np.abs(value).max(), overall / 100)
    ]


def by_loops(network, params, x, cotangent, arithmetic=None):
    """Return output and gradients by plain loops over the equations and adjoints."""
    sizes_, more = {"N": len(cotangent)}, (arithmetic,) if arithmetic else ()
    given = x if isinstance(x, dict) else {"": x}
    names = {variable.owner: variable.name for variable in network.inputs}
    values = {**params, **{names[owner]: value for owner, value in given.items()}}
    run = evaluate(forward_equations(network), values, sizes_, *more)
    derived = calculus.derive_layers(network)
    run |= evaluate(derived.equations, {**values, **run}, sizes_, *more)  # places of maxima, too
    bars = accumulate(derived.adjoints, run, {network.output.name: cotangent}, sizes_, *more)
    back = {v.name: v.owner or "x" for v in network.inputs}
    found = {back.get(name, name): bars[name] for name in (*params, *back)}
    return {k: v.astype(float) for k, v in {"output": run[network.output.name], **found}.items()}


def computed(module, params, x, cotangent):
    output, cache = module.forward(params, x)
    return {"output": output, **flat(x, module.backward(params, cache, cotangent))}


def disagreements(text, description, batch=3):
    """Return what a module computes otherwise than loops do, by path."""
    module, network = module_of(text), network_of(description)
    params, x, y, cotangent = point(module, network, batch)
    expected = by_loops(network, params, x, cotangent)
    found = [("plain", name) for name in apart(computed(module, params, x, cotangent), expected)]
    output, cache = module.forward(params, x)
    plain = flat(x, module.backward(params, cache, module.loss_gradient(output, y)))
    work = module.Workspace(batch + 1)
    for workspace in (None, work, work):
        value, gradients = module.loss_and_gradients(
            params, x, y, workspace=workspace, input_gradient=True
        )
        gradients = {"loss": np.asarray(value), **flat(x, gradients)}
        expected = {"loss": np.asarray(module.loss(output, y)), **plain}
        found += [("training", name) for name in apart(gradients, expected)]
    return found


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize(("steps", "truncate"), [(1, None), (4, None), (5, 2), (3, 1)])
@pytest.mark.parametrize("kind", STATES)
def test_start_states_have_gradients(kind, steps, truncate, every):
    torch = torch_or_skip()
    description = with_starts(kind, steps, every, truncate)
    text, network = emitted(description), network_of(description)
    assert not disagreements(text, description)
    module = module_of(text)
    for batch in (3, 1):
        params, x, _, cotangent = point(module, network, batch)
        leaves = {k: torch.tensor(v, requires_grad=True) for k, v in (params | x).items()}
        own = {name.removesuffix("1"): leaf for name, leaf in leaves.items() if name[-1] == "1"}
        fields = {"hidden": HIDDEN, "bias": True, "return_sequences": every, "nonlinearity": "tanh"}
        fields["truncate"] = truncate
        read = tuple(leaves[name] for name in ("sequence", *STATES[kind]))
        output = TORCH[kind](own, read, fields)
        (output * torch.tensor(cotangent)).sum().backward()
        expected = {name: leaf.grad.numpy() for name, leaf in leaves.items()}
        expected["output"] = output.detach().numpy()
        assert not apart(computed(module, params, x, cotangent), expected)


def test_fifty_digits_agree():
    description = with_starts("lstm", 3, True)
    module, network = module_of(emitted(description)), network_of(description)
    params, x, _, cotangent = point(module, network, 2)
    exact = by_loops(network, params, x, cotangent, decimal_arithmetic())
    assert not apart(computed(module, params, x, cotangent), exact)


LSTM, GRU = 'type = "lstm"\nhidden = 3', 'type = "gru"\nhidden = 2'
DENSE, LAST = 'type = "dense"\nunits = 2', "return_sequences = false"
TAIL = 'type = "slice"\naxis = 1\nstart = -2'
MADE = f"""{HEAD}
[[input]]
name = "sequence"
shape = [3, 2]
[[input]]
name = "context"
shape = [4]
[[layer]]
{DENSE}
from = "context"
name = "made"
activation = "tanh"
[[layer]]
KIND
hidden = 2
from = ["sequence", "made"]
"""
STACKS = {
    "stacked": in_a_row([4, 3], LSTM, GRU, 'type = "rnn"\nhidden = 2\nactivation = "relu"'),
    "dense on every step": in_a_row([4, 3], LSTM, DENSE),
    "dense on the last step": in_a_row([4, 3], LSTM, f"{GRU}\n{LAST}", DENSE),
    "integrator": in_a_row([4, 2], DENSE, 'type = "leaky"', definitions=INTEGRATOR),
    "highway": in_a_row([4, 2], DENSE, 'type = "highway"', definitions=HIGHWAY),
    "convolution before": in_a_row(
        [3, 6],
        'type = "conv1d"\nchannels = 2\nkernel_size = 3',
        'type = "transpose"\naxes = [0, 2, 1]',
        GRU,
    ),
    "its last steps": in_a_row([4, 3], LSTM, TAIL, 'type = "activation"\nfunction = "tanh"'),
    "its last steps side by side": in_a_row([4, 3], GRU, TAIL, 'type = "flatten"', DENSE),
    "a start that a layer makes": MADE.replace("KIND", 'type = "gru"'),
    "a start that a layer makes, relu": MADE.replace("KIND", 'type = "rnn"\nnonlinearity = "relu"'),
    "rows of an image": in_a_row(
        [2, 4, 5],
        'type = "conv2d"\nchannels = 1\nkernel_size = 1',
        'type = "rnn"\nhidden = 4',
        'type = "global_max_pool"',
    ),
    "rows of several images": in_a_row(
        [3, 4, 4],
        'type = "rnn"\nhidden = 2',
        'type = "max_pool2d"\nkernel_size = 1',
        'type = "activation"\nfunction = "tanh"',
        LSTM,
    ),
    "one of everything": in_a_row([1, 1], 'type = "lstm"\nhidden = 1'),
}


@pytest.mark.parametrize("name", STACKS)
def test_compositions_agree(name):
    assert not disagreements(emitted(STACKS[name]), STACKS[name])
    assert not disagreements(emitted(STACKS[name]), STACKS[name], batch=1)


def test_classes_at_every_step_agree():
    description = STACKS["dense on every step"].replace("mean_squared_error", "cross_entropy")
    description = description.replace("units = 2", 'units = 2\nactivation = "softmax"')
    assert not disagreements(emitted(description), description)


WRONG = {
    "backward runs forwards": ("for t in reversed(range(4)):", "for t in range(4):"),
    "forward runs backwards": ("for t in range(4):", "for t in reversed(range(4)):"),
    "no state from the step before": ("h1_before[:, t]", "0 * h1_before[:, t]"),
    "gradients stop at each step": ("ds1_before[:, t] @", "0 * ds1_before[:, t] @"),
    "the cell's gradient stops": ("dc1 = ", "dc1 = 0 * "),
    "training: nothing from the step before": ("before1_t.dot(", "(0 * before1_t).dot("),
    "training: steps in the wrong order": ("for k in range(3, -1, -1)", "for k in range(0, 4)"),
    "training: another start": ("before1_start.fill(0)", "before1_start.fill(1)"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_loops_are_seen(fault):
    description = in_a_row([4, 3], LSTM)
    text = emitted(description)
    right, wrong = WRONG[fault]
    right, wrong = (t.replace("h1_before", "a1_before") for t in (right, wrong))
    assert right in text
    assert disagreements(text.replace(right, wrong), description)


TRUNCATED = 'type = "lstm"\nhidden = 2\ntruncate = 2'
STOP = """
[[define]]
kind = "layer"
name = "stop"
input = ["time", "features"]
parameters = { R = ["features"] }
equations = [
  "g[t, i] = held(x[t, i] + padded(h[t - 1, i]))",
  "h[t, i] = tanh(x[t, i] + R[i] * g[t, i] + padded(h[t - 1, i]) / 4)",
]
"""
HELD = {
    "stacked": in_a_row([3, 2], *[TRUNCATED.replace("lstm", "rnn")] * 4),
    "with penalty and draws": in_a_row(
        [3, 2], TRUNCATED.replace("lstm", "gru"), 'type = "dropout"\np = 0.5'
    ).replace("[[layer]]", "l2 = 0.1\n[[layer]]", 1),
    "from a start": with_starts("rnn", 5, False, 2),
    "at every step": in_a_row([4, 2], 'type = "stop"', definitions=STOP),
}


@pytest.mark.parametrize("name", HELD)
def test_a_state_is_held_in_the_check(name, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(emitted(HELD[name]))
    assert check_module(path, architecture=network_of(HELD[name])).passed
    assert max(module_of(path.read_text()).gradient_check().values()) < 1e-6


CUT = {
    "gradients go through": ("astype(dtype), 2) != 0)", "astype(dtype), 2) >= 0)"),
    "differences go through": ("if held is not None:", "if False:"),
}


@pytest.mark.parametrize("fault", CUT)
def test_a_state_that_is_not_held_is_seen(fault, tmp_path):
    path = tmp_path / "module.py"
    text = emitted(HELD["from a start"])
    right, wrong = CUT[fault]
    assert right in text
    path.write_text(text.replace(right, wrong))
    found = check_module(path).tensors
    assert not found["Wh1"].passed
    assert max(module_of(path.read_text()).gradient_check().values()) > 1e-3


REFUSED = {
    "h[t, i] = tanh(padded(h[t - 2, i])) + x[t, i]": "more than the step before",
    "h[t, i] = padded(h[t - 1, i]) + padded(h[t, i - 1]) + x[t, i]": "step by step",
    "h[t, i] = largest(k, padded(h[t - 1, k])) + x[t, i]": "what the first step reads is open",
}


@pytest.mark.parametrize("equation", REFUSED)
def test_what_has_no_loop_is_refused(equation):
    definition = INTEGRATOR[: INTEGRATOR.index("equations")] + f'equations = ["{equation}"]\n'
    definition = definition.replace("constants = { alpha = 0.25 }\n", "")
    with pytest.raises(SymbackpropError, match=REFUSED[equation]):
        emitted(in_a_row([4, 2], DENSE, 'type = "leaky"', definitions=definition))


def test_start_states_have_to_fit():
    lacking = with_starts("rnn", 4, True).replace('"rnn"', '"lstm"')
    with pytest.raises(SymbackpropError, match="the start of h and the start of c"):
        emitted(lacking)
    other = with_starts("gru", 4, True).replace("shape = [2]", "shape = [3]")
    with pytest.raises(
        SymbackpropError, match=r"start of h is \(3\) for a sample, it must be \(2,\)"
    ):
        emitted(other)


def test_a_step_allocates_nothing():
    import tracemalloc

    description = in_a_row([16, 8], 'type = "lstm"\nhidden = 32', DENSE)
    module, network = module_of(emitted(description)), network_of(description)
    params, x, y, _ = point(module, network, 32)
    work = module.Workspace(32)
    for _ in range(2):
        module.loss_and_gradients(params, x, y, workspace=work)
    tracemalloc.start()
    module.loss_and_gradients(params, x, y, workspace=work)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.3 * 2**20
