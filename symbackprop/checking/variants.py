"""Other ways to the same gradients: they must agree with the plain call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from symbackprop.checking.report import Finding
from symbackprop.checking.rounding import flat, largest, rounding, units
from symbackprop.checking.subject import Array, Sample, Subject

# Two ways to one result differ by rounding; single precision by much more of it.
ROUNDING, SINGLE = 1e-9, 2e-3
RATE = 0.125
LOSS, COTANGENT = " loss", " cotangent"  # no names of parameters

Try = tuple[Sample, Array]
Way = Callable[[Subject, Mapping[str, Array], Try], dict[str, Array]]


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
        agree, other arrays than the module's own, a workspace, results that last, a step of
        ``update``, steps with a workspace; for one with running statistics: both paths update
        them alike.
    """
    before = _arguments(params, samples)
    found: dict[str, float] = {}
    if subject.has_loss:
        tries = [(sample, y) for sample in samples for y in sample.targets]
        plain = [_trained(subject, params, each) for each in tries]
        near = [_near(_trained, subject, params, each) for each in tries]
        found["paths agree"] = max(
            _paths(subject, params, tries, plain, near),
            _without_parameters(subject, params, tries[0]),
        )
        found["other arrays"] = max(
            difference(_trained(subject, flat(params), each), expected, rounded)
            for each, expected, rounded in zip(tries, plain, near, strict=True)
        )
        found["workspace"] = _workspace(subject, params, tries, plain, near)
        found["results last"] = _lasting(subject, params, tries)
        found["update"] = _update(subject, params, plain[0])
        found["training steps"] = max(
            _steps(subject, params, tries[0], plain[0], near[0], own=own) for own in (True, False)
        )
    if subject.keeps_state:
        found["state"] = _state(subject, params, samples)
    found["arguments unchanged"] = difference(_arguments(params, samples), before)
    checks = {name: Finding(error, ROUNDING) for name, error in found.items()}
    if params:  # whose dtype all others follow
        checks["float32"] = Finding(_single(subject, params, samples), SINGLE)
    return checks


def _trained(
    subject: Subject, params: Mapping[str, Array], each: Try, **keywords: Any
) -> dict[str, Array]:
    sample, y = each
    value, gradient = subject.train(params, sample.x, y, input_gradient=True, **keywords)
    return flat({LOSS: value, **gradient})


def _layered(subject: Subject, params: Mapping[str, Array], each: Try) -> dict[str, Array]:
    sample, y = each
    output, cache = subject.forward(params, sample.x)
    value = subject.call("loss", output, y)
    cotangent = subject.call("loss_gradient", output, y)
    gradient = subject.call("backward", params, cache, cotangent)
    return flat({LOSS: value, **gradient, COTANGENT: cotangent})


def _near(way: Way, subject: Subject, params: Mapping[str, Array], each: Try) -> dict[str, float]:
    """Return what rounding may do to the results of one way to them."""
    return rounding(lambda p, sample: way(subject, p, (sample, each[1])), params, each[0])


def _paths(
    subject: Subject,
    params: Mapping[str, Array],
    tries: Sequence[Try],
    plain: Sequence[dict[str, Array]],
    near: Sequence[Mapping[str, float]],
) -> float:
    """Return how far the paths differ by more than a penalty.

    Only the training path has penalties. They depend on the parameters alone, so the gap
    between the paths must be the same for every batch, and none in the input's gradient.
    It is compared with the first batch's, whose rounding counts, too.
    """
    gaps: list[dict[str, Array]] = []
    scales: list[dict[str, float]] = []
    for each, trained, trained_near in zip(tries, plain, near, strict=True):
        layered, layered_near = (
            _layered(subject, params, each),
            _near(_layered, subject, params, each),
        )
        gaps.append({k: trained[k] - layered[k] for k in trained})
        scales.append(
            {
                k: max(
                    largest(trained[k]),
                    largest(layered[k]),
                    (trained_near[k] + layered_near[k]) / ROUNDING,
                )
                for k in trained
            }
        )
    penalised = {LOSS, *params}
    return _worst(
        *(
            _ratio(
                largest(gap[k] - gaps[0][k]) if k in penalised else largest(gap[k]),
                max(scale[k], scales[0][k]) if k in penalised else scale[k],
            )
            for gap, scale in zip(gaps, scales, strict=True)
            for k in gap
        )
    )


