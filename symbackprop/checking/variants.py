"""Other ways to the same gradients: they must agree with the plain call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symbackprop.checking.report import Finding
from symbackprop.checking.subject import Array, Sample, Subject

# Two ways to one result differ by rounding; single precision by much more of it.
ROUNDING, SINGLE = 1e-9, 2e-3
# Of the largest gradient, what counts as zero: there the others' rounding is all there is.
FLOOR, SINGLE_FLOOR = 1e-5, 1e-3
# Where the largest is no larger than this, all are rounding: of terms that are about 1.
ZERO = 1e-12
RATE = 0.125
COTANGENT = " cotangent"  # no name of a parameter

Result = tuple[float, dict[str, Any]]
Try = tuple[Sample, Array]


def variants(
    subject: Subject, params: dict[str, Array], samples: Sequence[Sample]
) -> dict[str, Finding]:
    """Compare both paths with each other, and with what can be asked of them otherwise.

    Args:
        subject: the module.
        params: a point, in the module's own arrays.
        samples: batches of different sizes.

    Returns:
        Findings by name: arguments unchanged, float32, and, for a module with a loss: both paths
        agree, other arrays than the module's own, a workspace, results that last, and a step of
        ``update``; for one with running statistics: both paths update them alike.
    """
    before = _arguments(params, samples)
    found: dict[str, float] = {}
    if subject.has_loss:
        tries = [(sample, y) for sample in samples for y in sample.targets]
        plain = [_trained(subject, params, each) for each in tries]
        found["paths agree"] = max(
            _paths(subject, params, tries, plain), _without_parameters(subject, params, tries[0])
        )
        found["other arrays"] = max(
            _apart(_trained(subject, _copied(params), each), expected)
            for each, expected in zip(tries, plain, strict=True)
        )
        found["workspace"] = _workspace(subject, params, tries, plain)
        found["results last"] = _lasting(subject, params, tries)
        found["update"] = _update(subject, params, plain[0][1])
    if subject.keeps_state:
        found["state"] = _state(subject, params, samples)
    found["arguments unchanged"] = _difference(_arguments(params, samples), before)
    checks = {name: Finding(error, ROUNDING) for name, error in found.items()}
    return {**checks, "float32": Finding(_single(subject, params, samples), SINGLE)}


def _trained(subject: Subject, params: Mapping[str, Array], each: Try, **keywords: Any) -> Result:
    sample, y = each
    value, gradient = subject.train(params, sample.x, y, input_gradient=True, **keywords)
    return value, _copied(gradient)


def _layered(subject: Subject, params: Mapping[str, Array], each: Try) -> Result:
    sample, y = each
    output, cache = subject.forward(params, sample.x)
    value = float(subject.call("loss", output, y))
    cotangent = subject.call("loss_gradient", output, y)
    gradient = subject.call("backward", params, cache, cotangent)
    return value, _copied({**gradient, COTANGENT: cotangent})


def _paths(
    subject: Subject,
    params: Mapping[str, Array],
    tries: Sequence[Try],
    plain: Sequence[Result],
) -> float:
    """Return how far the paths differ by more than a penalty.

    Only the training path has penalties. They depend on the parameters alone, so the gap
    between the paths must be the same for every batch, and none in the input's gradient.
    It is compared with the first batch's, whose rounding counts, too.
    """
    layered = [_layered(subject, params, each) for each in tries]
    gaps = [
        (value - by_layer, {k: np.subtract(gradient[k], layers[k]) for k in params})
        for (value, gradient), (by_layer, layers) in zip(plain, layered, strict=True)
    ]
    worst = 0.0
    for (value, gap), (expected, expected_gap), result, by_layer in zip(
        gaps, gaps[:1] * len(gaps), plain, layered, strict=True
    ):
        scale = max(abs(result[0]), abs(by_layer[0]), abs(plain[0][0]))
        floor = _floor({**result[1], **by_layer[1]})
        worst = _worst(worst, _ratio(abs(value - expected), scale))
        for k in params:
            first = _largest(plain[0][1][k])
            largest = max(_largest(result[1][k]), first, floor)
            worst = _worst(worst, _ratio(_largest(gap[k] - expected_gap[k]), largest))
        mine, other = ({"x": each[1].get("x")} for each in (result, by_layer))
        worst = _worst(worst, _difference(mine, other))
    return worst


def _without_parameters(subject: Subject, params: Mapping[str, Array], each: Try) -> float:
    """Return the gap between the paths where every parameter is 0, and so is every penalty."""
    zero = {name: np.zeros_like(value) for name, value in params.items()}
    value, _ = _trained(subject, zero, each)
    by_layer, _ = _layered(subject, zero, each)
    if not np.isfinite(by_layer):
        return 0.0
    return _ratio(abs(value - by_layer), max(abs(value), abs(by_layer)))


def _workspace(
    subject: Subject,
    params: Mapping[str, Array],
    tries: Sequence[Try],
    plain: Sequence[Result],
) -> float:
    """Return the difference that one workspace makes, used for all batches, twice."""
    space = subject.call("Workspace", max(sample.size for sample, _ in tries))
    pairs = [*zip(tries, plain, strict=True)] * 2
    found = [_apart(_trained(subject, params, t, workspace=space), p) for t, p in pairs]
    return _worst(*found)


def _lasting(subject: Subject, params: Mapping[str, Array], tries: Sequence[Try]) -> float:
    """Return what a second call changes in the first one's results."""
    sample, y = tries[0]
    first = subject.train(params, sample.x, y, input_gradient=True)
    kept = first[0], _copied(first[1])
    _trained(subject, params, (tries[-1]))
    return _apart(first, kept)


