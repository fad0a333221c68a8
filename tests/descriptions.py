"""Architecture descriptions for tests, and what reading them gives."""

from pathlib import Path

import pytest

from symbackprop.errors import SymbackpropError
from symbackprop.notation.toml import read_toml

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.toml"))
NETWORK = "spec = 1\n[network]\ninput = [2]\n"
DENSE = '[[layer]]\ntype = "dense"\nunits = 3\n'


def read(text):
    return read_toml(text, "arch.toml")


def message(reader, *arguments):
    with pytest.raises(SymbackpropError) as caught:
        reader(*arguments)
    text = str(caught.value)
    assert "\n" not in text
    return text


def outcome(reader, text):
    """What is read, or what the one error says; any other exception passes."""
    try:
        return reader(text)
    except SymbackpropError as error:
        return str(error)


DEFINED = """
[[define]]
kind = "activation"
name = "squareplus"
equations = ["a = (z + sqrt(z**2 + beta)) / 2"]
constants = { beta = 4 }

[[define]]
kind = "loss"
name = "quartic"
equations = ["L = total(i, (a[i] - y[i])**4)"]

[[define]]
kind = "layer"
name = "excite"
input = ["channels", "height", "width"]
sizes = ["squeezed"]
parameters = { W = ["squeezed", "channels"], V = ["channels", "squeezed"] }
equations = [
  "s[c] = total(h, w, x[c, h, w]) / (height * width)",
  "q[r] = maximum(0, total(c, W[r, c] * s[c]))",
  "z[c, h, w] = x[c, h, w] * sigmoid(total(r, V[c, r] * squareplus(q[r])))",
]
"""


def define(body, kind="activation", name="mine"):
    return f'{NETWORK}{DENSE}[[define]]\nkind = "{kind}"\nname = "{name}"\n{body}\n'
