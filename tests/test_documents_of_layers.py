"""Documents of layers in every format: written, and compiled without a line too wide."""

from __future__ import annotations

import dataclasses

import pytest
from layer_cases import network_of
from test_outline_layers import each_layer, smallest
from test_tex import compiled, complaints, needs_latex

from symbackprop.calculus import derive_network
from symbackprop.catalog import CATALOG
from symbackprop.render.anchors import check_anchors
from symbackprop.render.document import Display, Document
from symbackprop.render.formats import FORMATS
from symbackprop.render.outline import outline
from symbackprop.render.tex import tex

SAMPLE = ["conv2d", "max_pool2d", "batch_norm", "multi_head_attention", "layer_norm", "embedding"]


def prefixed(node: object, prefix: str) -> object:
    """A part of a document with anchors of its own, and no places in code."""
    if isinstance(node, tuple):
        return tuple(prefixed(part, prefix) for part in node)
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return node
    changes = {f.name: prefixed(getattr(node, f.name), prefix) for f in dataclasses.fields(node)}
    for name in ("anchor", "forward", "backward", "forward_anchor", "backward_anchor"):
        if isinstance(changes.get(name), str) and changes[name]:
            changes[name] = f"{prefix}-{changes[name]}"
    if isinstance(node, Display):
        changes["code"] = ()
    return dataclasses.replace(node, **changes)


def joint(names) -> Document:
    sections = []
    for name in names:
        found = outline(derive_network(network_of(smallest(name))))
        own = prefixed(found.sections, name.replace("_", "-"))
        sections += [dataclasses.replace(s, title=(f"{name}: ", *s.title)) for s in own]
    return Document("Every layer", (), tuple(sections))


@needs_latex
@pytest.mark.parametrize(
    "names",
    [SAMPLE, pytest.param([*CATALOG.layers], marks=pytest.mark.grid)],
    ids=["sample", "all"],
)
def test_documents_of_layers_compile_without_an_overfull_line(names) -> None:
    document = joint(names)
    check_anchors(document)
    assert complaints(compiled(tex(document))[1]) == []


@each_layer
def test_every_format_is_written(name: str) -> None:
    document = outline(derive_network(network_of(smallest(name))))
    for suffix in (".html", ".md", ".ipynb", ".tex"):
        assert FORMATS[suffix](document)
