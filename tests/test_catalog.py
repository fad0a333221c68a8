"""The catalogue as data: every entry by its form, and by PyTorch's values."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from formulas import Sample

from symbackprop import catalog, definition
from symbackprop.catalog import CATALOG, look_up
from symbackprop.definition import Activation, Loss
from symbackprop.errors import SymbackpropError
from symbackprop.formula_reader import read_equation, read_expression

TABLES = [field.name for field in dataclasses.fields(CATALOG)]
ENTRIES = [entry for table in TABLES for entry in getattr(CATALOG, table).values()]
POINTS = [-30.0, -7.5, -3.0, -1.0, -0.5, -0.3, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 7.5, 25.0]


def each_entry(test):
    return pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)(test)


def equations_of(entry):
    return entry.equations + getattr(entry, "indices", ())


@each_entry
def test_equations_parse(entry):
    for text in equations_of(entry):
        read_equation(text, CATALOG.functions)
    for text in (*getattr(entry, "output", ()), *getattr(entry, "target", ())):
        read_expression(text)
    for text in (getattr(entry, "weight", ""), getattr(entry, "indices_weight", "")):
        assert not text or read_expression(text)


@each_entry
def test_entry_is_documented(entry):
    assert entry.doc.endswith(".")
    assert entry.source
    assert {*entry.positive, *entry.nonnegative, *entry.unit_interval} <= set(entry.constants)


@pytest.mark.parametrize("table", TABLES)
def test_names_are_told_apart(table):
    entries = getattr(CATALOG, table).values()
    names = [name for entry in entries for name in (entry.name, *entry.also_known_as)]
    assert len(names) == len(set(names))
    ours = [catalog._folded(entry.name) for entry in entries]
    assert len(ours) == len(set(ours))


def test_no_type_has_a_field_for_a_derivative():
    for kind in vars(definition).values():
        if dataclasses.is_dataclass(kind):
            for field in dataclasses.fields(kind):
                assert not any(
                    word in field.name for word in ("deriv", "grad", "backward", "jacob", "adjoint")
                )


def test_mappings_are_read_only():
    with pytest.raises(TypeError):
        CATALOG.activations["mine"] = CATALOG.activations["relu"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        CATALOG.losses = {}
    assert catalog.activations is CATALOG.activations


def test_catalogue_needs_no_sympy_and_no_numpy():
    code = "import sys, symbackprop.notation; assert not {'sympy', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_definitions_are_added_to_a_copy():
    mine = Activation("mine", ("a = z",))
    extended = CATALOG.with_definitions([mine])
    assert extended.activations["mine"] is mine
    assert "mine" not in CATALOG.activations
    assert "mine" in extended.functions


@pytest.mark.parametrize(
    "entry", [Activation("relu", ("a = z",)), Activation("exp", ("a = z",)), Loss("nll", ())]
)
def test_a_taken_name_is_refused(entry):
    with pytest.raises(SymbackpropError, match="choose another"):
        CATALOG.with_definitions([entry])


@pytest.mark.parametrize(
    ("table", "name", "ours"),
    [
        ("activations", "ReLU", "relu"),
        ("activations", "LeakyReLU", "leaky_relu"),
        ("activations", "swish", "silu"),
        ("layers", "Linear", "dense"),
        ("layers", "Dense", "dense"),
        ("losses", "mse", "mean_squared_error"),
        ("losses", "MSELoss", "mean_squared_error"),
        ("losses", "BCEWithLogitsLoss", "binary_cross_entropy_with_logits"),
        ("losses", "CrossEntropyLoss", "cross_entropy_with_logits"),
        ("losses", "KLDivLoss", "kl_divergence"),
        ("losses", "categorical_crossentropy", "cross_entropy"),
    ],
)
def test_names_of_other_libraries_say_ours(table, name, ours):
    with pytest.raises(SymbackpropError, match=f"is called '{ours}' here"):
        look_up(getattr(CATALOG, table), name, "entry")


def test_unknown_name_gives_the_nearest_and_all():
    with pytest.raises(SymbackpropError, match=r"did you mean 'relu'.*softmax"):
        look_up(CATALOG.activations, "rellu", "activation")


# What PyTorch calls each; names that are missing here are checked against NumPy below.
def torch_activations(torch):
    F = torch.nn.functional
    return {
        "identity": lambda z: z,
        "prelu": lambda z: F.prelu(z, torch.tensor([0.25], dtype=z.dtype)),
        "sigmoid": torch.sigmoid,
        "log_sigmoid": F.logsigmoid,
        "tanh": torch.tanh,
        "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
        "hard_sigmoid": F.hardsigmoid,
        "hard_tanh": F.hardtanh,
        "hard_swish": F.hardswish,
        "exponential": torch.exp,
        "square": torch.square,
        "sine": torch.sin,
        "tanh_shrink": F.tanhshrink,
        "soft_shrink": F.softshrink,
        "hard_shrink": F.hardshrink,
        "softmax": lambda z: F.softmax(z, dim=-1),
        "log_softmax": lambda z: F.log_softmax(z, dim=-1),
    }


def activated(entry, z):
    extra = {"alpha": [0.25]} if entry.name == "prelu" else {}
    sizes = {**entry.constants, **extra}
    if "[" in "".join(entry.equations):
        return Sample(z=z, **sizes).run(entry.equations)
    return np.array([Sample(z=value, **sizes).run(entry.equations) for value in z])


@pytest.mark.parametrize("entry", CATALOG.activations.values(), ids=lambda entry: entry.name)
def test_activation_has_pytorchs_values(entry):
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    theirs = torch_activations(torch).get(entry.name)
    theirs = theirs or getattr(torch.nn.functional, entry.name)
    z = np.array(POINTS)
    expected = theirs(torch.tensor(z)).numpy()
    np.testing.assert_allclose(activated(entry, z), expected, rtol=1e-10, atol=1e-12)


def unset(entry, classes):
    """Constants as they are by default; a None never compares equal."""
    constants = {k: math.nan if v is None else v for k, v in entry.constants.items()}
    return {**constants, **dict.fromkeys(entry.vectors, np.ones(classes)), "classes": classes}


def within(entry, a, y, **constants):
    """The loss of one sample, units combined."""
    values = unset(entry, len(a)) | {"units": len(a) // 2} | constants
    if "[" in "".join(entry.equations):
        return Sample(a=a, y=y, **values).run(entry.equations).item()
    each = [
        Sample(a=u, y=v, **values).run(entry.equations).item() for u, v in zip(a, y, strict=True)
    ]
    return sum(each) / (len(each) if entry.within == "mean" else 1)


A = np.array([0.7, -1.3, 2.5, 0.1])
Y = np.array([0.5, 1.5, -0.5, 0.1])
P = np.array([0.1, 0.6, 0.25, 0.05])
Q = np.array([0.3, 0.0, 0.6, 0.1])
SIGN = np.array([1.0, -1.0, -1.0, 1.0])
BITS = np.array([1.0, 0.0, 0.0, 0.4])
WEIGHT = np.array([0.5, 2.0, 1.0, 3.0])

LOSSES = {
    "squared_error": (A, Y, {}, lambda F, a, y: F.mse_loss(a, y, reduction="sum")),
    "mean_squared_error": (A, Y, {}, lambda F, a, y: F.mse_loss(a, y)),
    "mean_absolute_error": (A, Y, {}, lambda F, a, y: F.l1_loss(a, y)),
    "huber": (A, Y, {"delta": 1.5}, lambda F, a, y: F.huber_loss(a, y, delta=1.5)),
    "log_cosh": (A, Y, {}, lambda F, a, y: (a - y).cosh().log().mean()),
    "binary_cross_entropy": (P, BITS, {}, lambda F, a, y: F.binary_cross_entropy(a, y)),
    "binary_cross_entropy_with_logits": (
        A,
        BITS,
        {"pos_weight": 2.5},
        lambda F, a, y: F.binary_cross_entropy_with_logits(a, y, pos_weight=a.new_tensor(2.5)),
    ),
    "cross_entropy": (
        P,
        Q,
        {"weight": WEIGHT, "label_smoothing": 0.2},
        lambda F, a, y: F.cross_entropy(
            a.log(), y, weight=a.new_tensor(WEIGHT), label_smoothing=0.2
        ),
    ),
    "cross_entropy_with_logits": (
        A,
        Q,
        {"weight": WEIGHT, "label_smoothing": 0.2},
        lambda F, a, y: F.cross_entropy(a, y, weight=a.new_tensor(WEIGHT), label_smoothing=0.2),
    ),
    "nll": (np.log(P), Q, {}, lambda F, a, y: -(a * y).sum()),
    "kl_divergence": (np.log(P), Q, {}, lambda F, a, y: F.kl_div(a, y, reduction="sum")),
    "poisson_nll": (A, WEIGHT, {}, lambda F, a, y: F.poisson_nll_loss(a, y)),
    "gaussian_nll": (
        A,
        Y[:2],
        {},
        lambda F, a, y: F.gaussian_nll_loss(a[:2], y, a[2:].exp()),
    ),
    "hinge": (A, SIGN, {}, lambda F, a, y: (1 - a * y).clamp(min=0).mean()),
    "squared_hinge": (A, SIGN, {}, lambda F, a, y: (1 - a * y).clamp(min=0).square().mean()),
    "cosine_similarity": (A, Y, {}, lambda F, a, y: 1 - F.cosine_similarity(a, y, dim=-1)),
    "focal": (A, SIGN > 0, {}, lambda F, a, y: focal(F, a, y.to(a.dtype))),
}


def focal(F, a, y):
    """As torchvision has it."""
    cross_entropy = F.binary_cross_entropy_with_logits(a, y, reduction="none")
    p = a.sigmoid()
    right = p * y + (1 - p) * (1 - y)
    return ((0.25 * y + 0.75 * (1 - y)) * (1 - right) ** 2 * cross_entropy).mean()


@pytest.mark.parametrize("name", CATALOG.losses)
def test_loss_has_pytorchs_value(name):
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    a, y, constants, theirs = LOSSES[name]
    expected = theirs(torch.nn.functional, torch.tensor(a), torch.tensor(y)).item()
    found = within(CATALOG.losses[name], a, y, **constants)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", [n for n, entry in CATALOG.losses.items() if entry.indices])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_weighted_mean_over_class_indices_is_pytorchs(name, smoothing):
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    entry = CATALOG.losses[name]
    rng = np.random.default_rng(7)
    z = rng.normal(size=(5, 4))
    y = np.array([3, 1, 2, 0, 1])
    logs = np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
    a = {"cross_entropy": np.exp(logs), "nll": logs}.get(name, z)
    settings = {"weight": torch.tensor(WEIGHT), "ignore_index": 2}
    if "label_smoothing" in entry.constants:
        expected = torch.nn.functional.cross_entropy(
            torch.tensor(z), torch.tensor(y), label_smoothing=smoothing, **settings
        )
    else:
        expected = torch.nn.functional.nll_loss(torch.tensor(logs), torch.tensor(y), **settings)
    values = {"weight": WEIGHT, "ignore_index": 2, "label_smoothing": smoothing, "classes": 4}
    cost = weight = 0.0
    for row, label in zip(a, y, strict=True):
        sample = Sample(a=row, y=label, **values)
        cost += sample.run(entry.indices).item()
        weight += sample.run([f"L = {entry.indices_weight}"]).item()
    assert cost / weight == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "cross_entropy"])
def test_logarithm_of_a_probability_is_clamped_as_in_pytorch(name):
    found = within(CATALOG.losses[name], np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    assert found == pytest.approx(100, rel=1e-12)


@pytest.mark.parametrize("entry", CATALOG.activations.values(), ids=lambda entry: entry.name)
def test_activation_keeps_a_nan(entry):
    assert math.isnan(activated(entry, np.array([math.nan, 1.0]))[0])


@pytest.mark.parametrize("name", CATALOG.losses)
@pytest.mark.parametrize("where", ["a", "y"])
def test_loss_keeps_a_nan(name, where):
    a, y, constants, _ = LOSSES[name]
    spoilt = {"a": np.array(a, dtype=float), "y": np.array(y, dtype=float)}
    spoilt[where][1] = math.nan
    assert math.isnan(within(CATALOG.losses[name], **spoilt, **constants))


def test_definitions_with_a_fault_have_other_values():
    """The comparison above sees a wrong constant, sign or factor."""
    right = within(CATALOG.losses["huber"], A, Y)
    for old, new in (("/ 2,", "/ 3,"), ("a - y", "a + y"), ("<=", ">")):
        texts = tuple(text.replace(old, new) for text in CATALOG.losses["huber"].equations)
        wrong = dataclasses.replace(CATALOG.losses["huber"], equations=texts)
        assert within(wrong, A, Y) != pytest.approx(right, rel=1e-3)


def test_optimizers_first_steps():
    adam = CATALOG.optimizers["adam"]
    state = {"w": 1.0, "g": 0.5, "m": 0.0, "v": 0.0, "eta": 0.1, "t": 1, **adam.constants}
    sample = Sample(**state)
    sample.run(adam.equations)
    assert sample.values["w"].item() == pytest.approx(0.9, rel=1e-7)
    assert sample.values["v"].item() == pytest.approx(0.00025, rel=1e-12)


@pytest.mark.parametrize("name", CATALOG.optimizers)
def test_optimizer_steps_as_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    entry = CATALOG.optimizers[name]
    w = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    make = {
        "sgd": lambda: torch.optim.SGD([w], lr=0.1),
        "momentum": lambda: torch.optim.SGD([w], lr=0.1, momentum=0.9),
        "adam": lambda: torch.optim.Adam([w], lr=0.1),
    }
    theirs = make[name]()
    sample = Sample(w=1.0, eta=0.1, **dict.fromkeys(entry.moments, 0.0), **entry.constants)
    for step, gradient in enumerate([0.5, -2.0, 0.25, 1.0], start=1):
        w.grad = torch.tensor(gradient, dtype=torch.float64)
        theirs.step()
        sample.values |= {"g": np.array(gradient), "t": np.array(step)}
        sample.run(entry.equations)
        assert sample.values["w"].item() == pytest.approx(w.item(), rel=1e-12)
