"""The derivation between whole arrays, in either layout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from symbackprop.calculus.textbook import Loss
from symbackprop.calculus.totals import Total
from symbackprop.equations import Adjoint, Equation
from symbackprop.render.batch import over_batch
from symbackprop.render.context import Context, seeded
from symbackprop.render.document import Block, Display, Line, Paragraph, Section
from symbackprop.render.groups import Group
from symbackprop.render.matrix import (
    Layout,
    MatrixForm,
    made_variables,
    matrix_adjoint,
    matrix_equation,
)
from symbackprop.render.matrix_setting import legend, set_matrix
from symbackprop.render.setting import Setting

_TITLES: dict[Layout, str] = {"rows": "Samples as rows", "columns": "Samples as columns"}
_WORDS: dict[Layout, str] = {
    "rows": "Every row of a matrix is one sample, as in the code: a layer computes A W.",
    "columns": "Every column of a matrix is one sample: a layer computes W A.",
}
_TURNED: dict[Layout, str] = {
    "rows": "Weight w_ij of the equations unit by unit is entry (j, i) of W here.",
    "columns": "W here is the transpose of the code's: weight w_ij is its entry (i, j).",
}
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
    opening += [Paragraph((_TURNED[layout],))] if context.swapped else []
    opening += [Paragraph(explained)] if explained else []
    opening += [Paragraph((_NO_FORM,))] if writer.missing else []
    anchor = context.anchor("matrix", layout)
    return Section((_TITLES[layout],), anchor, (*opening, *writer.blocks), level=2)


class _Arrays:
    """Collects the displays of one layout, and the forms that they show."""

    def __init__(self, context: Context, layout: Layout) -> None:
        self._context, self._layout = context, layout
        self._made = made_variables(context.equations)
        self._totals = {total.variable: _closed(context, total) for total in context.totals}
        self.blocks: list[Block] = []
        self.forms: list[MatrixForm] = []
        self.missing = False

    def forward(self, group: Group, equations: Iterable[Equation]) -> None:
        """Add the equations of a group of layers."""
        setting = self._context.setting(group, samples=True)
        found = [
            matrix_equation(equation, self._made, self._layout)
            for equation in equations
            if not equation.target.variable.made
        ]
        self._display(group, setting, found, "forward")

    def backward(self, group: Group) -> None:
        """Add the total derivatives of a group, as ``units.layer`` orders them."""
        setting = self._context.setting(group, samples=True)
        found = [
            matrix_adjoint(self._totals[variable].adjoint, {}, self._layout)
            for variable in self._context.derived(group)
        ]
        self._display(group, setting, found, "backward")

    def loss(self, loss: Loss, adjoints: Iterable[Adjoint]) -> None:
        """Add the cost's equations and its derivative with respect to the output."""
        head = loss.head
        equations = (*loss.equations, *over_batch(head))
        setting = self._context.setting(head=head, samples=True, equations=equations)
        made = made_variables(equations, adjoints)
        found = [
            matrix_equation(e, made, self._layout) for e in equations if not e.target.variable.made
        ]
        found += [matrix_adjoint(t.adjoint, made, self._layout) for t in loss.totals]
        if loss.collapsed is not None:
            collapsed = seeded(loss.collapsed, head.sample)
            found.append(matrix_adjoint(collapsed, made, self._layout))
        kind = "targets of the output's own shape" if head.form == "values" else "class indices"
        self.blocks.append(Paragraph((f"The loss, for {kind}:",)))
        self._lines(setting, found, f"loss-{head.form}")

    def _display(
        self, group: Group, setting: Setting, found: list[MatrixForm | None], direction: str
    ) -> None:
        if any(form is not None for form in found):
            self.blocks.append(Paragraph((*group.title, f", {direction}:")))
        self._lines(setting, found, f"{direction}-{group.shown.owner}")

    def _lines(self, setting: Setting, found: list[MatrixForm | None], name: str) -> None:
        forms = [form for form in found if form is not None]
        self.missing |= len(forms) < len(found)
        self.forms += forms
        lines = []
        for form in forms:
            left, right, shape = set_matrix(form, setting)
            lines.append(Line(left, right, shape=shape))
        if lines:
            anchor = self._context.anchor("matrix", f"{self._layout}-{name}")
            code = tuple(
                place for form in forms for place in self._context.code(form.target.variable)
            )
            self.blocks.append(Display(tuple(lines), anchor, code))


def _closed(context: Context, total: Total) -> Total:
    closed = context.textbook.closed
    return replace(total, shares=tuple(closed.get(share, share) for share in total.shares))
