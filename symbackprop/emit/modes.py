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

from symbackprop.emit.comments import Comments
from symbackprop.emit.header import shape
from symbackprop.emit.runs import Piece, Segment, tokens
from symbackprop.equations import Variable
from symbackprop.lowering.program import PlainProgram
from symbackprop.lowering.runs import EqualUnits, Unit
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
    training, evaluation = modes
    if [s.unit for s in training] == [s.unit for s in evaluation]:
        pairs = zip(training, evaluation, strict=True)
        return [segment for pair in pairs for segment in _aligned(*([s] for s in pair))]
    return _aligned(training, evaluation)


def _aligned(training: Sequence[Segment], evaluation: Sequence[Segment]) -> list[Segment]:
    first, second = (
        [(s.unit, b) for s in mode for b in _blocks(s)] for mode in (training, evaluation)
    )
    found: list[tuple[Unit, Piece]] = []
    for tag, i, j, k, m in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [(unit, piece) for unit, block in first[i:j] for piece in block]
        else:
            unit = (first[i:j] or second[k:m])[0][0]
            sides = ([p for _, block in b for p in block] for b in (first[i:j], second[k:m]))
            found += [(unit, piece) for piece in _branches(*sides)]
    groups = groupby(found, key=lambda entry: entry[0])
    return [Segment(unit, tuple(piece for _, piece in group)) for unit, group in groups]


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
    if len(modes) < 2:
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
    extents = ", ".join(["n", *map(str, shape(variable)[1:])])
    return f"{variable.name} = rng.random(({extents})).astype({dtype}, copy=False)"


def with_state(
    network: Network,
    segments: Sequence[Segment],
    updates: Mapping[Unit, Sequence[Piece]],
    kept: Iterable[str],
    equal: EqualUnits,
) -> list[Segment]:
    """Return the segments with each unit's draws and statistics before, its updates after them.

    Args:
        network: in one mode.
        segments: of forward.
        updates: by unit, the statements that renew its statistics.
        kept: further names that are read.
        equal: the units.
    """
    layers: dict[Unit, list[Layer]] = {}
    for layer in network.layers:
        layers.setdefault(equal.unit(layer.position), []).append(layer)
    last = {segment.unit: place for place, segment in enumerate(segments)}
    kept, begun, found = set(kept), set[Unit](), list[Segment]()
    for place, segment in enumerate(segments):
        ends = updates.get(segment.unit, ()) if last[segment.unit] == place else ()
        pieces = (*segment.pieces, *ends)
        own = layers.get(segment.unit, []) if segment.unit not in begun else []
        begun.add(segment.unit)
        read = {*tokens(line for piece in pieces for line in piece.lines), *kept}
        lines = [line for layer in own for line in fetching(layer, read)]
        found.append(replace(segment, pieces=(*(Piece((line,)) for line in lines), *pieces)))
    return found


def fewest_samples(network: Network) -> int:
    """Return how many samples training needs: no update may divide by what is 0 for fewer."""
    return 2 if any(_at_one(divisor) == 0 for divisor in divisors(network)) else 1


def divisors(network: Network) -> list[Expression]:
    """Return what the new values of running statistics divide by, where it is no value."""
    return [
        node.arguments[1]
        for layer in network.layers
        for equation in layer.updates
        for node in walk(equation.function)
        if isinstance(node, Apply) and node.function == "divide" and not slots(node.arguments[1])
    ]


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
