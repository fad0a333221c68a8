"""The pipeline as functions: what the command line and Python users call.

Each function reads an architecture: compact text (``"2-4:relu-1:sigmoid"``), the path
of a TOML file, or the record that ``load`` returned.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from symbackprop.architecture import Architecture
from symbackprop.catalog import CATALOG, look_up
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.notation import load
from symbackprop.notation.uses import read_loss
from symbackprop.small import keeps_maps, small_instances

if TYPE_CHECKING:
    from symbackprop.checking.report import GradientReport
    from symbackprop.network import Network
    from symbackprop.render.display import Derivation
    from symbackprop.render.document import Document
    from symbackprop.render.notation import Choice
    from symbackprop.render.total import TotalDerivative

__all__ = [
    "FailedCheckError",
    "build",
    "check",
    "derive",
    "document",
    "generate",
    "generate_checked",
    "load",
    "total_derivative",
    "total_differential",
    "totals",
]

Source = str | Path | Architecture
Progress = Callable[[str], None]
BatchReduction = Literal["mean", "sum"]
# Beyond so many parameters the check takes random directions; a small instance of every kind
# of layer is then checked entry by entry besides.
LARGE = 1000
REDUCTIONS: tuple[BatchReduction, ...] = ("mean", "sum")


class FailedCheckError(Exception):
    """A generated module failed its gradient check, or could not be run at all.

    ``report`` says where; it is None where there was nothing to compare.
    """

    def __init__(
        self,
        report: GradientReport | None,
        message: str = "the generated module failed its gradient check",
    ) -> None:
        super().__init__(message)
        self.report = report


def _silent(stage: str) -> None:
    pass


def build(
    source: Source, *, loss: str | None = None, reduction: BatchReduction | None = None
) -> Network:
    """Return the architecture as equations.

    Args:
        source: the architecture.
        loss: name of a loss, in place of the architecture's own.
        reduction: ``"mean"`` or ``"sum"`` over the batch, in place of the architecture's own.

    Raises:
        SymbackpropError: something is unknown, malformed or does not fit.
    """
    return _built(_architecture(source, loss, reduction))


def _built(architecture: Architecture) -> Network:
    from symbackprop.build import build_network
    from symbackprop.fitting import check_output

    network = build_network(architecture)
    check_output(architecture, network)
    return network


def _architecture(
    source: Source, loss: str | None, reduction: BatchReduction | None
) -> Architecture:
    """Return the architecture with the loss and the reduction that were asked for."""
    architecture = source if isinstance(source, Architecture) else load(source)
    if loss is not None:
        losses = CATALOG.with_definitions(architecture.definitions).losses
        architecture = replace(architecture, loss=read_loss(loss, losses))
    if reduction is not None:
        if reduction not in REDUCTIONS:
            raise SymbackpropError(f"reduction: {allowed(reduction, REDUCTIONS)}")
        architecture = replace(architecture, reduction=reduction)
    return architecture


def derive(
    source: Source,
    *,
    loss: str | None = None,
    reduction: BatchReduction | None = None,
    notation: Mapping[str, str] | None = None,
) -> Derivation:
    """Return the derivation of an architecture: equations, adjoints and every step.

    It displays itself in a notebook, and so do its ``equations``, ``gradients`` and ``steps``.

    Args:
        source: the architecture.
        loss: as for ``build``.
        reduction: as for ``build``.
        notation: how formulas are written, as in ``{"cost": "E"}``; see ``render.notation``.

    Raises:
        SymbackpropError: as for ``build``, or there is no such notation.
    """
    from symbackprop.render.notation import chosen_notation

    chosen = chosen_notation(notation or {})
    network = build(source, loss=loss, reduction=reduction)
    from symbackprop.calculus import derive_network
    from symbackprop.render.display import Derivation

    derived = derive_network(network)
    given = {"loss": loss, "reduction": reduction, "notation": dict(notation or {}) or None}
    options = "".join(f", {key}={value!r}" for key, value in given.items() if value is not None)
    code = f"import symbackprop\n\nsymbackprop.derive({_written(source)}{options})"
    parts = (derived.network, derived.layers, derived.heads, derived.textbook)
    return Derivation(*parts, source=code, notation=chosen)


def _written(source: Source) -> str:
    """Return Python code that stands for the source."""
    return repr(source.text if isinstance(source, Architecture) else str(source))


def document(
    source: Source,
    *,
    loss: str | None = None,
    reduction: BatchReduction | None = None,
    choice: Choice | None = None,
    progress: Progress = _silent,
) -> Document:
    """Return the derivation of an architecture as a document, with its module where it has one.

    Args:
        source: the architecture.
        loss: as for ``build``.
        reduction: as for ``build``.
        choice: notation, form, layout and parameters; see ``render.notation.Choice``.
        progress: called with the name of each stage.

    Raises:
        SymbackpropError: as for ``build``, or ``choice`` names no parameter.
    """
    from symbackprop.render.notation import choices_of

    progress("deriving")
    notation = choices_of(choice.notation) if choice else {}
    derivation = derive(source, loss=loss, reduction=reduction, notation=notation)
    from symbackprop.emit import generate as emit

    progress("generating the module")
    try:
        emitted = emit(derivation.network)
    except SymbackpropError:  # something is left open: there is a derivation, but no code
        emitted = None
    progress("setting formulas")
    return derivation.document(choice, emitted)


def generate(
    source: Source,
    *,
    loss: str | None = None,
    reduction: BatchReduction | None = None,
    optimizer: str = "sgd",
) -> str:
    """Return the text of the NumPy module, its gradients checked.

    Args:
        source: the architecture.
        loss: as for ``build``.
        reduction: as for ``build``.
        optimizer: ``sgd``, ``momentum`` or ``adam``.

    Raises:
        SymbackpropError: as for ``build``, or the network cannot be generated.
        FailedCheckError: the module's gradients disagree with the numeric ones.
    """
    text, report = generate_checked(source, loss=loss, reduction=reduction, optimizer=optimizer)
    if not report.passed:
        raise FailedCheckError(report)
    return text


def generate_checked(
    source: Source,
    *,
    loss: str | None = None,
    reduction: BatchReduction | None = None,
    optimizer: str = "sgd",
    progress: Progress = _silent,
) -> tuple[str, GradientReport]:
    """Return the text of the module and the report of its check, passed or not.

    Raises:
        SymbackpropError: as for ``generate``.
        FailedCheckError: the module cannot be run.
    """
    look_up(CATALOG.optimizers, optimizer, "optimizer")
    progress("reading")
    architecture = _architecture(source, loss, reduction)
    text, network = _emitted(architecture, optimizer, progress)
    report = _checked(text, network, progress)
    if report.passed and _weights(network) > LARGE:
        progress("checking a small instance of every kind of layer")
        made = _small(architecture, network, optimizer)
        if made is None:
            note = "no small instance checked: layers fit together in the sizes written alone"
            return text, report.extended({}, note)
        of_kinds = _checked(*made, _silent)
        note = f"every kind of layer checked on a small instance: {_sizes(made[1])}"
        report = report.extended({}, note) if of_kinds.passed else of_kinds
    return text, report


def _small(
    architecture: Architecture, network: Network, optimizer: str
) -> tuple[str, Network] | None:
    """Return the module of a small instance, None where there is none."""
    for small in small_instances(architecture, network):
        try:
            if keeps_maps(_built(small), network):
                return _emitted(small, optimizer, _silent)
        except SymbackpropError:
            continue
    return None


def _sizes(network: Network) -> str:
    shapes = (", ".join(str(a.extent) for a in v.axes[1:]) for v in network.inputs)
    inputs = " and ".join(f"({shape})" for shape in shapes)
    return f"input {inputs}, {_weights(network)} parameters"


def _emitted(architecture: Architecture, optimizer: str, progress: Progress) -> tuple[str, Network]:
    network = _built(architecture)
    from symbackprop.emit import generate as emit

    progress("deriving")
    try:
        return emit(network, optimizer=optimizer).text, network
    except SymbackpropError as error:
        raise error.at(architecture.place) from None


def _checked(text: str, network: Network, progress: Progress) -> GradientReport:
    from symbackprop.numeric import OutOfTimeError, check_module

    progress("checking")
    with tempfile.TemporaryDirectory(prefix="symbackprop-") as folder:
        module = Path(folder, "module.py")
        module.write_text(text, encoding="utf-8", newline="\n")
        try:
            return check_module(module, architecture=network)
        except SymbackpropError as error:
            # The user does not know the file that the message begins with.
            reason = str(error).removeprefix(f"{module}: ").replace(str(module), "it")
            name = network.text or network.name
            message = f"{name}: the generated module cannot be checked: {reason}"
            if isinstance(error, OutOfTimeError):
                raise SymbackpropError(message) from error
            # Whatever else it is, it is no mistake of the user's.
            raise FailedCheckError(None, message) from error


def _weights(network: Network) -> int:
    extents = ([a.extent for a in p.variable.axes] for p in network.parameters)
    return sum(prod(e for e in shape if isinstance(e, int)) for shape in extents)


def check(
    module: str | Path, source: Source | None = None, *, progress: Progress = _silent
) -> GradientReport:
    """Check a generated module, run in a process of its own.

    Args:
        module: path of the file.
        source: an architecture whose equations the module's forward is compared with.
        progress: called with the name of each stage.

    Raises:
        SymbackpropError: the file cannot be read or run, or is no generated module.
    """
    from symbackprop.numeric import check_module

    network = None if source is None else build(source)
    progress("checking")
    return check_module(Path(module), architecture=network)


def total_derivative(
    expression: str, wrt: str | Sequence[str], **definitions: str | float
) -> TotalDerivative:
    """Return the derivative of an expression along every path by which a name reaches it.

    ``total_derivative("f(t(x), u(x))", "x")`` leaves its functions open;
    ``total_derivative("u*v", "x", u="x**2", v="sin(x)")`` is a concrete one. The result displays
    itself in a notebook; ``str()`` is the derivation with its steps, ``document()`` a document.

    Args:
        expression: in the notation of equations, perhaps as ``name = expression``.
        wrt: the name that varies, or several, each derived by while the others are held.
        definitions: what further names stand for.

    Raises:
        SymbackpropError: a text is malformed, or names are unknown, unused or cyclic.
    """
    names = [wrt] if isinstance(wrt, str) else list(wrt)
    if not names:
        raise SymbackpropError("wrt: at least one name")
    return totals(expression, names, definitions, differential=False)


def total_differential(
    expression: str, wrt: str | Sequence[str] = (), **definitions: str | float
) -> TotalDerivative:
    """Return the differential of an expression; otherwise like ``total_derivative``.

    Args:
        expression: as for ``total_derivative``.
        wrt: the names that vary; all that nothing defines by default.
        definitions: as for ``total_derivative``.

    Raises:
        SymbackpropError: as for ``total_derivative``.
    """
    names = [wrt] if isinstance(wrt, str) else list(wrt)
    return totals(expression, names, definitions, differential=True)


def totals(
    expression: str,
    wrt: Sequence[str],
    definitions: Mapping[str, str | float],
    *,
    differential: bool,
) -> TotalDerivative:
    """Return total derivatives, one for each of ``wrt``, or the one total differential."""
    from symbackprop.calculus import total
    from symbackprop.notation.composition import read_composition
    from symbackprop.render.total import TotalDerivative

    texts = {name: _formula(value, name) for name, value in definitions.items()}
    composition = read_composition(_formula(expression, "expression"), texts)
    if differential:
        found = [total.total_differential(composition, wrt)]
    else:
        found = [total.total_derivative(composition, name) for name in dict.fromkeys(wrt)]
    function = "total_differential" if differential else "total_derivative"
    names = repr(wrt[0]) if len(wrt) == 1 else repr(list(wrt))
    values = "".join(f", {name}={value!r}" for name, value in texts.items())
    code = f"import symbackprop\n\nsymbackprop.{function}({expression!r}, {names}{values})"
    return TotalDerivative(tuple(found), code)


def _formula(value: object, name: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    if not isinstance(value, str):
        raise SymbackpropError(f"{name}: a text is wanted, not {type(value).__name__}")
    return value
