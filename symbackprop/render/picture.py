"""The network at a glance: a diagram that leads to the equations, and a table of symbols."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from symbackprop.calculus.textbook import Loss
from symbackprop.equations import Access, Role, Variable, extent_expression
from symbackprop.network import Head, Layer
from symbackprop.render import scalars
from symbackprop.render.context import Context
from symbackprop.render.document import Arrow, Diagram, Inlines, Node, Paragraph, Section, Table
from symbackprop.render.groups import Group, lowered
from symbackprop.render.setting import Setting
from symbackprop.render.typeset import Math, Numeral, Operator, listed, row
from symbackprop.scalar import Number

_TIMES = Operator("×")


_TURNED = (
    "Shapes are those of the code's arrays; the matrix form with samples as columns has the "
    "transposes of matrices under the same names."
)


def picture(context: Context, anchors: Collection[str]) -> Section:
    """Return the diagram and the symbols.

    Args:
        context: of the document.
        anchors: those that the other sections have.
    """
    header: tuple[Inlines, ...] = (("Symbol",), ("Is",), ("Shape",))
    table = Table(header, tuple(_symbols(context)))
    turned = context.choice.form != "units" and context.choice.layout != "rows"
    matrices = any(len(array.variable.axes) == 2 for array in context.network.parameters)
    note = (Paragraph((_TURNED,)),) if turned and matrices else ()
    return Section(("The network",), "network", (_diagram(context, anchors), table, *note))


def _diagram(context: Context, anchors: Collection[str]) -> Diagram:
    drawn = _Drawn(context, anchors)
    for group in context.groups:
        drawn.add(group)
    if context.network.heads:
        drawn.add_loss(context.network.heads[0])
    words = "The network from input to loss, and the derivatives that flow back."
    forks = len({arrow.source for arrow in drawn.arrows}) < len(drawn.arrows)
    if forks:
        words += " Where a value feeds several layers, what flows back by each of them adds up."
    return Diagram(tuple(drawn.nodes), tuple(drawn.arrows), words)


class _Drawn:
    """Collects the nodes of a diagram, and an arrow for each value that something reads."""

    def __init__(self, context: Context, anchors: Collection[str]) -> None:
        self._context, self._anchors = context, anchors
        self._places: dict[Variable, int] = {}
        self.nodes: list[Node] = []
        self.arrows: list[Arrow] = []
        for variable in context.network.inputs:
            self._add(variable, Node(context.setting().array(variable), "input", "", ""))

    def add(self, group: Group) -> None:
        """Add a group of layers, which reads what its first layer reads."""
        context, layer = self._context, group.shown
        setting = context.setting(group)
        forward = self._known(context.anchor("forward", layer.output.name))
        back = self._known(context.anchor("backward", layer.output.name))
        times = "" if len(group.layers) == 1 else f", {len(group.layers)} times"
        acted = layer.preactivation or layer.output
        entry = self._known(context.anchor("forward", acted.name))
        learned = [setting.array(variable) for variable in self._learned(layer)]
        sources = tuple(dict.fromkeys(group.layers[0].inputs))
        for read, shown in zip(sources, dict.fromkeys(layer.inputs), strict=True):
            label = listed(*learned) if learned else setting.array(shown)
            self._arrow(self._places[read], len(self.nodes), setting, (label, entry), shown)
            learned = []
        self._add(
            group.layers[-1].output,
            Node(setting.array(layer.output), layer.kind + times, forward, back),
        )

    def _learned(self, layer: Layer) -> list[Variable]:
        """Return the parameters that the layer uses, its own or another's."""
        equations = (*layer.equations, *layer.activation)
        operands = (operand for equation in equations for operand in equation.operands)
        used = {operand.variable for operand in operands if isinstance(operand, Access)}
        return [a.variable for a in self._context.network.parameters if a.variable in used]

    def add_loss(self, head: Head) -> None:
        """Add the loss, which reads the network's output."""
        context, output = self._context, self._context.network.output
        setting = context.setting(head=head)
        label = (setting.array(head.target), "loss")
        self._arrow(self._places[output], len(self.nodes), setting, label, output)
        name = (context.network.loss or "loss").replace("_", " ")
        self._add(head.cost, Node(setting.variable(head.sample), name, "loss", ""))

    def _add(self, variable: Variable, node: Node) -> None:
        self._places[variable] = len(self.nodes)
        self.nodes.append(node)

    def _arrow(
        self, source: int, target: int, setting: Setting, label: tuple[Math, str], read: Variable
    ) -> None:
        """Add an arrow: its label forward and where that leads, and what it reads."""
        slope = None if read.integer else setting.array(read.bar())
        back = self._known(self._context.anchor("backward", read.name)) if slope else ""
        self.arrows.append(Arrow(source, target, label[0], slope, label[1], back))

    def _known(self, anchor: str) -> str:
        return anchor if anchor in self._anchors else ""


def _symbols(context: Context) -> Iterator[tuple[Inlines, ...]]:
    setting = context.setting()
    for variable in context.network.inputs:
        yield (setting.array(variable),), ("input",), _shape(setting, variable)
    for group in context.groups:
        own = context.setting(group)
        for variable, part in _of_layer(group):
            kind = (part, *lowered(group.title))
            yield (own.array(variable),), kind, _shape(own, variable)
    for head in context.network.heads[:1]:
        yield (setting.array(head.target),), ("target",), _shape(setting, head.target)
    for variable, loss in _of_losses(context).items():
        own = context.setting(head=loss.head, equations=loss.equations)
        yield (own.array(variable),), ("value within the loss",), _shape(own, variable)
    for value, name in context.numbers.items():
        digits = Numeral(scalars.long_number(value) or "")
        yield (scalars.named(name),), ("the number ", digits), ("a number",)
    for constant in context.network.constants:
        numbers = [scalars.scalar(Number(value), ()) for value in constant.values or ()]
        words = ("given: ", listed(*numbers) if numbers else "")
        yield (setting.array(constant),), words, _shape(setting, constant)


def _of_layer(group: Group) -> Iterator[tuple[Variable, str]]:
    """Yield the variables of a group, in the order of its equations, and what they are."""
    layer = group.shown
    yield from ((array.variable, "parameter of ") for array in layer.parameters)
    yield from ((s.variable, "running statistic of ") for s in layer.state)
    yield from ((v, "drawn from [0, 1) in each step of training, for ") for v in layer.draws)
    for variable in group.variables:
        if variable == layer.preactivation:
            yield variable, "what the activation acts on, of "
        elif variable == layer.output:
            yield variable, "output of "
        else:
            yield variable, "value within "


def _of_losses(context: Context) -> dict[Variable, Loss]:
    """Return what equations of the loss define, and where first."""
    found: dict[Variable, Loss] = {}
    for loss in context.textbook.losses:
        for equation in loss.equations:
            variable = equation.target.variable
            if not variable.made and variable != loss.head.sample:
                found.setdefault(variable, loss)
    return found


def _shape(setting: Setting, variable: Variable) -> Inlines:
    """Return the extents of one sample's array."""
    axes = [axis for axis in variable.axes if axis.role is not Role.BATCH]
    extents: list[Math] = [scalars.scalar(extent_expression(axis.extent), ()) for axis in axes]
    pieces = [piece for extent in extents for piece in (_TIMES, extent)][1:]
    return (row(*pieces),) if pieces else ("a number",)
