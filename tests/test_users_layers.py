"""Layers of the user's own, in at most ten lines: generated and compared with PyTorch."""

import numpy as np
import pytest
from layer_cases import TOLERANCE, module_of
from oracles import torch_or_skip

from symbackprop.architecture import Architecture, LayerUse
from symbackprop.build import build_network
from symbackprop.definition import Layer, Parameter
from symbackprop.emit import generate
from symbackprop.notation.toml import read_toml

SWIGLU = """
[[define]]
kind = "layer"
name = "own"
sizes = ["hidden"]
parameters = { W = ["features", "hidden"], V = ["features", "hidden"], U = ["hidden", "features"] }
equations = [
  "g[k] = total(j, W[j, k] * x[j])",
  "z[i] = total(k, U[k, i] * g[k] * sigmoid(g[k]) * total(j, V[j, k] * x[j]))",
]
"""
EXCITE = """
[[define]]
kind = "layer"
name = "own"
input = ["channels", "height", "width"]
sizes = ["squeezed"]
parameters = { W = ["squeezed", "channels"], V = ["channels", "squeezed"] }
equations = [
  "s[c] = total(h, w, x[c, h, w]) / (height * width)",
  "q[r] = maximum(0, total(c, W[r, c] * s[c]))",
  "z[c, h, w] = x[c, h, w] * sigmoid(total(r, V[c, r] * q[r]))",
]
"""
COSINE = """
[[define]]
kind = "layer"
name = "own"
input = ["length", "features"]
parameters = { W = ["features", "features"], b = [] }
equations = [
  "q[t, i] = total(j, W[j, i] * x[t, j])",
  "c[t, u] = total(i, q[t, i] * x[u, i]) / sqrt(total(i, q[t, i]**2) * total(i, x[u, i]**2))",
  "e[t, u] = exp(b * c[t, u])",
  "z[t, i] = total(u, e[t, u] * x[u, i]) / total(u, e[t, u])",
]
"""
BILINEAR = """
[[define]]
kind = "layer"
name = "own"
inputs = { x = ["left"], y = ["right"] }
sizes = ["units"]
parameters = { W = ["left", "right", "units"], b = ["units"] }
equations = ["z[i] = total(j, k, x[j] * W[j, k, i] * y[k]) + b[i]"]
"""
MAXOUT = """
[[define]]
kind = "layer"
name = "own"
sizes = ["units", "pieces"]
parameters = { W = ["features", "units", "pieces"], b = ["units", "pieces"] }
equations = ["z[i] = largest(k, total(j, x[j] * W[j, i, k]) + b[i, k])"]
"""
HIGHWAY = """
[[define]]
kind = "layer"
name = "own"
parameters = { W = ["features", "features"], V = ["features", "features"], c = ["features"] }
equations = [
  "g[i] = sigmoid(total(j, V[j, i] * x[j]) + c[i])",
  "z[i] = g[i] * tanh(total(j, W[j, i] * x[j])) + (1 - g[i]) * x[i]",
]
"""
# As mathematics has them: a row of W for each unit.
ROWS = """
[[define]]
kind = "layer"
name = "own"
sizes = ["units"]
parameters = { W = ["units", "features"], b = ["units"] }
equations = ["z[i] = total(j, W[i, j] * x[j]) + b[i]"]
"""
HIGHWAY_ROWS = HIGHWAY.replace("V[j, i]", "V[i, j]").replace("W[j, i]", "W[i, j]")


def excite(p, x):
    squeezed = (x.mean((2, 3)) @ p["W"].T).relu() @ p["V"].T
    return x * squeezed.sigmoid()[:, :, None, None]


def cosine(p, x):
    torch = torch_or_skip()
    q = x @ p["W"]
    weights = torch.cosine_similarity(q[:, :, None], x[:, None], dim=-1)
    return (p["b"] * weights).softmax(-1) @ x


def swiglu(p, x):
    return (torch_or_skip().nn.functional.silu(x @ p["W"]) * (x @ p["V"])) @ p["U"]


def highway(p, x):
    gate = (x @ p["V"] + p["c"]).sigmoid()
    return gate * (x @ p["W"]).tanh() + (1 - gate) * x