def _without_parameters(subject: Subject, params: Mapping[str, Array], each: Try) -> float:
    """Return the gap between the paths where every parameter is 0, and so is every penalty."""
    zero = {name: np.zeros_like(value) for name, value in params.items()}
    value, by_layer = (float(way(subject, zero, each)[LOSS]) for way in (_trained, _layered))
    if not np.isfinite(by_layer):
        return 0.0
    return _ratio(abs(value - by_layer), max(abs(value), abs(by_layer)))


def _workspace(
    subject: Subject,
    params: Mapping[str, Array],
    tries: Sequence[Try],
    plain: Sequence[dict[str, Array]],
    near: Sequence[Mapping[str, float]],
) -> float:
    """Return the difference that one workspace makes, used for all batches, twice."""
    space = subject.workspace(max(sample.size for sample, _ in tries))
    return _worst(
        *(
            difference(_trained(subject, params, each, workspace=space), expected, rounded)
            for each, expected, rounded in [*zip(tries, plain, near, strict=True)] * 2
        )
    )


def _lasting(subject: Subject, params: Mapping[str, Array], tries: Sequence[Try]) -> float:
    """Return what a second call changes in the first one's results."""
    sample, y = tries[0]
    value, gradient = subject.train(params, sample.x, y, input_gradient=True)
    kept = flat({LOSS: value, **gradient})
    _trained(subject, params, (tries[-1]))
    return difference(flat({LOSS: value, **gradient}), kept)


def _update(subject: Subject, params: Mapping[str, Array], gradient: Mapping[str, Array]) -> float:
    """Return the error of one step: of plain steps exactly, of others in kind.

    With moments, every step must shrink the parameters' product with the gradient.
    """
    own = _own(subject, params)
    other = flat(own)
    moments = [subject.call("initial_moments") for _ in range(2) if _has_moments(subject)]
    for place, moved in enumerate((own, other)):
        extra = {"moments": moments[place]} if moments else {}
        subject.call("update", moved, gradient, RATE, **extra)
    worst = difference(other, own, units(own))
    if not moments:
        step = {name: params[name] - RATE * gradient[name] for name in params}
        return _worst(worst, difference(own, step, units(step)))
    slopes = [float(((own[k] - params[k]) * gradient[k]).sum()) for k in params]
    idle = [np.array_equal(params[k] - RATE * gradient[k], params[k]) for k in params]
    descends = all(s < 0 or still for s, still in zip(slopes, idle, strict=True))
    return worst if descends else np.inf


def _steps(
    subject: Subject,
    params: Mapping[str, Array],
    each: Try,
    first: Mapping[str, Array],
    near: Mapping[str, float],
    *,
    own: bool,
) -> float:
    """Return what a workspace changes in steps that follow one another, as training takes them.

    The last step is along gradients that the caller made.

    Args:
        subject: the module.
        params: where the steps start.
        each: a batch.
        first: the value and the gradients there, that of the input included.
        near: what rounding may do to them.
        own: whether the parameters are the module's own arrays, or others.
    """
    sample, y = each
    moved, kept = (_own(subject, params) if own else flat(params) for _ in range(2))
    space = subject.workspace(sample.size)
    memories: list[dict[str, Any]] = [{}, {}]
    if _has_moments(subject):
        memories = [{"moments": subject.call("initial_moments")} for _ in memories]
    expected = {name: value for name, value in first.items() if name in params or name == LOSS}
    rate = _rate(params, first)
    worst = 0.0
    for factor in (1.0, 1.0, -2.0):
        value, plain = subject.train(moved, sample.x, y)
        found_value, found = subject.train(kept, sample.x, y, workspace=space)
        by_plain = flat({LOSS: value, **plain})
        by_space = flat({LOSS: found_value, **found})
        worst = _worst(worst, difference(by_plain, expected or by_plain, near))
        worst = _worst(worst, difference(by_space, by_plain, near))
        expected = {}
        if factor != 1:
            plain, found = ({k: v * factor for k, v in g.items()} for g in (plain, found))
        subject.call("update", moved, plain, rate, **memories[0])
        subject.call("update", kept, found, rate, workspace=space, **memories[1])
        worst = _worst(worst, difference(kept, moved, units(moved)))
    return worst