def _update(subject: Subject, params: Mapping[str, Array], gradient: dict[str, Any]) -> float:
    """Return the error of one step: of plain steps exactly, of others in kind.

    With moments, every step must shrink the parameters' product with the gradient.
    """
    own = subject.parameters(0)
    for name, value in params.items():
        own[name][...] = value
    other = _copied(own)
    moments = [subject.call("initial_moments") for _ in range(2) if _has_moments(subject)]
    for place, moved in enumerate((own, other)):
        extra = {"moments": moments[place]} if moments else {}
        subject.call("update", moved, gradient, RATE, **extra)
    worst = _difference(other, own)
    if not moments:
        step = {name: params[name] - RATE * np.asarray(gradient[name]) for name in params}
        return _worst(worst, _difference(own, step))
    slopes = [float(((own[k] - params[k]) * gradient[k]).sum()) for k in params]
    idle = [np.array_equal(params[k] - RATE * np.asarray(gradient[k]), params[k]) for k in params]
    descends = all(s < 0 or still for s, still in zip(slopes, idle, strict=True))
    return worst if descends else np.inf


def _state(subject: Subject, params: Mapping[str, Array], samples: Sequence[Sample]) -> float:
    """Return how far both paths' new running statistics differ, and what evaluation changes."""
    worst = 0.0
    for sample in samples:
        calls: list[tuple[str, tuple[Any, ...]]] = [("forward", (params, sample.x))]
        calls += [("loss_and_gradients", (params, sample.x, y)) for y in sample.targets]
        for training in subject.modes:
            found = []
            for function, arguments in calls:
                held = subject.held(training)
                subject.call(function, *arguments, **held)
                found.append(held["state"])
            expected = found[0] if training else subject.held()["state"]
            worst = _worst(worst, *(_difference(state, expected) for state in found))
    return worst


def _has_moments(subject: Subject) -> bool:
    return hasattr(subject.module, "initial_moments")


def _single(subject: Subject, params: Mapping[str, Array], samples: Sequence[Sample]) -> float:
    """Return the error of single precision; infinite where a result has another dtype."""
    single = subject.parameters(0, np.float32)
    for name, value in params.items():
        single[name][...] = value
    sample = samples[0]
    cotangent = sample.cotangent.astype(np.float32)
    results = []
    for point, d_output in ((params, sample.cotangent), (single, cotangent)):
        output, cache = subject.forward(point, sample.x)
        gradient = dict(subject.call("backward", point, cache, d_output))
        results.append({**gradient, " output": output})
        for number, y in enumerate(sample.targets):
            _, trained = subject.train(point, sample.x, y)
            results[-1] |= {f"{k} {number}": trained[k] for k in params}
            results[-1][f"{COTANGENT} {number}"] = subject.call("loss_gradient", output, y)
    exact, rough = results
    if any(v.dtype != np.float32 for v in rough.values() if not isinstance(v, dict)):
        return np.inf
    # What is 0 but for rounding has the rounding of its terms: no more than that is asked of it.
    overall = _overall(exact)
    for name in [k for k, v in exact.items() if 0 < _largest(v) <= ZERO * overall]:
        if _largest(rough[name]) <= SINGLE_FLOOR * overall:
            del rough[name], exact[name]
    return _difference(rough, exact, SINGLE_FLOOR)


def _arguments(params: Mapping[str, Array], samples: Sequence[Sample]) -> dict[str, Any]:
    given = {f"{k} {i}": v for i, s in enumerate(samples) for k, v in _parts(s).items()}
    return _copied({**params, **given})


def _parts(sample: Sample) -> dict[str, Any]:
    targets = {f"y{number}": y for number, y in enumerate(sample.targets)}
    return {"x": sample.x, "d_output": sample.cotangent, **targets}


def _copied(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, dict) else np.array(v) for k, v in arrays.items()}


def _apart(result: Result, expected: Result) -> float:
    """Return the relative difference of two values and their gradients."""
    value = _ratio(abs(result[0] - expected[0]), abs(expected[0]))
    return _worst(value, _difference(result[1], expected[1]))


def _difference(
    found: Mapping[str, Any], expected: Mapping[str, Any], floor: float = FLOOR
) -> float:
    """Return the largest difference of two dicts of arrays, relative by array."""
    if found.keys() != expected.keys():
        return np.inf
    least, worst = _floor(expected, floor), 0.0
    for name, value in expected.items():
        other = found[name]
        if isinstance(value, dict) and isinstance(other, dict):
            worst = _worst(worst, _difference(other, value, floor))
        elif value is not None:
            if other is None or np.shape(other) != np.shape(value):
                return np.inf
            gap = _largest(np.subtract(other, value, dtype=np.float64))
            worst = _worst(worst, _ratio(gap, max(_largest(value), least)))
    return worst


def _floor(arrays: Mapping[str, Any], part: float = FLOOR) -> float:
    """Return the size below which a number among these is rounding."""
    overall = _overall(arrays)
    return 1.0 if overall <= ZERO else part * overall


def _overall(arrays: Mapping[str, Any]) -> float:
    return max((_largest(v) for v in arrays.values() if v is not None), default=0.0)


def _largest(value: Any) -> float:
    if isinstance(value, dict):
        return _worst(0.0, *map(_largest, value.values()))
    return float(np.abs(np.asarray(value, np.float64)).max(initial=0.0))


def _worst(*errors: float) -> float:
    """Return the largest error; NaN is the worst of all."""
    return float(np.max(errors))


def _ratio(error: float, scale: float) -> float:
    return 0.0 if error == 0 else float(np.divide(error, scale))
