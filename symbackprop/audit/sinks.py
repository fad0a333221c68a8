"""What a document's definitions end in: the quantities that an undefined loss may depend on."""

from __future__ import annotations

from symbackprop.audit.formula_tree import Derivative, accesses, walk
from symbackprop.audit.model import LAST_LAYER, Labels, Model, Rule, Symbol


def sinks(model: Model) -> list[tuple[Rule, Labels]]:
    """Return the defined quantities that no definition reads, each at its layers.

    Gradients are none of them.

    A definition for any layer stands for the layers from 1 to the last.
    """
    made: dict[tuple[Symbol, Labels], Rule] = {}
    read: set[tuple[Symbol, Labels]] = set()
    for rule in model.rules:
        if rule.formals or any(isinstance(node, Derivative) for _, node in walk(rule.body)):
            continue
        for layer in range(1, LAST_LAYER + 1) if rule.letters else (0,):
            letters = {**model.layers, **dict.fromkeys(rule.letters, layer)}
            made.setdefault((rule.target.symbol, model.labels(rule.target, letters)), rule)
            for access in accesses(rule.body):
                read.add((access.symbol, model.labels(access, letters)))
    return [
        (rule, labels) for (symbol, labels), rule in made.items() if (symbol, labels) not in read
    ]
