"""The derivation between whole arrays, in either layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from symbackprop.calculus.textbook import Loss
from symbackprop.calculus.totals import Total
from symbackprop.equations import Access, Adjoint, Equation, Variable
from symbackprop.render import scalars
from symbackprop.render.batch import over_batch
from symbackprop.render.context import Context, seeded
from symbackprop.render.document import (
    Block,
    Display,
    Inlines,
    Line,
    Link,
    Paragraph,
    Section,
)
from symbackprop.render.groups import Group
from symbackprop.render.jacobians import local_lines, total_lines
from symbackprop.render.matrix import (
    Layout,
    MatrixForm,
    made_variables,
    matrix_adjoint,
    matrix_equation,
)
from symbackprop.render.matrix_setting import legend, set_matrix
from symbackprop.render.setting import Setting
from symbackprop.render.shares import CHAIN_RULE, absorbed
from symbackprop.render.typeset import Math, Script, Symbol, row

_TITLES: dict[Layout, str] = {"rows": "Samples as rows", "columns": "Samples as columns"}
_WORDS: dict[Layout, str] = {
    "rows": "Every row of a matrix is one sample, as in the code: a layer computes A W.",
    "columns": "Every column of a matrix is one sample: a layer computes W A.",
}
_TURNED: dict[Layout, str] = {
    "rows": "Weight w_ij of the equations unit by unit is entry (j, i) of W here: ",
    "columns": "W here is the transpose of the code's: weight w_ij is its entry (i, j), ",
}
_JACOBIANS = (
    "Small bold letters are those of one sample, as columns. A partial of one by another has a row "
    "for each entry of what changes; diag puts a vector on the diagonal, I is the identity."
)
_NO_FORM = "Some equations have more than two axes, or indices that shift; they stay as they are."


def matrices(context: Context) -> list[Section]:
    """Return the matrix form in the layouts that the reader asks for."""
    wanted = context.choice.layout
    layouts: list[Layout] = [layout for layout in _TITLES if wanted in (layout, "both")]
    words = ("The same between whole arrays; beside each equation stands the shape of its value.",)
    opening = Section(("Matrix form",), "matrix", (Paragraph(words),))
    return [opening, *(_layout(context, layout) for layout in layouts)]


def _layout(context: Context, layout: Layout) -> Section:
    writer = _Arrays(context, layout)
    for group in context.groups:
        equations = (*group.shown.equations, *group.shown.activation)
        writer.forward(group, equations)
    for loss, derivation in zip(context.textbook.losses, context.derivation.heads, strict=True):
        writer.loss(loss, derivation.adjoints)
    for group in reversed(context.groups):
        writer.backward(group)
    explained = legend(writer.forms, context.setting(samples=True))
    opening: list[Block] = [Paragraph((_WORDS[layout],))]
    opening += [Paragraph((_TURNED[layout], *_entries(context, layout)))] if context.swapped else []
    opening += [Paragraph(explained)] if explained else []
    opening += _lookalike(context, writer.forms)
    opening += [Paragraph((_JACOBIANS,))] if writer.local else []
    opening += [Paragraph((_NO_FORM,))] if writer.missing else []
    anchor = context.anchor("matrix", layout)
    return Section((_TITLES[layout],), anchor, (*opening, *writer.blocks), level=2)


def _entries(context: Context, layout: Layout) -> Inlines:
    """Return the entries of the matrices whose indices print in reverse, as a sentence's end."""
    found: dict[Math, None] = {}
    for group in context.groups:
        setting = context.setting(group, samples=True)
        operands = [operand for e in group.shown.equations for operand in e.operands]
        for variable in dict.fromkeys(o.variable for o in operands if isinstance(o, Access)):
            if variable in context.swapped:
                whole = Access(variable, variable.axes)
                names = setting.names_of(whole)
                weight = setting.access(whole, names)
                places = [names[axis] for axis in variable.axes]
                entry = setting.entry(variable, places if layout == "rows" else places[::-1])
                found[row(entry, scalars.EQUALS, weight)] = None
    pieces = [piece for formula in found for piece in (", ", formula)]
    return (*pieces[1:], ".")


def _lookalike(context: Context, forms: Iterable[MatrixForm]) -> list[Block]:
    """Return what tells an array from the loss where both have the same letter."""
    setting, letter = context.setting(samples=True), context.choice.notation.cost
    bold = Symbol(letter, "bold")
    targets = (setting.array(form.target.variable) for form in forms)
    if not any(isinstance(math, Script) and math.base == bold for math in targets):
        return []
    words = (bold, " in bold, with a layer's number, is an array of that layer; ")
    return [Paragraph((*words, Symbol(letter), " is the loss."))]


