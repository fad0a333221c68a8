"""Lines of a function's body, each with the variable that it computes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from symbackprop.emit.lines import block, comment
from symbackprop.emit.runs import Piece
from symbackprop.sizes import Whole, shown


@dataclass
class Body:
    """A function's body under construction.

    Attributes:
        lines: indented source lines.
        computes: for each line, the name of the variable that it computes, or "". A line of a
            loop over layers computes "z2 to z9".
    """

    depth: int = 1
    lines: list[str] = field(default_factory=list)
    computes: list[str] = field(default_factory=list)

    def add(
        self, statements: Iterable[str], computes: str = "", remark: str = "", inside: int = 0
    ) -> None:
        """Add statements under a comment, ``inside`` so many compound statements."""
        depth = self.depth + inside
        remarks = comment(remark, "    " * depth) if remark else []
        written = [*remarks, *block(statements, depth)]
        self.lines.extend(written)
        self.computes.extend([computes] * len(written))

    def begin(self, statements: Sequence[str]) -> None:
        """Put statements before all others."""
        written = block(statements, self.depth)
        self.lines[:0] = written
        self.computes[:0] = [""] * len(written)

    def pieces(self, pieces: Iterable[Piece]) -> None:
        """Add statements, each piece under its comment."""
        for piece in pieces:
            self.add(piece.lines, piece.variable, piece.remark, piece.depth)

    def nested(self, header: str, inner: Body) -> None:
        """Add a compound statement."""
        self.add([header])
        self.append(inner)

    def append(self, inner: Body) -> None:
        """Add the lines of another body."""
        self.lines.extend(inner.lines)
        self.computes.extend(inner.computes)

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def shape_text(shape: Sequence[Whole | None]) -> str:
    """Return a shape as a tuple's text, as users write it; the batch is N."""
    parts = ["N" if extent is None else shown(extent) for extent in shape]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
