"""Batch normalisation, per feature or per channel."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.definition import Body, Parameter, Reading, State, written_layer
from symbackprop.errors import SymbackpropError

# Extents after the channels, and what runs over them.
_SPACE = {
    0: (),
    1: ("length",),
    2: ("height", "width"),
    3: ("depth", "height", "width"),
}


def running_statistics() -> dict[str, State]:
    """Return what a channel's mean and variance are over the steps of training."""
    return {
        "running_mean": State(("channels",), initial=0.0),
        "running_var": State(("channels",), initial=1.0),
    }


def _batch_norm(reading: Reading) -> Body:
    """Write it for any number of axes after the channels."""
    rank = len(reading.shapes[0]) - 1
    if rank not in _SPACE:
        raise SymbackpropError(f"batch_norm reads at most {max(_SPACE)} axes after the channels")
    space = _SPACE[rank]
    after = "".join(f", {extent[0]}" for extent in space)
    x, count = f"x[n, c{after}]", f"({' * '.join(['N', *space])})" if space else "N"
    body = Body(
        inputs={"x": ("N", "channels", *space)},
        equations=(
            f"mean[c] = total(n{after}, {x}) / {count}",
            f"var[c] = total(n{after}, ({x} - mean[c])**2) / {count}",
            f"z[n, c{after}] = gamma[c] * ({x} - mean[c]) / sqrt(var[c] + eps) + beta[c]",
        ),
        parameters={
            "gamma": Parameter(("channels",), initial=1.0, option="affine"),
            "beta": Parameter(("channels",), initial=0.0, option="affine"),
        },
    )
    if not reading.fields["track_running_stats"]:
        return body
    return replace(
        body,
        state=running_statistics(),
        evaluation=("mean[c] = running_mean[c]", "var[c] = running_var[c]"),
        updates=(
            "running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean[c]",
            "running_var[c] = (1 - momentum) * running_var[c] "
            f"+ momentum * var[c] * {count} / ({count} - 1)",
        ),
    )


ENTRIES = (
    written_layer(
        _batch_norm,
        Reading(((5,),)),
        name="batch_norm",
        doc="Every feature, or channel, with mean 0 and variance 1 over the batch and space, then "
        "scaled and shifted; outside training by running statistics, whose variance is unbiased.",
        source="Ioffe & Szegedy 2015, Batch normalization: accelerating deep network training by "
        "reducing internal covariate shift, algorithms 1 and 2",
        constants={"eps": 1e-5, "momentum": 0.1},
        positive=("eps",),
        unit_interval=("momentum",),
        options={"affine": True, "track_running_stats": True},
        also_known_as=("batch_normalization", "batch_norm1d", "batch_norm2d", "batch_norm3d"),
        fields_known_as={"epsilon": "eps"},
    ),
)
