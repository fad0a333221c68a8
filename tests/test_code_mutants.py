"""Mutants of right derivatives, made mechanically: each is refuted, or it is no mistake."""

from __future__ import annotations

import ast
import copy
import itertools
import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from symbackprop.auditing.code.discovery import discover
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.source import read_module
from symbackprop.auditing.code.verdict import Judge
from tests.code_idioms import FUNCTIONS, source

SECONDS = 0.5  # a mutant, on average


def mutants(name: str) -> Iterator[str]:
    """Yield the text with one change of the derivative each."""
    tree = ast.parse(source(name))
    places = _places(tree)
    seen = {ast.unparse(tree)}
    for number in range(len(places)):
        for change in _CHANGES:
            for variant in itertools.count():
                other = copy.deepcopy(tree)
                if not change(_places(other)[number], variant):
                    break
                text = ast.unparse(ast.fix_missing_locations(other))
                if text not in seen:
                    seen.add(text)
                    yield text


def _places(tree: ast.Module) -> list[ast.AST]:
    """What the body of the derivative, the last function, is made of."""
    derivative = tree.body[-1]
    assert isinstance(derivative, ast.FunctionDef)
    return [node for statement in derivative.body for node in ast.walk(statement)]


def _operator(node: ast.AST, variant: int) -> bool:
    """Signs, products for quotients, powers for products."""
    swapped = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
    if variant or not isinstance(node, ast.BinOp) or type(node.op) not in swapped:
        return False
    node.op = swapped[type(node.op)]()
    return True


def _dropped(node: ast.AST, variant: int) -> bool:
    """One side of a sum or product alone."""
    if variant > 1 or not isinstance(node, ast.BinOp) or isinstance(node.op, ast.MatMult):
        return False
    kept = node.left if variant else node.right
    node.left, node.op, node.right = kept, ast.Mult(), ast.Constant(1)
    return True


def _constant(node: ast.AST, variant: int) -> bool:
    """A factor, an exponent, an axis."""
    if variant > 2 or not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return False
    node.value = (node.value + 1, node.value * 2, node.value - 1)[variant]
    return True


def _transposed(node: ast.AST, variant: int) -> bool:
    """A transpose left out, an axis changed, a mask turned round."""
    if variant:
        return False
    if isinstance(node, ast.Attribute) and node.attr == "T":
        node.attr = "real"
    elif isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
        node.value.value = 1 - int(node.value.value)
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Gt | ast.Lt | ast.LtE):
        node.ops[0] = ast.Lt() if isinstance(node.ops[0], ast.Gt) else ast.Gt()
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("sum", "mean"):
        assert isinstance(node.func, ast.Attribute)
        node.func.attr = "mean" if node.func.attr == "sum" else "sum"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node.op = ast.UAdd()
    else:
        return False
    return True


def _assigned(node: ast.AST, variant: int) -> bool:
    """A result with a sign or factor; a sum that keeps its last term alone."""
    if isinstance(node, ast.Return | ast.Assign) and variant < 2:
        if isinstance(node.value, ast.Tuple | ast.Name | None) or (
            isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
        ):
            return False
        factor = ast.Constant((-1, 3)[variant])
        node.value = ast.BinOp(factor, ast.Mult(), node.value)
        return True
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and not variant:
        node.op = ast.Sub()
        return True
    return False


def _renamed(node: ast.AST, variant: int) -> bool:
    """One local name for another."""
    names = (
        "x",
        "w",
        "W1",
        "W2",
        "h",
        "z",
        "dz",
        "dh",
        "p",
        "r",
        "a",
        "b",
        "u",
        "v",
        "xhat",
        "dxhat",
    )
    if variant or not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return False
    pairs = dict(zip(names[::2], names[1::2], strict=True))
    pairs |= {"dout": "x", "s": "z", "total": "along", "dx": "dw", "y_pred": "y_true", "X": "h"}
    if node.id not in pairs:
        return False
    node.id = pairs[node.id]
    return True


_CHANGES = (_renamed, _operator, _dropped, _constant, _transposed, _assigned)


def verdicts(text: str) -> list[str]:
    """What the judgement of a pair says of each gradient, without its diagnosis."""
    project = Project(read_module("mutant.py", text), lambda relative: None)
    (pair,) = discover(project)
    return [outcome.verdict for outcome in Judge(project, pair).outcomes()]


def sample(name: str, every: int) -> list[str]:
    """Return some mutants, the same in each run; all of them for 1."""
    return [text for text in mutants(name) if not zlib.crc32(text.encode()) % every]


