"""What can stop the interpretation of a program, apart from its end."""

from __future__ import annotations


class Fault(Exception):
    """A reason why a program could not be followed to its end, with the line if it is known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line

    @property
    def words(self) -> str:
        """What stopped it, with the line."""
        said = self.said()
        return f"{said} (line {self.line})" if self.line else said

    def said(self) -> str:
        """Return what stopped it."""
        return self.message


class Unknown(Fault):
    """The program uses what the interpreter does not understand."""


class Beyond(Unknown):
    """The program goes beyond the interpreter's bounds."""


class Tie(Fault):
    """Two different values are too close to be compared: another point decides."""


class OneStep(Fault):
    """A function keeps what it was given, but no step depends on those before it."""


class Undefined(Fault):
    """A function is read outside its domain; `inputs` are the names of what it was made of."""

    def __init__(self, message: str, inputs: frozenset[str] = frozenset(), line: int = 0) -> None:
        super().__init__(message, line)
        self.inputs = inputs


class Raised(Fault):
    """The program raises an exception, as Python would."""

    def __init__(self, kind: str, message: str, line: int = 0) -> None:
        super().__init__(message, line)
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind

    def said(self) -> str:
        """Return what stopped it; the message of a KeyError is the key alone."""
        return str(self) if self.kind == "KeyError" else self.message


class Stated(Raised):
    """The program's own ``raise`` or ``assert``."""

    def said(self) -> str:
        """Return what is raised."""
        return f"it raises {self}"


class Mismatch(Raised):
    """Two extents that should be one differ."""

    def __init__(
        self,
        message: str,
        left: int,
        right: int,
        line: int = 0,
        shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__("ValueError", message, line)
        self.left = left
        self.right = right
        self.shapes = shapes


class Misused(Raised):
    """An input is used as another kind of thing than it was taken for."""

    def __init__(self, name: str, needed: str, message: str, line: int = 0) -> None:
        super().__init__("TypeError", message, line)
        self.name = name
        self.needed = needed
