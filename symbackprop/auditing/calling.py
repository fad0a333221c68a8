"""The audit as functions: what the command line and Python users call."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from pathlib import Path

from symbackprop.architecture import Architecture
from symbackprop.auditing import files
from symbackprop.auditing.formulas.entry import audit_formula
from symbackprop.auditing.outcome import Outcome, gather
from symbackprop.auditing.readers import Request
from symbackprop.auditing.report.display import Audit
from symbackprop.errors import SymbackpropError
from symbackprop.notation import load

Source = str | Path | Architecture


def audit(
    source: str | Path, given: str | Sequence[str] = (), *, arch: Source | None = None
) -> Audit:
    r"""Audit a formula, or the formulas of a file.

    ``audit(r"\frac{\partial a}{\partial z} = a(1-a)", given="a = 1/(1+e^{-z})")``. The result
    displays itself in a notebook; its ``findings`` hold the verdicts, ``str()`` is the report.

    Args:
        source: LaTeX of one formula or several rows; a ``Path`` names a file or a folder.
        given: Definitions in LaTeX.
        arch: An architecture whose equations are definitions too.

    Raises:
        SymbackpropError: The file cannot be read, or the architecture is malformed.
    """
    texts = (given,) if isinstance(given, str) else tuple(given)
    if isinstance(source, str):
        definitions = "\n".join((*_equations_of(arch), *texts))
        return Audit.of(gather(audit_formula(source, definitions)))
    outcome = audit_files((str(source),), given=texts, arch=arch)
    for failure in outcome.failures:
        raise SymbackpropError(failure.message)
    return Audit.of(outcome)


def audit_files(
    paths: Sequence[str],
    *,
    given: Sequence[str] = (),
    pairs: Sequence[str] = (),
    wrt: Sequence[str] = (),
    loss: str | None = None,
    settings: Sequence[str] = (),
    arch: Source | None = None,
    exclude: Sequence[str] = (),
    accepted: Set[str] = frozenset(),
    since: str | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> Outcome:
    """Audit files and folders, as ``files.audit_files`` does, with the equations of ``arch``.

    What code is asked about (``pairs``, ``wrt``, ``loss``, ``settings``) is spelled as on the
    command line.
    """
    request = Request(
        (*_equations_of(arch), *given), tuple(pairs), tuple(wrt), loss, tuple(settings)
    )
    return files.audit_files(
        paths, request, exclude=exclude, accepted=accepted, since=since, progress=progress
    )


def _equations_of(arch: Source | None) -> tuple[str, ...]:
    """Return the equations of one sample through an architecture, as a derivation prints them."""
    if arch is None:
        return ()
    # Only an audit with an architecture waits for the calculus.
    from symbackprop.build import build_network
    from symbackprop.calculus import derive_network
    from symbackprop.render.latex import latex
    from symbackprop.render.notation import Choice
    from symbackprop.render.outline import outline
    from symbackprop.render.typeset import Operator

    architecture = arch if isinstance(arch, Architecture) else load(arch)
    document = outline(derive_network(build_network(architecture)), Choice(form="units"))
    return tuple(
        " ".join(latex(part) for part in (line.left, Operator("=", "relation"), line.right))
        for display in document.displays()
        if display.anchor.startswith("forward-")
        for line in display.lines
        if line.left is not None
    )