def results(text: str, seed: int) -> Any:
    """What the derivative of a text of our own gives under NumPy; None if it raises."""
    names: dict[str, Any] = {}
    exec(text, names)  # a text of this repository with one change
    derivative = names["f_prime"] if "f_prime" in names else names["f_backward"]
    rng = np.random.default_rng(seed)
    try:
        with np.errstate(all="ignore"):
            return _called(names["f"], derivative, rng)
    except (ValueError, IndexError, TypeError, ZeroDivisionError, AttributeError, NameError):
        return None


def _called(function: Any, derivative: Any, rng: Any) -> Any:
    shapes = {"x": (4, 6), "W1": (6, 3), "W2": (3, 5), "gamma": (6,), "beta": (6,), "A": (6, 4)}
    shapes |= {"W": (5, 6), "w": (6,), "X": (4, 6), "y": (4,), "u": (6,), "v": (6,), "k": (3,)}
    if function.__code__.co_varnames[:3] == ("x", "w", "b"):
        shapes |= {"w": (6, 3), "b": (3,)}
    if function.__code__.co_varnames[:3] == ("A", "W", "b"):
        shapes |= {"b": (5, 1)}
    if function.__code__.co_varnames[:2] in (("x", "k"),):
        shapes |= {"x": (8,)}
    if "U" in function.__code__.co_varnames:
        shapes |= {"x": (4, 3, 6), "W": (6, 5), "U": (5, 5), "b": (5,)}
    if function.__code__.co_varnames[:2] == ("p", "y"):
        shapes |= {"y": (4, 6)}
    given = {}
    for name in function.__code__.co_varnames[: function.__code__.co_argcount]:
        if name in shapes or name in ("z", "p", "y_pred", "y_true"):
            given[name] = rng.normal(size=shapes.get(name, (4, 6))) * 1.3
    if "p" in given:
        given["p"] = rng.uniform(0.1, 0.9, (4, 6))
    if "index" in function.__code__.co_varnames:
        given["index"] = np.array([1, 3, 1])
    output = function(**given)
    main, cache = output if isinstance(output, tuple) else (output, None)
    wanted = derivative.__code__.co_varnames[: derivative.__code__.co_argcount]
    known = {"dout": rng.normal(size=np.shape(main)), "dZ": rng.normal(size=np.shape(main))}
    known |= {"cache": cache, **given}
    return derivative(**{name: known[name] for name in wanted if name in known})


def same(first: Any, second: Any) -> bool:
    """Whether two results are the same numbers, up to axes of one element."""
    one, other = (r if isinstance(r, tuple) else (r,) for r in (first, second))
    return len(one) == len(other) and all(
        np.size(a) == np.size(b) and np.allclose(np.ravel(a), np.ravel(b), rtol=1e-9, atol=1e-12)
        for a, b in zip(one, other, strict=True)
    )


def is_equivalent(text: str, name: str) -> bool:
    """Whether a mutant gives what the right derivative gives."""
    return all(
        (found := results(text, seed)) is not None and same(found, results(source(name), seed))
        for seed in range(3)
    )


def shapes(result: Any) -> list[tuple[int, ...]]:
    return [np.shape(part) for part in (result if isinstance(result, tuple) else (result,))]


def is_no_mistake(text: str, name: str, found: list[str]) -> bool:
    """Whether a mutant that is not refuted is right, or gives no gradient that could be wrong."""
    if "convention" in found:
        return True
    if "undecided" in found:
        given = results(text, 0)
        if given is None or shapes(given) != shapes(results(source(name), 0)):
            return True
    return is_equivalent(text, name)


def checked(name: str, texts: list[str]) -> None:
    found = {text: verdicts(text) for text in texts}
    missed = [
        f"{given}\n{text}"
        for text, given in found.items()
        if "refuted" not in given and not is_no_mistake(text, name, given)
    ]
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_originals_are_proved(name: str) -> None:
    assert set(verdicts(source(name))) == {"proved"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_sample_of_mutants_is_refuted_or_no_mistake(name: str) -> None:
    checked(name, sample(name, 30))


@pytest.mark.grid
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_mutant_is_refuted_or_no_mistake(name: str) -> None:
    texts = sample(name, 1)
    start = time.process_time()
    checked(name, texts)
    assert time.process_time() - start < SECONDS * len(texts) + 2


@pytest.mark.grid
def test_there_are_enough_mutants() -> None:
    assert sum(len(list(mutants(name))) for name in FUNCTIONS) >= 500
