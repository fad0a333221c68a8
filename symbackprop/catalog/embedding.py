"""Embeddings: rows of a table, looked up."""

from __future__ import annotations

from symbackprop.catalog.rearranging import one_value
from symbackprop.definition import Body, Field, Parameter, Reading, index_letters, written_layer
from symbackprop.errors import SymbackpropError

_TABLE = {"E": Parameter(("num_embeddings", "embedding_dim"))}


def _embedding(reading: Reading) -> Body:
    """Write ``z[t, i] = E[x[t], i]``; the row of padding is held constant."""
    shape, extents, _ = one_value(reading)
    count, padding = reading.fields["num_embeddings"], reading.fields["padding_idx"]
    letters = index_letters(len(shape) + 1)
    if len(letters) <= len(shape):
        raise SymbackpropError(f"embedding reads samples of at most {len(letters) - 1} axes")
    x, place = f"x[{', '.join(letters[:-1])}]", f"[{', '.join(letters)}]"
    row = f"E[{x}, {letters[-1]}]"
    if padding is None:
        return Body({"x": extents}, (f"z{place} = {row}",), _TABLE)
    if not isinstance(count, int) or count < 2 or not -count <= padding < count:
        raise SymbackpropError(
            f"padding_idx is {padding}, num_embeddings is {count}; allowed: 0 to "
            "num_embeddings - 1, negative from the end, of at least 2"
        )
    equations = (
        f"r{place} = {row}",
        f"h{place} = held(r{place})",
        f"z{place} = where({x} == {padding % count}, h{place}, r{place})",
    )
    return Body({"x": extents}, equations, _TABLE)


ENTRIES = (
    written_layer(
        _embedding,
        Reading(((8,),), {"num_embeddings": 16, "embedding_dim": 4}),
        name="embedding",
        doc="A learned vector for each whole number; that of padding_idx is not learned.",
        source="Bengio, Ducharme, Vincent & Jauvin 2003, A neural probabilistic language model, "
        "section 2",
        sizes=("num_embeddings", "embedding_dim"),
        fields={"padding_idx": Field()},
        fields_known_as={
            "input_dim": "num_embeddings",
            "vocabulary": "num_embeddings",
            "output_dim": "embedding_dim",
        },
    ),
)