OWN = {
    "SwiGLU": (SWIGLU, (4,), "hidden = 5", swiglu),
    "SwiGLU of a sequence": (SWIGLU, (3, 4), "hidden = 5", swiglu),
    "squeeze and excite": (EXCITE, (4, 3, 2), "squeezed = 2", excite),
    "cosine attention": (COSINE, (3, 4), "", cosine),
    "bilinear": (
        BILINEAR,
        (3,),
        'units = 4\nfrom = ["x", "x"]',
        lambda p, x: torch_or_skip().einsum("nj,jki,nk->ni", x, p["W"], x) + p["b"],
    ),
    "maxout": (
        MAXOUT,
        (3,),
        "units = 4\npieces = 3",
        lambda p, x: (torch_or_skip().einsum("nj,jik->nik", x, p["W"]) + p["b"]).amax(-1),
    ),
    "highway": (HIGHWAY, (4,), "", highway),
    "highway by rows": (
        HIGHWAY_ROWS,
        (4,),
        "",
        lambda p, x: highway({**p, "V": p["V"].T, "W": p["W"].T}, x),
    ),
    "dense by rows": (ROWS, (4,), "units = 3", lambda p, x: x @ p["W"].T + p["b"]),
    "square, by rows": (ROWS, (3,), "units = 3", lambda p, x: x @ p["W"].T + p["b"]),
}


def text_of(definition, shape, fields):
    network = 'spec = 1\n[network]\nloss = "mean_squared_error"\n[[input]]\nname = "x"\n'
    return f'{network}shape = {list(shape)}\n{definition}[[layer]]\ntype = "own"\n{fields}\n'


@pytest.mark.parametrize("own", OWN)
def test_a_definition_has_at_most_ten_lines(own):
    assert len(OWN[own][0].strip().splitlines()) <= 11  # its heading is one more


@pytest.mark.parametrize("own", OWN)
def test_a_definition_agrees_with_pytorch(own):
    definition, shape, fields, by_pytorch = OWN[own]
    network = build_network(read_toml(text_of(definition, shape, fields), "own.toml"))
    check_against(module_of(generate(network).text), shape, by_pytorch)


def check_against(module, shape, by_pytorch):
    torch = torch_or_skip()
    assert max(module.gradient_check().values()) < 1e-6
    rng = np.random.default_rng(0)
    params, x = module.initialize(0, scale=0.7), rng.standard_normal((2, *shape))
    for value in params.values():
        value[...] += 0.3 * rng.standard_normal(value.shape)
    output, cache = module.forward(params, x)
    cotangent = rng.standard_normal(output.shape)
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in {**params, "x": x}.items()}
    own = {name.rstrip("1"): leaf for name, leaf in leaves.items()}
    expected = by_pytorch(own, own["x"])
    (expected * torch.tensor(cotangent)).sum().backward()
    gradients = module.backward(params, cache, cotangent)
    pairs = [(output, expected.detach()), *((gradients[k], v.grad) for k, v in leaves.items())]
    for found, wanted in pairs:
        error = np.abs(found - wanted.numpy()).max()
        assert error <= TOLERANCE * np.abs(wanted.numpy()).max()


def test_a_definition_in_python():
    own = Layer(
        name="own",
        equations=("z[i] = total(j, W[j, i] * x[j]) / sqrt(1 + total(j, x[j]**2))",),
        sizes=("units",),
        parameters={"W": Parameter(("features", "units"))},
    )
    use = LayerUse("own", "layer 1", fields={"units": 2})
    network = build_network(Architecture("net", (3,), (use,), definitions=(own,)))
    module = module_of(generate(network).text)
    check_against(module, (3,), lambda p, x: x @ p["W"] / (1 + (x**2).sum(1, True)).sqrt())


# Gradients that are parts of another array, of axes seen otherwise.
PARTS = {
    "digits": ('W = ["3", "2"]', ["z[i] = x[i] * W[i // 2, i % 2]"]),
    "digits, the last first": ('W = ["2", "3"]', ["z[i] = x[i] * W[i % 2, i // 2]"]),
    "slice": ('W = ["8"]', ["z[i] = x[i] * W[i + 1]"]),
    "backwards": ('W = ["6"], V = ["6"]', ["z[i] = x[i] * W[5 - i] + V[i]"]),
    "side by side": (
        'W = ["4"], V = ["2"]',
        ["w[i] = padded(W[0 + i]) + padded(V[i - 4])", "z[i] = x[i] * w[i]"],
    ),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_parameter_is_read_part_by_part(part):
    parameters, equations = PARTS[part]
    definition = (
        '[[define]]\nkind = "layer"\nname = "own"\noutput = ["6"]\nranges = { i = "6" }\n'
        f"parameters = {{ {parameters} }}\nequations = {equations}\n"
    )
    network = build_network(read_toml(text_of(definition, (6,), ""), "own.toml"))
    errors = module_of(generate(network).text).gradient_check()
    assert max(errors.values()) < 1e-6
