"""Pairs found by the names of functions, methods and parameters."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.pairs import Pair, Part, parameters, read_part
from symbackprop.auditing.code.project import Project

MOST_PAIRS = 200
_DERIVATIVE_WORDS = frozenset(
    (
        *("prime", "derivative", "derivate", "deriv", "grad", "grads", "gradient", "gradients"),
        *("backward", "backwards", "bwd", "back", "backprop", "backpropagation", "diff", "der"),
        *("dash", "dds", "dx", "delta", "derived", "differential", "jacobian", "vjp", "d"),
    )
)
_FUNCTION_WORDS = frozenset(
    (
        *("forward", "fwd", "func", "function", "fn", "loss", "cost", "activation", "act", "feed"),
        *("feedforward", "value", "error", "objective", "call", "f"),
    )
)
_FORWARD_METHODS = (
    *("forward", "fwd", "_forward", "feedforward", "feed_forward", "fn", "f", "func", "function"),
    *("activation", "activate", "__call__", "call", "loss", "cost", "compute", "value", "apply"),
    *("calculate", "predict", "fprop", "propagate", "eval", "act", "error"),
)
_BACKWARD_METHODS = (
    *("backward", "bwd", "_backward", "backprop", "back_prop", "backpropagate", "backpropagation"),
    *("back_propagation", "grad", "gradient", "derivative", "deriv", "prime", "diff", "delta"),
    *("df", "d", "bprop", "derivate", "dloss", "loss_grad", "gradients", "fn_prime", "back"),
)
_FLAGS = ("derivative", "deriv", "derive", "grad", "gradient", "prime", "backward", "diff")


def discover(project: Project) -> list[Pair]:
    """Return the pairs of a file, in its order; comments name pairs and silence them."""
    found: dict[tuple[str, str], Pair] = {}
    silenced = _silenced(project)
    for pair in (*_commented(project), *_found(project)):
        key = (pair.function.name if pair.function else "", _spelled(pair.derivative))
        if pair.derivative.name not in silenced and key not in found:
            found[key] = pair
    return list(found.values())[:MOST_PAIRS]


def _spelled(part: Part) -> str:
    return part.name + "".join(part.flags)


def _found(project: Project) -> Iterator[Pair]:
    body = project.module.body
    yield from _functions(project, _definitions(body), "")
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _of_class(project, node)
    yield from _script(project)


def _definitions(body: list[ast.stmt] | tuple[ast.stmt, ...]) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def _functions(
    project: Project, functions: dict[str, ast.FunctionDef], prefix: str
) -> Iterator[Pair]:
    """Pairs among functions that stand beside each other."""
    functions = {name: node for name, node in functions.items() if not _empty(node)}
    by_base: dict[tuple[str, ...], list[str]] = {}
    for name in functions:
        if not _words(name) & _DERIVATIVE_WORDS:
            by_base.setdefault(_base(name), []).append(name)
    for name, node in functions.items():
        partner = _partner(name, functions, by_base)
        if partner is not None:
            yield _pair(project, prefix + partner, prefix + name, functions[partner], node)
        flag = _flag(node)
        if flag is not None:
            yield Pair(Part(prefix + name), Part(prefix + name, flags={flag: True}))
        elif partner is None and _holds_both(node):
            yield Pair(None, Part(prefix + name))


def _words(name: str) -> set[str]:
    return set(naming.words(name))


def _base(name: str) -> tuple[str, ...]:
    """The words of a name that say which function it is, without those for function or gradient."""
    words = naming.words(name)
    kept = [w for w in words if w not in _DERIVATIVE_WORDS | _FUNCTION_WORDS]
    return tuple(kept)


def _partner(
    name: str, functions: dict[str, ast.FunctionDef], by_base: dict[tuple[str, ...], list[str]]
) -> str | None:
    words = _words(name)
    lower = {f.lower(): f for f in functions}
    if not words & _DERIVATIVE_WORDS:
        # dtanh, dsigmoid: the function's own name after a d.
        rest = name[1:].lower().lstrip("_")
        exact = name[1:].lstrip("_")
        known = exact if name[:1] == "d" and exact in functions else None
        if known is None and name[:1] == "d" and len(rest) > 2:
            known = lower.get(rest)
        return known if known != name else None
    base = _base(name)
    candidates = by_base.get(base, []) or (by_base.get(base[:-1], []) if len(base) > 1 else [])
    if not candidates:
        return None
    if len(candidates) == 1:
        return candidates[0]
    # sigmoid_backward is of sigmoid_forward before it is of sigmoid.
    swapped = name.replace("backward", "forward").replace("bwd", "fwd")
    swapped = swapped.replace("gradient", "cost") if swapped == name else swapped
    if swapped in candidates:
        return swapped
    # discriminator_loss_backward is of discriminator_loss before it is of forward_discriminator.
    stripped = [w for w in naming.words(name) if w not in _DERIVATIVE_WORDS]
    same = [c for c in candidates if naming.words(c) == stripped]
    if same and _FUNCTION_WORDS & set(stripped):
        return same[0]
    plain = [c for c in candidates if len(naming.words(c)) == len(_base(c))]
    return plain[0] if plain else candidates[0]


def _pair(
    project: Project, function: str, derivative: str, node: ast.FunctionDef, other: ast.FunctionDef
) -> Pair:
    given, wrt = _given(project, node, other)
    return Pair(read_part(function), read_part(derivative), wrt, given=given)


def _given(
    project: Project, node: ast.FunctionDef, other: ast.FunctionDef
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A derivative by z of what is a function of a: a is the file's activation of z."""
    own, theirs = set(parameters(node)), set(parameters(other))
    if "z" in theirs - own and "a" in own and "a" in theirs:
        for activation in ("sigmoid", "tanh", "softmax", "relu"):
            if activation in project.module.bindings:
                return (f"a = {activation}(z)",), ("z",)
    return (), ()


