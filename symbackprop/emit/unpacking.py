"""Lines that fetch what a workspace has bound: tuples of arrays, and loops over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symbackprop.emit.lines import WIDTH


def chunks(names: Sequence[str], label: str, depth: int) -> Iterable[list[str]]:
    """Split so that every line that fetches them fits, and the one that binds them."""
    fetching = 4 * depth + len(f" = work.{label}_9")
    room = WIDTH - max(fetching, len(f"        self.{label}_9 = (,)"))
    chunk: list[str] = []
    for name in names:
        if chunk and len(", ".join([*chunk, name])) > room:
            yield chunk
            chunk = []
        chunk.append(name)
    if chunk:
        yield chunk


def unpacked(
    lines: Sequence[Sequence[str]], label: str, depth: int, first: int | None = None
) -> tuple[str, list[str]]:
    """Return the header of a loop over bound tuples, and what takes long ones apart.

    Args:
        lines: the names of each tuple.
        label: of what the workspace has bound.
        depth: of the header.
        first: the number of the first turn, where the turn needs its own, as ``k``.
    """
    targets = [", ".join(line) if len(line) > 1 else f"({line[0]},)" for line in lines]
    over = f"work.{label}" if first is None else f"enumerate(work.{label}, {first})"
    count = "" if first is None else "k, "
    parts = [f"part_{k + 1}" for k in range(len(lines))] if len(lines) > 1 else targets
    each = ", ".join(parts) if first is None else f"({', '.join(parts)})"
    header = f"for {count}{each} in {over}:"
    if len(header) + 4 * depth > WIDTH:
        parts = [f"part[{k}]" for k in range(len(lines))]
        header = f"for {count}part in {over}:"
    if len(lines) == 1:
        return header, []
    return header, [f"{line} = {part}" for line, part in zip(targets, parts, strict=True)]
