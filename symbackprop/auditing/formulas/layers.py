"""Which layer a label names: a letter for any layer, a number, a word for the first or last one."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.auditing.formulas.binding import Claim, Definition, Paper
from symbackprop.auditing.formulas.model import LAST_LAYER, LAYER
from symbackprop.auditing.formulas.tree import Access, Label, Node, accesses, rewritten

# Words for layers, by custom; they count where their names have formulas for any layer.
WORDS = {
    **dict.fromkeys(("o", "O", "out", "output"), LAST_LAYER),
    **dict.fromkeys(("h", "H", "hidden"), LAST_LAYER - 1),
}


def layers_of(claim: Claim, paper: Paper) -> dict[str, int]:
    """Return the layers that letters and words of labels stand for in a claim."""
    found = {letter.upper(): LAST_LAYER for letter in paper.layers}
    found |= {letter: LAYER for letter in paper.layers if letter.islower()}
    labels = [label for side in claim.sides for a in accesses(side) for label in a.labels]
    # What has a layer after it is not the last.
    found |= {label.base: LAYER for label in labels if label.base in found and label.shift > 0}
    return found | {word: WORDS[word] for word in paper.words_of_layers & set(WORDS)}


def general(definition: Definition, paper: Paper) -> Definition | None:
    """Return what is said of one layer's gradient as said of any: δ^o = ∂C/∂b^o, so δ^l too."""
    words = {label.base for label in definition.name.labels} & paper.words_of_layers & set(WORDS)
    letter = next(iter(paper.layers), None)
    if len(words) != 1 or letter is None:
        return None
    word = words.pop()

    def rule(node: Node) -> Node:
        if not isinstance(node, Access):
            return node
        labels = (_any(label, word, letter) for label in node.labels)
        return replace(node, labels=tuple(labels))

    target = rewritten(definition.target, rule)
    values = tuple(rewritten(value, rule) for value in definition.values)
    return replace(definition, target=target, values=values, letters=(letter,))


def mixed(definition: Definition, paper: Paper) -> Definition:
    """Return a definition for a word that reads the layer before a letter's as one of any layer."""
    read = {x.base for value in definition.values for a in accesses(value) for x in a.labels}
    if definition.letters or not read & set(paper.layers):
        return definition
    return general(definition, paper) or definition


def _any(label: Label, word: str, letter: str) -> Label:
    return replace(label, base=letter) if label.base == word else label