def _rate(params: Mapping[str, Array], gradient: Mapping[str, Array]) -> float:
    """Return the rate of steps that stay near the point, however steep the loss is there."""
    size = max((largest(value) for value in params.values()), default=0.0)
    steepest = max((largest(gradient[name]) for name in params), default=0.0)
    return RATE * size / steepest if steepest > size > 0 else RATE


def _own(subject: Subject, params: Mapping[str, Array]) -> dict[str, Array]:
    """Return parameters in the module's own arrays."""
    own = subject.parameters(0)
    for name, value in params.items():
        own[name][...] = value
    return own


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
            apart = (difference(state, expected, units(expected)) for state in found)
            worst = _worst(worst, *apart)
    return worst


def _has_moments(subject: Subject) -> bool:
    return hasattr(subject.module, "initial_moments")


def _single(subject: Subject, params: Mapping[str, Array], samples: Sequence[Sample]) -> float:
    """Return the error of single precision; infinite where a result has another dtype."""
    single = subject.parameters(0, np.float32)
    for name, value in params.items():
        single[name][...] = value
    sample = replace(samples[0], cotangent=samples[0].cotangent.astype(np.float32))
    exact, rough = _everything(subject, params, samples[0]), _everything(subject, single, sample)
    if any(value.dtype != np.float32 for value in rough.values()):
        return np.inf
    near = rounding(lambda p, moved: _everything(subject, p, moved), single, sample)
    return difference(rough, exact, near, SINGLE)


def _everything(subject: Subject, params: Mapping[str, Array], sample: Sample) -> dict[str, Array]:
    """Return the arrays that all functions give, by name."""
    output, cache = subject.forward(params, sample.x)
    found = {**subject.call("backward", params, cache, sample.cotangent), " output": output}
    for number, y in enumerate(sample.targets):
        _, trained = subject.train(params, sample.x, y)
        found |= {f"{name} {number}": trained[name] for name in params}
        found[f"{COTANGENT} {number}"] = subject.call("loss_gradient", output, y)
    return flat(found)


def _arguments(params: Mapping[str, Array], samples: Sequence[Sample]) -> dict[str, Array]:
    given = {f"{k} {i}": v for i, s in enumerate(samples) for k, v in _parts(s).items()}
    return flat({**params, **given})


def _parts(sample: Sample) -> dict[str, Any]:
    targets = {f"y{number}": y for number, y in enumerate(sample.targets)}
    return {"x": sample.x, "d_output": sample.cotangent, **targets}


def difference(
    found: Mapping[str, Array],
    expected: Mapping[str, Array],
    near: Mapping[str, float] = MappingProxyType({}),
    tolerance: float = ROUNDING,
) -> float:
    """Return the largest difference of two dicts of arrays, relative by array.

    Args:
        found: what is judged.
        expected: what it must be.
        near: what rounding may do to each; so much passes where that is more than tolerated.
        tolerance: the relative difference that passes in any case.
    """
    if found.keys() != expected.keys():
        return np.inf
    worst = 0.0
    for name, value in expected.items():
        if np.shape(found[name]) != np.shape(value):
            return np.inf
        gap = largest(np.subtract(found[name], value, dtype=np.float64))
        scale = max(largest(value), near.get(name, 0.0) / tolerance)
        worst = _worst(worst, _ratio(gap, scale))
    return worst


def _worst(*errors: float) -> float:
    """Return the largest error; NaN is the worst of all."""
    return float(np.max(errors))


def _ratio(error: float, scale: float) -> float:
    return 0.0 if error == 0 else float(np.divide(error, scale))