class _Arrays:
    """Collects the displays of one layout, and the forms that they show."""

    def __init__(self, context: Context, layout: Layout) -> None:
        self._context, self._layout = context, layout
        self._made = made_variables(context.equations)
        self._totals = {total.variable: total for total in context.totals}
        self.blocks: list[Block] = []
        self.forms: list[MatrixForm] = []
        self.missing = self.local = False

    def forward(self, group: Group, equations: Iterable[Equation]) -> None:
        """Add the equations of a group of layers."""
        setting = self._context.setting(group, samples=True)
        named = [e for e in equations if not e.target.variable.made]
        found = [matrix_equation(e, self._made, self._layout) for e in named]
        lines = [self._line(setting, form) for form in self._shown(found)]
        self._display(
            setting, lines, found, f"forward-{group.shown.owner}", (*group.title, ", forward:")
        )

    def backward(self, group: Group) -> None:
        """Add the local partials and the total derivatives of a group, as ``units.layer`` does."""
        context, layout = self._context, self._layout
        setting = context.setting(group, samples=True)
        totals = [self._totals[variable] for variable in context.derived(group)]
        found = [matrix_adjoint(_closed(context, t).adjoint, {}, layout) for t in totals]
        forms = self._shown(found)
        lines: list[Line] = []
        if not context.mixes_samples and forms:
            lines += local_lines(context, context.setting(group), layout, totals)
        title: Inlines = (*group.title, ", backward:")
        name = f"backward-{group.shown.owner}"
        self.local |= bool(lines)
        if lines:
            within = self._within(setting, forms, name)
            self.blocks += [Paragraph(title), Display(tuple(lines), absorbed=within)]
        heading: Inlines = () if lines else title
        derived: list[Line] = []
        for total, form in zip(totals, found, strict=True):
            if form is not None:
                derived += total_lines(context, setting, layout, total, form)
        self._display(setting, derived, found, name, heading)

    def loss(self, loss: Loss, adjoints: Iterable[Adjoint]) -> None:
        """Add the cost's equations and its derivative with respect to the output."""
        head, layout = loss.head, self._layout
        equations = (*loss.equations, *over_batch(head))
        setting = self._context.setting(head=head, samples=True, equations=equations)
        made = made_variables(equations, adjoints)
        named = [e for e in equations if not e.target.variable.made]
        found = [matrix_equation(e, made, layout) for e in named]
        lines = [self._line(setting, form) for form in self._shown(found)]
        derived = [matrix_adjoint(t.adjoint, made, layout) for t in loss.totals]
        lines += [self._line(setting, form, CHAIN_RULE) for form in self._shown(derived)]
        if loss.collapsed is not None:
            last = loss.collapse[-1]
            collapsed = [matrix_adjoint(seeded(loss.collapsed, head.sample), made, layout)]
            reason = (last.reason,) if last.reason else ()
            lines += [self._line(setting, f, last.rule, reason) for f in self._shown(collapsed)]
            derived += collapsed
        kind = "targets of the output's own shape" if head.form == "values" else "class indices"
        title = (f"The loss, for {kind}:",)
        self._display(setting, lines, [*found, *derived], f"loss-{head.form}", title)

    def _shown(self, found: Sequence[MatrixForm | None]) -> list[MatrixForm]:
        """Return the forms that there are, and note them."""
        forms = [form for form in found if form is not None]
        self.missing |= len(forms) < len(found)
        self.forms += forms
        return forms

    def _line(
        self, setting: Setting, form: MatrixForm, rule: str = "", reason: Inlines = ()
    ) -> Line:
        left, right, shape = set_matrix(form, setting)
        return Line(left, right, shape=shape, rule=rule, reason=reason)

    def _display(
        self,
        setting: Setting,
        lines: Sequence[Line],
        found: Iterable[MatrixForm | None],
        name: str,
        title: Inlines,
    ) -> None:
        if not lines:
            return
        self.blocks += [Paragraph(title)] if title else []
        context, anchor = self._context, self._anchor(name)
        targets = [form.target.variable for form in found if form is not None]
        code = tuple(place for variable in targets for place in context.code(variable))
        elsewhere = None if code else self._absorbed(setting, targets[0])
        self.blocks.append(Display(tuple(lines), anchor, code, elsewhere))

    def _absorbed(self, setting: Setting, variable: Variable) -> Link | None:
        """Return what is computed in its place; its own display may have been left out."""
        found = absorbed(self._context, setting, variable)
        if found is None or self._context.choice.form != "matrix":
            return found
        return replace(found, anchor=self._context.anchor("matrix", self._layout))

    def _within(self, setting: Setting, forms: Sequence[MatrixForm], name: str) -> Link | None:
        """Return the first of these derivatives that has code: partials are computed in it."""
        targets = [form.target.variable for form in forms]
        shown = next((target for target in targets if self._context.code(target)), None)
        if shown is None:
            return self._absorbed(setting, targets[0])
        return Link(setting.array(shown), self._anchor(name))

    def _anchor(self, name: str) -> str:
        return self._context.anchor("matrix", f"{self._layout}-{name}")


def _closed(context: Context, total: Total) -> Total:
    closed = context.textbook.closed
    return replace(total, shares=tuple(closed.get(share, share) for share in total.shares))
