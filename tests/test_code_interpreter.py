"""The interpreter computes what Python and NumPy compute: the same programs under both."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.effort import Effort
from symbackprop.auditing.code.faults import Fault, Raised, Unknown
from symbackprop.auditing.code.interpreter.machine import Machine
from symbackprop.auditing.code.interpreter.running import new_machine
from symbackprop.auditing.code.interpreter.scopes import of_module
from symbackprop.auditing.code.interpreter.values import Tensor
from symbackprop.auditing.code.source import read_module

HEAD = "import numpy as np\nimport math\n"


def machine_of(text: str) -> tuple[Machine, Any]:
    draw = random.Random(5)
    machine = new_machine(Effort(20_000_000), draw=lambda kind, index: draw.uniform(0.1, 0.9))
    return machine, machine.module(read_module("program.py", text))


def wrapped(text: str, inputs: dict[str, Any]) -> str:
    """The program as a function: what stands at the top of a module runs only if it is needed."""
    body = "\n".join("    " + line for line in text.split("\n"))
    return f"{HEAD}def program({', '.join(inputs)}):\n{body}\n    return result\n"


def interpreted(text: str, **inputs: Any) -> Any:
    """The value of `result` after the program, its inputs free values at the same point."""
    machine, scope = machine_of(wrapped(text, inputs))
    values = [lifted(machine, name, value) for name, value in inputs.items()]
    return lowered(machine.call(of_module(machine, scope, "program"), values, {}))


def lifted(machine: Machine, name: str, value: Any) -> Any:
    if isinstance(value, float):
        return machine.graph.input(name, (), value)
    if isinstance(value, np.ndarray) and value.dtype == float:
        made = np.empty(value.shape, dtype=object)
        for index in np.ndindex(*value.shape):
            made[index] = machine.graph.input(name, index, float(value[index]))
        return made
    return value


def lowered(value: Any) -> Any:
    value = value.array if isinstance(value, Tensor) else value
    if isinstance(value, Node):
        return value.value
    if isinstance(value, np.ndarray) and value.dtype == object:
        return np.array([lowered(v) for v in value.ravel()], dtype=float).reshape(value.shape)
    if isinstance(value, list | tuple):
        return [lowered(v) for v in value]
    if isinstance(value, dict):
        return {k: lowered(v) for k, v in value.items()}
    return value


def python(text: str, **inputs: Any) -> Any:
    """The same program under Python itself: text of this file alone."""
    names: dict[str, Any] = {}
    exec(wrapped(text, inputs), names)
    return names["program"](
        *(np.copy(v) if isinstance(v, np.ndarray) else v for v in inputs.values())
    )


def same(a: Any, b: Any) -> None:
    if isinstance(b, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    elif isinstance(b, dict):
        assert a.keys() == b.keys()
        for key in b:
            same(a[key], b[key])
    elif isinstance(b, str) or b is None:
        assert a == b
    else:
        np.testing.assert_allclose(
            np.asarray(a, float), np.asarray(b, float), rtol=1e-12, atol=1e-12
        )
        assert np.shape(a) == np.shape(b)


X = np.array([[0.3, -1.2, 2.1], [0.7, 0.4, -0.6]])
W = np.array([[0.5, -0.4], [1.3, 0.2], [-0.7, 0.9]])
V = np.array([0.2, -0.9, 1.7])
N = np.array([2, 0, 1])

PROGRAMS = [
    "result = x + v * 2 - x / 3.0",
    "result = x @ w",
    "result = np.dot(x, w).T",
    "result = x.T.dot(x)",
    "result = np.exp(-x) / (1 + np.exp(-x)) ** 2",
    "result = np.maximum(0, x), np.minimum(x, v), np.clip(x, -0.5, 0.5)",
    "result = np.where(x > 0, x, 0.1 * x)",
    "y = x.copy(); y[y < 0] = 0; result = y, x",
    "y = x; y[0] *= 2; result = x",
    "y = x[:, 1:]; y += 1; result = x",
    "y = x.T; y[0, 0] = 5.0; result = x",
    "y = x.ravel(); y[0] = 9; result = x",
    "y = x.flatten(); y[0] = 9; result = x",
    "result = x.sum(), x.sum(axis=0), np.sum(x, axis=1, keepdims=True), x.mean(0)",
    "result = np.var(x, axis=0), np.std(x), x.max(axis=1), x.argmax(1), np.argmin(x)",
    "result = np.linalg.norm(x), np.linalg.norm(x, axis=1), np.prod(v)",
    "result = x[np.arange(2), [0, 2]], v[n], v[[0, 0, 2]], x[:, None, 1]",
    "d = np.zeros_like(v); d[n] += 1; d[[0, 0]] += 1; result = d",
    "d = np.zeros(3); np.add.at(d, [0, 0, 2], v); result = d",
    "result = np.concatenate([x, x], axis=1), np.vstack([v, v]), np.hstack([v, v]), "
    "np.stack([v, v], 1)",
    "result = x.reshape(3, -1), x.reshape((6,)), np.transpose(x), x[..., 0], v[::-1]",
    "result = np.outer(v, v), np.diag(v), np.eye(2), np.einsum('ij,jk->ik', x, w)",
    "result = np.tile(v, (2, 1)), np.repeat(v, 2), np.pad(x, ((1, 0), (0, 2)), 'constant')",
    "result = np.split(x, 3, axis=1)[1], np.squeeze(x[:1]), np.expand_dims(v, 0)",
    "a, *b = [1, 2, 3]; result = a, b, -7 // 2, -7 % 3, 2 ** -1, 7 / 2, True + 1",
    "result = [i * j for i in range(3) if i for j in range(2)], {k: v for k, v in [('a', 1)]}",
    "result = sum(i for i in range(5)), max(3, 1, 2), min([4, 2]), abs(-3), round(2.6), "
    "divmod(7, 2)",
    "t = 0\nfor i in range(10):\n    if i == 3: continue\n    if i == 6: break\n    t += i\n"
    "else:\n    t = -1\nresult = t",
    "t = 10\nwhile t > 3:\n    t -= 2\nresult = t",
    "def f(a, b=2, *c, d=3, **e): return a + b + d + len(c) + len(e)\nresult = f(1), f(1, 5, "
    "6, d=7, z=1)",
    "def f(n): return 1 if n < 2 else n * f(n - 1)\nresult = f(6)",
    "def outer():\n    k = [0]\n    def inner():\n        k[0] += 1\n        return k[0]\n"
    "    inner()\n    return inner()\nresult = outer()",
    "class A:\n    s = 3\n    def __init__(self, k): self.k = k\n    def get(self): "
    "return self.k * self.s\n"
    "class B(A):\n    def get(self): return super().get() + 1\n    @staticmethod\n    def "
    "two(): return 2\n"
    "    @property\n    def half(self): return self.k / 2\nb = B(4)\nresult = b.get(), "
    "B.two(), b.half",
    "d = {}; d['a'] = 1; d.update(b=2); result = d, list(d.items()), d.get('c', 5), 'a' in d",
    "c = []; c.append(1); c.extend([2, 3]); c.insert(0, 9); result = c, c.pop(), c[-1], "
    "c[1:], len(c)",
    "try:\n    raise ValueError('no')\nexcept ValueError:\n    result = 1\nfinally:\n    q = 2",
    "result = math.exp(0.5), math.sqrt(9), math.log(2.0), np.sqrt(v ** 2), np.log1p(v ** 2), "
    "np.tanh(v)",
    "result = np.sinh(v), np.cosh(v), np.arcsinh(v), np.sign(v), np.abs(v), np.square(v), "
    "np.power(v, 3)",
    "result = 0.1 + 0.2, 1e-3 * 5, int(3.7), float(2), bool(0.0), int(-2.5)",
    "m = x > 0; result = m, ~m, m.sum(), m & (x < 1), np.logical_or(m, x < -1), 1 - m, m * x",
    "a = np.array([1, 2, 3]); b = a / 2; a[0] = 7; result = a, b, a // 2, a % 2, a.astype(float)",
    "result = np.tril(np.ones((3, 3))), np.triu(np.ones((3, 3)), 1), np.cumsum(v), "
    "np.flip(v), np.roll(v, 1)",
    "a = [1, 2]; b = a; b += [3]; result = a\n",
    "f = lambda z, k=2: z * k\nresult = list(map(f, [1, 2])), [g(3) for g in (f, f)], "
    "sorted([3, 1, 2], reverse=True)",
    "x -= 0.5 * x; result = x",
    "result = (x.shape[0], x.ndim, x.size, len(x)), np.size(x, 1), x.T.shape",
    "z = x[0]; z[z > 0] *= -1; result = x",
    "result = np.bincount(n, minlength=4), np.count_nonzero(x > 0), np.nonzero(v > 0)[0]",
]


@pytest.mark.parametrize("text", PROGRAMS)
def test_a_program_gives_what_it_gives_under_numpy(text: str) -> None:
    inputs = {"x": X, "w": W, "v": V, "n": N}
    same(interpreted(text, **{k: np.copy(v) for k, v in inputs.items()}), python(text, **inputs))


NAMES = st.sampled_from(["x", "y", "2.0", "0.5", "v", "3"])
UNARY = st.sampled_from(
    [
        "np.exp({} * 0.1)",
        "np.tanh({})",
        "-({})",
        "({}) ** 2",
        "np.maximum(0.0, {})",
        "np.abs({})",
        "np.square({})",
        "np.sum({} + 0 * x, axis=-1, keepdims=True) + x",
        "np.where({} > 0.05, {}, -1.0) + 0 * x",
    ]
)
BINARY = st.sampled_from(["({} + {})", "({} - {})", "({} * {})", "({} / (2.5 + np.square({})))"])


def compose(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = st.builds(lambda form, a: form.replace("{}", a), UNARY, inner)
    two = st.builds(lambda form, a, b: form.format(a, b), BINARY, inner, inner)
    return one | two


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(NAMES, compose, max_leaves=6),
    st.integers(0, 10**6),
)
def test_random_expressions_agree_with_numpy(text: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    inputs = {
        "x": draw.uniform(-2, 2, (2, 3)),
        "y": draw.uniform(-2, 2, (2, 1)),
        "v": draw.uniform(-2, 2, 3),
    }
    program = f"result = x * 0 + ({text})"
    with np.errstate(all="ignore"):
        expected = python(program, **inputs)
    same(interpreted(program, **inputs), expected)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "a[0] = b[1]",
                "a += b",
                "a = a.T.copy().T",
                "a[a > 0.1] *= 2",
                "c = a[1:]",
                "c = a",
                "c[...] = c * 2",
                "a[:, 0] -= 1",
                "b = np.dot(a, a.T)[:, :1] * np.ones(3)",
                "a, b = b, a",
                "a = a.reshape(3, 2).reshape(2, 3)",
                "c -= a[0]",
                "a[[0, 1], [2, 0]] += 3",
                "b = a.copy()",
            ]
        ),
        max_size=6,
    ),
    st.integers(0, 10**6),
)
def test_random_statements_alias_as_in_numpy(lines: list[str], seed: int) -> None:
    draw = np.random.default_rng(seed)
    inputs = {
        "a": draw.uniform(-2, 2, (2, 3)),
        "b": draw.uniform(-2, 2, (2, 3)),
        "c": draw.uniform(-2, 2, (2, 3)),
    }
    body = "\n".join(f"    {line}" for line in lines) or "    pass"
    program = f"def run(a, b, c):\n{body}\n    return a, b, c\nresult = run(a, b, c)"
    try:
        expected = python(program, **inputs)
    except (ValueError, IndexError):
        with pytest.raises(Raised):
            interpreted(program, **inputs)
        return
    same(interpreted(program, **{k: np.copy(v) for k, v in inputs.items()}), expected)


TENSORS = [
    ("x.mul(2).add_(1)", lambda x: x * 2 + 1),
    ("x.pow(2).sum(dim=1)", lambda x: (x**2).sum(1)),
    ("torch.sigmoid(x)", lambda x: 1 / (1 + np.exp(-x))),
    ("F.softmax(x, dim=1)", lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    ("x.log_softmax(dim=1)", lambda x: x - np.log(np.exp(x).sum(1, keepdims=True))),
    ("x.view(-1).unsqueeze(0)", lambda x: x.reshape(1, -1)),
    ("torch.where(x > 0, x, -x)", abs),
    ("x.clamp(min=0)", lambda x: np.maximum(x, 0)),
    (
        "torch.zeros_like(x).scatter_(1, torch.tensor([[0], [2]]), 1.)",
        lambda x: np.array([[1, 0, 0], [0, 0, 1.0]]),
    ),
    ("x.max(dim=1, keepdim=True)[0]", lambda x: x.max(1, keepdims=True)),
    ("F.softplus(x)", lambda x: np.log1p(np.exp(x))),
    ("x.size(1) * torch.ones(2)", lambda x: np.array([3.0, 3.0])),
    (
        "F.cross_entropy(x, torch.tensor([0, 2]))",
        lambda x: np.mean([np.log(np.exp(r).sum()) - r[k] for r, k in zip(x, (0, 2), strict=True)]),
    ),
]


@pytest.mark.parametrize(("text", "numpy"), TENSORS)
def test_tensors_have_methods_of_their_own(text: str, numpy: Callable[[Any], Any]) -> None:
    head = "import torch\nimport torch.nn.functional as F\n"
    machine, scope = machine_of(head + f"def program(x):\n    return {text}")
    program = of_module(machine, scope, "program")
    same(lowered(machine.call(program, [Tensor(lifted(machine, "x", X))], {})), numpy(X))


@pytest.mark.parametrize("text", ["x.tanh()", "x.mul_(2)", "x.view(-1)", "np.nothing(x)"])
def test_what_an_array_lacks_is_no_value(text: str) -> None:
    with pytest.raises(Fault):
        interpreted(f"result = {text}", x=X)


RAISES = {
    "result = np.zeros((2, 3)) + np.zeros((3, 2))": "ValueError",
    "result = [1][2]": "IndexError",
    "result = {}['a']": "KeyError",
    "result = 1 / 0": "ZeroDivisionError",
    "result = undefined": "NameError",
    "result = 'a' + 1": "TypeError",
    "result = None.x": "TypeError",
    "def f(a): return a\nresult = f()": "TypeError",
    "def f():\n    a = b\n    b = 1\nresult = f()": "UnboundLocalError",
    "result = (3)(4)": "TypeError",
    "assert 1 > 2, 'no'\nresult = 1": "AssertionError",
}


@pytest.mark.parametrize(("text", "kind"), RAISES.items())
def test_what_raises_in_python_raises(text: str, kind: str) -> None:
    with pytest.raises(Raised) as caught:
        interpreted(text)
    assert caught.value.kind == kind


HOSTILE = [
    "while True: pass",
    "def f(): return f()\nresult = f()",
    "result = [0] * 10**9",
    "result = 'a' * 10**9",
    "result = 10 ** 10 ** 9",
    "result = 1 << 10 ** 9",
    "result = np.zeros((10**6, 10**6))",
    "result = np.tile(np.zeros(100), 10**8)",
    "result = np.repeat(np.zeros(100), 10**8)",
    "result = np.arange(10**12)",
    "result = np.eye(10**6)",
    "result = np.outer(np.zeros(10**4), np.zeros(10**4))",
    "for i in range(10**9): pass\nresult = 1",
    "result = [i for i in range(10**9)]",
    "result = sum(range(10**9))",
    "x = [[]]\nfor i in range(60): x = x + x\nresult = x",
    "result = __import__('os').system('true')",
    "import os\nresult = os.system('true')",
    "import subprocess\nresult = subprocess.run(['true'])",
    "result = eval('1+1')",
    "result = exec('a = 1')",
    "result = (1).__class__.__bases__[0].__subclasses__()",
    "result = [].__class__",
    "result = '{0.__class__}'.format(1).__class__",
    "result = np.__builtins__()",
    "result = np.load('a.npy')",
    "result = getattr(np, '__builtins__')('os')",
    "f = lambda: f()\nresult = f()",
    "class M(type):\n    def __call__(cls): return 1\nclass A(metaclass=M): pass\nresult "
    "= A().secret",
    "def deco(f): return 7\n@deco\ndef g(): return 1\nresult = g()",
    "result = np.pad(np.zeros((2, 2)), 10**6, 'constant')",
    "result = np.einsum('i,j,k,l->ijkl', *[np.zeros(500)] * 4)",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_program_ends_in_a_fault(text: str) -> None:
    with pytest.raises((Unknown, Raised)):
        interpreted(text)


def test_the_point_decides_and_ties_do_not() -> None:
    assert interpreted("result = 1 if a > b else 2", a=1.0, b=0.5) == 1
    with pytest.raises(Fault):
        interpreted("result = 1 if a > b else 2", a=1.0, b=1.0)


def test_decimals_are_exact_and_python_2_divides_ints() -> None:
    machine, scope = machine_of("result = 0.1 + 0.2")
    assert of_module(machine, scope, "result").constant * 10 == 3
    machine, scope = machine_of("print 'old'\nresult = (7 / 2, 7 / 2.0)")
    assert lowered(of_module(machine, scope, "result")) == [3, 3.5]


def test_underflow_is_noted() -> None:
    machine, scope = machine_of(HEAD + "result = np.exp(-1e6)")
    assert of_module(machine, scope, "result").value == 0
    assert machine.graph.underflowed
    assert math.isclose(interpreted("result = np.exp(-700.0)"), math.exp(-700))


def test_no_file_is_read() -> None:
    text = "with open('/etc/passwd') as f:\n    result = f.read()\n"
    found = interpreted(text)
    assert "root" not in found
    assert found == interpreted("result = open('data.txt', 'r').read()")


def test_a_generator_gives_its_values_in_order() -> None:
    text = """
def pairs(n):
    for i in range(n):
        yield i, i * i
    yield from [(7, 49)]
result = [a + b for a, b in pairs(3)]
"""
    assert interpreted(text) == [0, 2, 6, 56]


def test_a_generator_without_an_end_is_given_up() -> None:
    with pytest.raises(Unknown):
        interpreted("def f():\n    while True:\n        yield 1\nresult = [x for x in f()]")


@pytest.mark.parametrize("name", ["compile", "memoryview", "raw_input", "get_ipython"])
def test_a_name_of_python_that_is_not_known_is_no_name_error(name: str) -> None:
    with pytest.raises(Unknown):
        interpreted(f"result = {name}('x')")
    with pytest.raises(Unknown):
        interpreted("from pylab import *\nresult = linspac(3)")
