"""Training and evaluation as one function: what differs stands in branches, all else once.

Each mode is a straight line of statements. They are aligned, so that for either value of
``training`` the merged function runs the very statements of that mode, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from fractions import Fraction
from itertools import groupby

from symbackprop.emit.body import shape_text
from symbackprop.emit.comments import Comments
from symbackprop.emit.header import shape
from symbackprop.emit.runs import Piece, Segment, tokens
from symbackprop.equations import Variable
from symbackprop.lowering.program import PlainProgram
from symbackprop.network import BATCH, Layer, Network
from symbackprop.scalar import ONE, Apply, Expression, Number, slots, substitute, walk


@dataclass(frozen=True)
class Mode:
    """The network in training, or as it is in evaluation, and its layer-by-layer program."""

    network: Network
    program: PlainProgram
    comments: Comments


def merged(modes: Sequence[Sequence[Segment]]) -> list[Segment]:
    """Return the segments of one function for all modes: training, then evaluation."""
    if len(modes) == 1:
        return list(modes[0])
    first, second = ([(s.layer, b) for s in segments for b in _blocks(s)] for segments in modes)
    found: list[tuple[int, Piece]] = []
    for tag, i, j, k, m in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [(layer, piece) for layer, block in first[i:j] for piece in block]
        else:
            layer = (first[i:j] or second[k:m])[0][0]
            sides = ([p for _, block in b for p in block] for b in (first[i:j], second[k:m]))
            found += [(layer, piece) for piece in _branches(*sides)]
    groups = groupby(found, key=lambda entry: entry[0])
    return [Segment(layer, tuple(piece for _, piece in group)) for layer, group in groups]


def _blocks(segment: Segment) -> list[tuple[Piece, ...]]:
    """Return the pieces, what stands in a loop together with what begins it."""
    found: list[tuple[Piece, ...]] = []
    for piece in segment.pieces:
        if piece.depth:
            found[-1] = (*found[-1], piece)
        else:
            found.append((piece,))
    return found


def _branches(training: Sequence[Piece], evaluation: Sequence[Piece]) -> list[Piece]:
    heads = ("if training:", "else:") if training else ("", "if not training:")
    pieces: list[Piece] = []
    for head, branch in zip(heads, (training, evaluation), strict=True):
        if branch:
            pieces += [Piece((head,)), *(replace(p, depth=p.depth + 1) for p in branch)]
    return pieces


def common(modes: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the entries that all modes have alike."""
    first, *others = modes
    return {key: name for key, name in first.items() if all(o.get(key) == name for o in others)}


def branched(modes: Sequence[Iterable[str]]) -> list[str]:
    """Return statements for training and for evaluation, in branches."""
    if len(modes) == 1:
        return []
    pieces = _branches(*([Piece((line,)) for line in lines] for lines in modes))
    return ["    " * piece.depth + line for piece in pieces for line in piece.lines]


def fetching(layer: Layer, read: Iterable[str], dtype: str = "dtype") -> list[str]:
    """Return what makes those draws of a layer and fetches those statistics that are read."""
    read = set(read)
    drawn = [_draw(v, dtype) for v in layer.draws if v.name in read]
    statistics = [s.variable for s in layer.state if s.variable.name in read]
    # Copies: what backward reads of them must outlast a later step.
    fetched = [f'{v.name} = state["{v.name}"].astype({dtype})' for v in statistics]
    return [*drawn, *fetched]


def _draw(variable: Variable, dtype: str) -> str:
    """Return the statement that draws numbers: the same ones in every dtype."""
    extents = shape_text(["n" if extent is None else extent for extent in shape(variable)])
    return f"{variable.name} = rng.random({extents}).astype({dtype}, copy=False)"


def with_state(
    network: Network,
    segments: Sequence[Segment],
    updates: Mapping[int, Sequence[Piece]],
    kept: Iterable[str],
) -> list[Segment]:
    """Return the segments with each layer's draws and statistics before, its updates after them.

    Args:
        network: in one mode.
        segments: of forward.
        updates: by layer, the statements that renew its statistics.
        kept: further names that are read.
    """
    layers = {layer.position: layer for layer in network.layers}
    last = {segment.layer: place for place, segment in enumerate(segments)}
    found: list[Segment] = []
    for place, segment in enumerate(segments):
        layer = layers.get(segment.layer)
        pieces = segment.pieces
        if layer is not None:
            ends = updates.get(layer.position, ()) if last[segment.layer] == place else ()
            pieces = (*pieces, *ends)
            if segment.layer not in {s.layer for s in found}:
                read = tokens(line for piece in pieces for line in piece.lines)
                lines = fetching(layer, {*read, *kept})
                pieces = (*(Piece((line,)) for line in lines), *pieces)
        found.append(replace(segment, pieces=pieces))
    return found


def fewest_samples(network: Network) -> int:
    """Return how many samples training needs: no update may divide by what is 0 for fewer."""
    divisors = [
        node.arguments[1]
        for layer in network.layers
        for equation in layer.updates
        for node in walk(equation.function)
        if isinstance(node, Apply) and node.function == "divide" and not slots(node.arguments[1])
    ]
    return 2 if any(_at_one(divisor) == 0 for divisor in divisors) else 1


def _at_one(expression: Expression) -> Fraction | None:
    """Return the number for a batch of one sample; None where it is not known."""
    value = substitute(expression, {BATCH: ONE})
    return value.value if isinstance(value, Number) else None


def training_words(network: Network) -> str:
    """Return what else forward does in training."""
    words = {
        "draws from rng": network.draws,
        "updates the running statistics of state": network.state,
    }
    return " and ".join(word for word, found in words.items() if found)
