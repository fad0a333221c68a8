"""The entry to the interpreter: a machine that is ready to run."""

from __future__ import annotations

from collections.abc import Callable

from symbackprop.auditing.code.dag import Graph
from symbackprop.auditing.code.effort import Effort
from symbackprop.auditing.code.interpreter.attributes import attribute
from symbackprop.auditing.code.interpreter.calls import call
from symbackprop.auditing.code.interpreter.evaluate import evaluate
from symbackprop.auditing.code.interpreter.execute import execute
from symbackprop.auditing.code.interpreter.machine import Machine
from symbackprop.auditing.code.source import Module


def new_machine(
    effort: Effort,
    find: Callable[[str, int, Module], Module | None] = lambda name, level, importer: None,
    draw: Callable[[str, tuple[int, ...]], float] | None = None,
) -> Machine:
    """Return a machine with a graph of its own.

    Args:
        effort: What it may spend.
        find: Gives the module beside the audited file that an import names, or None.
        draw: Gives the value of a random number.
    """
    machine = Machine(Graph(effort), find, draw)
    machine.evaluate = lambda node, scope: evaluate(machine, node, scope)
    machine.execute = lambda statements, scope: execute(machine, statements, scope)
    machine.call = lambda function, arguments, keywords: call(
        machine, function, arguments, keywords
    )
    machine.attribute = lambda value, name: attribute(machine, value, name)
    return machine
