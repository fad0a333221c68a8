"""Layers, with PyTorch's meaning; names are listed in the architecture file's reference."""

from __future__ import annotations

from symbackprop.definition import Layer, Parameter

ENTRIES = (
    Layer(
        name="dense",
        equations=("z[i] = total(j, W[j, i] * x[j]) + b[i]",),
        doc="Affine map: every unit weighs every input.",
        source="Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating "
        "errors, equation (1)",
        parameters={
            "W": Parameter(("features", "units")),
            "b": Parameter(("units",), initial=0.0, option="bias"),
        },
        sizes=("units",),
        options={"bias": True},
        also_known_as=("linear", "fully_connected", "fc"),
        fields_known_as={"out_features": "units", "use_bias": "bias", "size": "units"},
    ),
)
