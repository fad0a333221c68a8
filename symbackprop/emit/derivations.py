"""Prints a derivation as plain text, a line for each adjoint."""

from __future__ import annotations

from symbackprop.emit.comments import Comments
from symbackprop.equations import Derivation
from symbackprop.network import Head, Network
from symbackprop.printing.equations import equation_lines


def derivation_text(network: Network, layers: Derivation, form: Head, head: Derivation) -> str:
    """Return the loss as it is differentiated, and every adjoint, in the order derived.

    Args:
        network: what was derived.
        layers: the adjoints of the layers, from the cotangent of the output.
        form: the loss, for one form of the target.
        head: the adjoints of loss and last activation, derived together.
    """
    lines = Comments(network, layers, [(form, head)]).section(form.form).lines
    found = {adjoint.variable for adjoint in head.adjoints}
    # The head reaches past the output, whose own adjoint and what follows from it it replaces.
    rest = [adjoint for adjoint in layers.adjoints if adjoint.variable not in found]
    adjoints = [adjoint.variable.bar() for adjoint in (*head.adjoints, *rest)]
    shown = [*equation_lines(head.equations), *(lines[bar] for bar in adjoints if bar in lines)]
    return "".join(f"{line}\n" for line in shown)
