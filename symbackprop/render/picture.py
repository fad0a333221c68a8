"""The network at a glance: a diagram that leads to the equations, and a table of symbols."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from symbackprop.equations import Role, Variable, extent_expression
from symbackprop.render import scalars
from symbackprop.render.context import Context
from symbackprop.render.document import Arrow, Diagram, Inlines, Node, Section, Table
from symbackprop.render.setting import Setting
from symbackprop.render.typeset import Math, Operator, listed, row
from symbackprop.scalar import Number

_TIMES = Operator("×")


def picture(context: Context, anchors: Collection[str]) -> Section:
    """Return the diagram and the symbols.

    Args:
        context: of the document.
        anchors: those that the other sections have.
    """
    header: tuple[Inlines, ...] = (("Symbol",), ("Is",), ("Shape",))
    table = Table(header, tuple(_symbols(context)))
    return Section(("The network",), "network", (_diagram(context, anchors), table))


def _diagram(context: Context, anchors: Collection[str]) -> Diagram:
    nodes = [Node(context.setting().array(context.network.input), "input", "", "")]
    arrows: list[Arrow] = []

    def known(anchor: str) -> str:
        return anchor if anchor in anchors else ""

    for group in context.groups:
        setting, layer = context.setting(group), group.shown
        forward = known(context.anchor("forward", layer.output.name))
        back = known(context.anchor("backward", layer.output.name))
        label = layer.kind if len(group.layers) == 1 else f"{layer.kind}, {len(group.layers)} times"
        nodes.append(Node(setting.array(layer.output), label, forward, back))
        learned = [setting.array(array.variable) for array in layer.parameters]
        arrows.append(
            Arrow(
                len(nodes) - 2,
                len(nodes) - 1,
                listed(*learned) if learned else setting.array(layer.output),
                setting.array(layer.input.bar()),
                known(context.anchor("forward", layer.preactivation.name))
                if layer.preactivation
                else forward,
                known(context.anchor("backward", layer.input.name)),
            )
        )
    for head in context.network.heads[:1]:
        setting = context.setting(head=head)
        output = context.network.output
        back = known(context.anchor("backward", output.name))
        name = (context.network.loss or "loss").replace("_", " ")
        nodes.append(Node(setting.variable(head.sample), name, "loss", ""))
        target = setting.array(head.target)
        slope = setting.array(output.bar())
        arrows.append(Arrow(len(nodes) - 2, len(nodes) - 1, target, slope, "loss", back))
    words = "The network from input to loss, and the derivatives that flow back."
    return Diagram(tuple(nodes), tuple(arrows), words)


def _symbols(context: Context) -> Iterator[tuple[Inlines, ...]]:
    setting = context.setting()
    yield (
        (setting.array(context.network.input),),
        ("input",),
        _shape(setting, context.network.input),
    )
    for group in context.groups:
        own, layer = context.setting(group), group.shown
        where = group.title
        for array in layer.parameters:
            kind: Inlines = ("parameter of ", *_lowered(where))
            yield (own.array(array.variable),), kind, _shape(own, array.variable)
        if layer.preactivation is not None:
            words: Inlines = ("what the activation of ", *_lowered(where), " acts on")
            yield (own.array(layer.preactivation),), words, _shape(own, layer.preactivation)
        yield (
            (own.array(layer.output),),
            ("output of ", *_lowered(where)),
            _shape(own, layer.output),
        )
    for head in context.network.heads[:1]:
        yield (setting.array(head.target),), ("target",), _shape(setting, head.target)
    for constant in context.network.constants:
        numbers = [scalars.scalar(Number(value), ()) for value in constant.values or ()]
        words = ("given: ", listed(*numbers) if numbers else "")
        yield (setting.array(constant),), words, _shape(setting, constant)


def _lowered(title: Inlines) -> Inlines:
    first, *rest = title
    return (first[0].lower() + first[1:] if isinstance(first, str) else first, *rest)


def _shape(setting: Setting, variable: Variable) -> Inlines:
    """Return the extents of one sample's array."""
    axes = [axis for axis in variable.axes if axis.role is not Role.BATCH]
    extents: list[Math] = [scalars.scalar(extent_expression(axis.extent), ()) for axis in axes]
    pieces = [piece for extent in extents for piece in (_TIMES, extent)][1:]
    return (row(*pieces),) if pieces else ("a number",)