def _flag(node: ast.FunctionDef) -> str | None:
    spec = node.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    defaults = dict(zip(names[len(names) - len(spec.defaults) :], spec.defaults, strict=True))
    for name in _FLAGS:
        default = defaults.get(name)
        if isinstance(default, ast.Constant) and default.value is False:
            return name
    return None


_LOSSES = frozenset(("loss", "cost", "j", "error", "objective"))


def _holds_both(node: ast.FunctionDef) -> bool:
    """Whether a function returns a loss and gradients."""
    for here in ast.walk(node):
        if isinstance(here, ast.Return) and isinstance(here.value, ast.Tuple):
            names = [n for e in here.value.elts for n in _named(e)]
            loss = any(_words(n) & _LOSSES and not naming.names_gradient(n) for n in names)
            if loss and any(naming.names_gradient(n) for n in names):
                return True
    return False


def _named(element: ast.expr) -> list[str]:
    """What a returned value goes by: its name, the keys of a dict, the gradient in a quotient."""
    if isinstance(element, ast.Dict):
        return [str(k.value) for k in element.keys if isinstance(k, ast.Constant)]
    inner = [n.id for n in ast.walk(element) if isinstance(n, ast.Name)]
    if isinstance(element, ast.Name):
        return inner
    return [n for n in inner if naming.names_gradient(n)]


def _of_class(project: Project, node: ast.ClassDef) -> Iterator[Pair]:
    methods = _definitions(node.body)
    prefix = f"{node.name}."
    function = next((m for m in _FORWARD_METHODS if m in methods), None)
    derivatives = [m for m in _BACKWARD_METHODS if m in methods]
    for derivative in derivatives[:2]:
        if function is not None and not _empty(methods[derivative]):
            yield _pair(
                project,
                prefix + function,
                prefix + derivative,
                methods[function],
                methods[derivative],
            )
    if function is not None and not derivatives and _holds_both(methods[function]):
        yield Pair(None, Part(prefix + function))
    yield from _functions(
        project,
        {n: m for n, m in methods.items() if n not in (function, *derivatives)},
        prefix,
    )
    start = methods.get("__init__")
    if start is not None:
        yield from _functions(project, _definitions(start.body), f"{prefix}__init__.")


def _empty(node: ast.FunctionDef) -> bool:
    """Whether a method is declared only."""
    return all(
        isinstance(s, ast.Pass | ast.Raise)
        or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
        or (isinstance(s, ast.Return) and s.value is None)
        for s in node.body
    )


def _script(project: Project) -> Iterator[Pair]:
    """Straight-line code that goes forward and back: f = …, then df, dx of names it has."""
    if not project.module.path.endswith((".md", ".markdown")):
        return
    names = project.module.bindings
    marked = [n for n in names if n[:1] == "d" and n[1:] in names]
    numbers = [
        n[1:]
        for n in marked
        if isinstance(names[n[1:]][0], ast.Assign) and _is_number(names[n[1:]][0])
    ]
    if len(marked) > 2 and numbers:
        yield Pair(None, Part("<module>"), tuple(numbers))


def _is_number(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Assign) else None
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    return isinstance(value, ast.Constant) and type(value.value) in (int, float)


def _comments(project: Project) -> Iterator[tuple[str, str]]:
    """The text after ``# symbackprop:``, with the name of the function that follows."""
    for block in project.module.blocks:
        lines = block.text.splitlines()
        for number, line in enumerate(lines):
            mark = re.search(r"#\s*symbackprop:\s*(.+)$", line)
            if mark is None:
                continue
            for after in lines[number : number + 3]:
                named = re.match(r"\s*def\s+(\w+)", after)
                if named is not None:
                    yield mark[1].strip(), named[1]
                    break


def _commented(project: Project) -> Iterator[Pair]:
    for text, name in _comments(project):
        words = text.split()
        if words[:2] == ["derivative", "of"] and len(words) >= 3:
            wrt = tuple(words[4:5]) if words[3:4] == ["wrt"] else ()
            yield Pair(read_part(words[2]), _qualified(project, name), wrt)


def _qualified(project: Project, name: str) -> Part:
    for node in project.module.body:
        if isinstance(node, ast.ClassDef) and name in _definitions(node.body):
            return Part(f"{node.name}.{name}")
    return Part(name)


def _silenced(project: Project) -> set[str]:
    return {_qualified(project, name).name for text, name in _comments(project) if text == "ignore"}
