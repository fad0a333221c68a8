"""Arrays of any rank: losses and activations along any axis, look-ups, contractions as products."""

from pathlib import Path

import numpy as np
import pytest
from layer_cases import module_of
from oracles import torch_or_skip

from symbackprop.api import build
from symbackprop.checking.gradients import examine
from symbackprop.emit import generate
from symbackprop.equations import Index, Variable
from symbackprop.lowering.contraction import matrix_product
from symbackprop.lowering.layout import Layout
from symbackprop.lowering.values import ValueGraph
from symbackprop.notation import load
from symbackprop.printing.expressions import NumpyPrinter

OPTIONS = "label_smoothing = 0.1, ignore_index = 1, weight = [1.0, 2.0, 0.5]"


def module(tmp_path: Path, shape, loss, activation=None, units=3):
    lines = ["spec = 1", "[network]", f"input = {list(shape)}", f"loss = {{ {loss} }}"]
    lines += ["[[layer]]", 'type = "dense"', f"units = {units}"]
    if activation:
        lines.append(f"activation = {{ {activation} }}")
    path = tmp_path / "net.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return module_of(generate(build(load(str(path)))).text)


def torch_cost(y, logits, axis, **options):
    torch = torch_or_skip()
    logits = torch.movedim(logits, axis, 1)
    if y.ndim == logits.ndim:
        y = torch.movedim(torch.tensor(y), axis, 1)
        places = logits[:, 0].numel()
        return -(y * torch.log_softmax(logits, 1)).sum() / places
    return torch.nn.functional.cross_entropy(logits, torch.tensor(y), **options)


@pytest.mark.parametrize("form", ["indices", "values"])
@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 4), 1), ((5, 4), 2), ((1, 2), 2), ((3, 4, 2), 1), ((2, 3, 4), 2)]
)
@pytest.mark.parametrize("on_logits", [True, False])
def test_cross_entropy_along_any_axis_is_pytorchs(tmp_path, shape, axis, form, on_logits):
    torch = torch_or_skip()
    name = "cross_entropy_with_logits" if on_logits else "cross_entropy"
    last = None if on_logits else f'name = "softmax", axis = {axis}'
    made = module(tmp_path, shape, f'name = "{name}", axis = {axis}', last)
    rng = np.random.default_rng(0)
    params, x = made.initialize(0, scale=0.7), rng.standard_normal((4, *shape))
    output = made.forward(params, x)[0]
    classes = output.shape[axis]
    others = [extent for k, extent in enumerate(output.shape) if k != axis]
    y = rng.integers(classes, size=others) if form == "indices" else rng.random(output.shape)
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    leaves["x"] = torch.tensor(x, requires_grad=True)
    cost = torch_cost(y, leaves["x"] @ leaves["W1"] + leaves["b1"], axis)
    cost.backward()
    value, gradients = made.loss_and_gradients(params, x, y, input_gradient=True)
    assert value == pytest.approx(cost.item(), rel=1e-12)
    assert made.loss(output, y) == pytest.approx(cost.item(), rel=1e-12)
    for key, leaf in leaves.items():
        np.testing.assert_allclose(gradients[key], leaf.grad.numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("shape", "axis"), [((3, 4), 1), ((4, 2), 2), ((3, 1, 2), 1)])
def test_options_of_classes_along_any_axis(tmp_path, shape, axis):
    made = module(tmp_path, shape, f'name = "cross_entropy_with_logits", axis = {axis}, {OPTIONS}')
    assert examine(made).passed


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_digits_are_kept_at_extreme_scores(tmp_path, scale):
    made = module(
        tmp_path, (3, 4), 'name = "cross_entropy", axis = 1', 'name = "softmax", axis = 1'
    )
    params = made.initialize(0)
    params["W1"][...] = np.eye(4, 3)
    params["b1"][...] = 0
    x = np.zeros((1, 3, 4))
    x[0, 1] = scale
    y = np.ones((1, 3), dtype=int)
    value, gradients = made.loss_and_gradients(params, x, y, input_gradient=True)
    assert value == pytest.approx(0 if scale > 0 else -scale + np.log(2), rel=1e-15)
    assert np.isfinite(gradients["x"]).all()
    assert np.abs(gradients["x"][0, 1, :3]).max() <= 1


def contraction(left, right, output):
    """Return a printer and the contraction of arrays whose axes are letters."""
    graph, extents = ValueGraph(), {letter: 2 + k for k, letter in enumerate("ntuhdij")}
    operands = []
    for name, letters in (("a", left), ("b", right)):
        axes = tuple(Index(letter, extents[letter]) for letter in letters)
        array = graph.input(Variable(name, "", axes))
        operands.append(array.relabel(dict(enumerate(letters))))
    labels = set(left) | set(right)
    made = graph.contract(operands, sorted(labels - set(output)))
    places = tuple(output.index(letter) for letter in made.labels)
    printer = NumpyPrinter(Layout(declared={made.value.number: places}))
    for operand, name in zip(operands, "ab", strict=True):
        printer.names[operand.value.number] = name
    return printer, made.value, [tuple(extents[i] for i in letters) for letters in (left, right)]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("ntj,ji->nti", "a @ b"),
        ("ntj,ij->nti", "a @ b.T"),
        ("nti,ntj->ij", "a.reshape(6, 7).T @ b.reshape(6, 8)"),
        ("nthd,nuhd->nhtu", "a.transpose(0, 2, 1, 3) @ b.transpose(0, 2, 3, 1)"),
        ("nhtu,nuhd->nthd", "(a @ b.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)"),
        ("nthd,hdi->nti", "(a.reshape(6, 30) @ b.reshape(30, 7)).reshape(2, 3, 7)"),
        ("nti,nti->nt", "np.vecdot(a, b)"),
        ("nti,nti->i", None),
        ("nit,ij->njt", None),
        ("ni,i->n", None),
    ],
)
def test_a_contraction_is_a_product_of_views(spec, text):
    inputs, output = spec.split("->")
    printer, value, shapes = contraction(*inputs.split(","), output)
    source = printer.computed(value).source
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape) for shape in shapes)
    found = eval(source, {"np": np, "a": a, "b": b})
    np.testing.assert_allclose(found, np.einsum(spec, a, b), rtol=1e-12, atol=1e-12)
    assert text is None or source == text
    assert ("einsum" in source) == (matrix_product(value, printer.memory(value)) is None)
