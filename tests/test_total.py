"""Total derivatives and differentials: what is shown, and that every line of it is true."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from random import Random

import mpmath
import pytest
import scalar_oracle
from hypothesis import given, settings
from hypothesis import strategies as st

import symbackprop
from symbackprop import api, cli
from symbackprop.calculus.total import Derivative
from symbackprop.errors import SymbackpropError
from symbackprop.notation.composition import names_of
from symbackprop.render.latex import latex
from symbackprop.scalar import ARITY, Apply, Named, Slot, apply, number, substitute

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = "f(t(x), u(x), v(x))"
CONCRETE = {"u": "x**2", "v": "sin(x)"}


def derived(expression, *wrt, differential=False, **definitions):
    return api.totals(expression, wrt, definitions, differential=differential)


class TestWhatIsShown:
    def test_the_total_derivative_of_the_tutorial(self):
        text = str(symbackprop.total_derivative(TUTORIAL, "x"))
        assert "  df/dx = ∂f/∂t · dt/dx + ∂f/∂u · du/dx + ∂f/∂v · dv/dx    total derivative" in text
        assert "t, u, v and f are left open" in text

    def test_the_total_differential_of_the_tutorial(self):
        text = str(symbackprop.total_differential("f(t, u, v)"))
        assert "  df = ∂f/∂t · dt + ∂f/∂u · du + ∂f/∂v · dv    total differential" in text

    def test_a_concrete_one_with_its_steps(self):
        shown = symbackprop.total_derivative("u*v", "x", **CONCRETE)
        assert str(shown) == CONCRETE_TEXT
        assert r"\frac{df}{dx} &= 2 x \sin(x) + x^{2} \cos(x)" in shown._repr_latex_()

    @pytest.mark.parametrize(
        ("expression", "definitions", "last"),
        [
            ("f(x, q(x), p(x))", {}, "∂f/∂x + ∂f/∂q · dq/dx + ∂f/∂p · dp/dx    total derivative:"),
            ("f(x) + f(x, x)", {}, "∂f₂/∂s₁ + ∂f₂/∂s₂ + df₁/dx           partials inserted"),
            ("f(u, u)", {"u": "x**2"}, "2 x (∂f/∂s₁ + ∂f/∂s₂)                simplified"),
            ("u*v", CONCRETE, "2 x sin(x) + x² cos(x)           definitions inserted"),
        ],
    )
    def test_a_step_changes_more_than_the_order(self, expression, definitions, last):
        text = str(symbackprop.total_derivative(expression, "x", **definitions))
        assert f"= {last}" in text.splitlines()[-1]

    def test_a_condition_stands_in_brackets_and_is_no_call(self):
        shown = symbackprop.total_derivative("f = u*maximum(u, v)", "x", u="x**2", v="3*x")
        bare = symbackprop.total_derivative("maximum(u, v)", "x", u="x**2", v="3*x")
        assert "∂f/∂u = [u ≥ v]" in str(bare)
        display = shown.document().sections[1].blocks[0]
        assert r"u \, [u \geq v]" in "".join(latex(line.right) for line in display.lines)

    def test_a_name_e_is_no_exponential(self):
        assert "= e^x log(e) − exp(x)" in str(symbackprop.total_derivative("e**x - exp(x)", "x"))
        assert "= e^x" in str(symbackprop.total_derivative("exp(x)", "x"))

    def test_no_line_ends_in_a_space(self):
        text = str(symbackprop.total_derivative(TUTORIAL, "x"))
        assert not [line for line in text.splitlines() if line.endswith(" ")]

    def test_in_latex_d_and_partial_stand_as_in_the_tutorial(self):
        display = symbackprop.total_derivative(TUTORIAL, "x").document().sections[-1].blocks[0]
        assert latex(display.lines[0].right) == (
            r"\frac{\partial f}{\partial t} \, \frac{dt}{dx}"
            r" + \frac{\partial f}{\partial u} \, \frac{du}{dx}"
            r" + \frac{\partial f}{\partial v} \, \frac{dv}{dx}"
        )

    @pytest.mark.parametrize(
        ("expression", "definitions", "line"),
        [
            ("f(x, u(x))", {}, "df/dx = ∂f/∂x + ∂f/∂u · du/dx"),
            ("f(u(x), u(x))", {}, "df/dx = ∂f/∂s₁ · ds₁/dx + ∂f/∂s₂ · ds₂/dx"),
            ("f(g(h(x)))", {}, "= df/dg · dg/dh · dh/dx"),
            ("f(f(x))", {}, "df₂/dx = df₂/df₁ · df₁/dx"),
            ("f(x)", {}, "df/dx = f′(x)"),
            ("f(x, c)", {}, "df/dx = ∂f/∂x    total derivative"),
            ("f(x**2)", {}, "df/dx = df/ds₁ · ds₁/dx"),
            ("f(u, 2)", {"u": "x**2"}, "df/dx = df/du · du/dx"),
            ("u*f(v)", CONCRETE, "= 2 f x + x² · df/dv · cos(x)"),
            ("f(u(x), v(x))", {**CONCRETE, "f": "u*v"}, "= 2 x sin(x) + x² cos(x)"),
            ("cost = u**2", {"u": "a*x"}, "dcost/dx = dcost/du · du/dx"),
            ("u*v", {"u": "v**2 + x", "v": "sin(x)"}, "du/dx = ∂u/∂v · dv/dx + ∂u/∂x"),
            ("u", {"u": "x**2"}, "du/dx = 2 x"),
            ("x", {}, "df/dx = 1"),
        ],
    )
    def test_forms(self, expression, definitions, line):
        assert line in str(derived(expression, "x", **definitions))

    def test_what_does_not_vary_is_said_to_be_held(self):
        assert "a and b are held constant." in str(derived("a*x + b", "x"))
        assert "Each of x and y varies while the others are held." in str(derived("x*y", "x", "y"))

    def test_a_differential_of_several_names(self):
        text = str(derived("x**2*y", differential=True))
        assert "df = ∂f/∂x · dx + ∂f/∂y · dy" in text
        assert "= 2 x y dx + x² dy" in text
        assert "y is held constant" in str(derived("x**2*y", "x", differential=True))

    def test_the_source_derives_the_same(self):
        shown = derived("u*v", "x", **CONCRETE)
        code = shown.source.splitlines()[-1]
        assert code == "symbackprop.total_derivative('u*v', 'x', u='x**2', v='sin(x)')"
        assert str(symbackprop.total_derivative("u*v", "x", u="x**2", v="sin(x)")) == str(shown)


CONCRETE_TEXT = """\
Total derivative of u*v with respect to x

Definitions

  u = x²
  v = sin(x)
  f = u v

Local partials

  du/dx = 2 x       local partial
  dv/dx = cos(x)    local partial
  ∂f/∂u = v         v held constant; local partial
  ∂f/∂v = u         u held constant; local partial

Total derivative

  df/dx = ∂f/∂u · du/dx + ∂f/∂v · dv/dx    total derivative: f depends on x through u and v; \
this is the sum over every path
        = 2 v x + u cos(x)                 partials inserted
        = 2 x sin(x) + x² cos(x)           definitions inserted
"""


class Numbers:
    """Values of a composition's names at one point, and its derivatives by differences."""

    def __init__(self, total, seed=1):
        self.total = total
        self.definitions = {d.name: d for d in total.composition.definitions}
        random = Random(seed)
        self.point = {name: mpmath.mpf(random.uniform(0.3, 1.7)) for name in total.composition.free}
        self.steps = {name: mpmath.mpf(random.uniform(-1, 1)) for name in total.wrt}
        self.names = {
            **self.point,
            **{name: self.of(name, self.point) for name in self.definitions},
        }
        self.names |= {mark.named.name: self.mark(mark) for mark in total.marks}

    def of(self, name, point):
        """The value of a name where the free ones have the values of the point."""
        names = dict(point)
        for definition in self.total.composition.definitions:
            names[definition.name] = self.value(definition.value, names)
        return names[name]

    def value(self, expression, names):
        if isinstance(expression, Apply) and expression.function not in ARITY:
            arguments = [self.value(argument, names) for argument in expression.arguments]
            bare = expression.function.rstrip("'")
            if bare != expression.function:
                return mpmath.diff(lambda x: opened(bare, [x]), arguments[0])
            return opened(bare, arguments)
        read = names_of(expression)
        slots = {Named(name): Slot(place) for place, name in enumerate(read)}
        return scalar_oracle.exactly(substitute(expression, slots), [names[name] for name in read])

    def mark(self, mark):
        if isinstance(mark, Derivative):
            return self.partial(mark) if mark.partial else self.slope(mark.above, mark.below)
        if mark.of in self.steps:
            return self.steps[mark.of]
        return mpmath.fsum(self.slope(mark.of, by) * step for by, step in self.steps.items())

    def partial(self, mark):
        definition = self.definitions[mark.above]

        def change(x):
            return self.value(definition.value, {**self.names, mark.below: x})

        return mpmath.diff(change, self.names[mark.below])

    def slope(self, above, below):
        """d above/d below: along every path from a free name, else within the one definition."""
        if below not in self.point:
            return self.partial(Derivative(above, below, False, 0))
        return mpmath.diff(lambda x: self.of(above, {**self.point, below: x}), self.point[below])

    def disagreements(self):
        lines = [*self.total.partials, *(line for lines in self.total.sums for line in lines)]
        for line in lines:
            left, right = self.names[line.left.named.name], self.value(line.right, self.names)
            if not abs(left - right) <= mpmath.mpf(10) ** -12 * max(1, abs(left)):
                yield line


def opened(name, arguments):
    """Some smooth function for every name of an open one, no two alike."""
    weights = [mpmath.mpf(ord(name[0]) + 3 * place) / 100 for place in range(len(arguments))]
    mixed = mpmath.fsum(w * a for w, a in zip(weights, arguments, strict=True))
    return mpmath.sin(mixed) + arguments[0] ** 2 * mpmath.exp(mixed / 9) + len(name)


def check(total):
    with mpmath.workdps(30):
        assert not list(Numbers(total).disagreements())


CASES = [
    (TUTORIAL, {}),
    ("u*v", CONCRETE),
    ("f(x, u(x))", {}),
    ("f(u(x), u(x))", {}),
    ("f(g(h(x)))", {}),
    ("f(f(x)*x, 3, c)", {}),
    ("f(x)", {}),
    ("f(x, c)", {}),
    ("u*f(v, x)/w", {**CONCRETE, "w": "u*v + exp(x)"}),
    ("(y - sigmoid(w*x + b))**2", {}),
    ("log(u)*tanh(v) + sqrt(u)", {"u": "1 + x**2*v", "v": "a*x/(1 + x)"}),
    ("where(u > v, u*v, v)", CONCRETE),
    ("maximum(u, v) + abs(x - 9)", CONCRETE),
    ("-log(p)", {"p": "exp(x)/s", "s": "exp(x) + exp(y)"}),
    ("gelu(u) + softplus(v)*silu(x)", CONCRETE),
    ("u**v + pi**x + x**2.5", {"u": "1 + x", "v": "x*y"}),
    ("x - x + f(x) - f(x)", {}),
]


@pytest.mark.parametrize("differential", [False, True])
@pytest.mark.parametrize(("expression", "definitions"), CASES)
def test_every_line_is_true(expression, definitions, differential):
    (total,) = derived(expression, "x", differential=differential, **definitions).totals
    check(total)


@pytest.mark.parametrize(("expression", "definitions"), CASES)
def test_every_line_of_a_differential_of_all_names_is_true(expression, definitions):
    (total,) = derived(expression, differential=True, **definitions).totals
    check(total)


def faults(total):
    """The total with one line changed, in each way."""
    for which in ("partials", "sums"):
        rows = getattr(total, which)
        for place, entry in enumerate(rows):
            lines = list(entry) if which == "sums" else [entry]
            for k, line in enumerate(lines):
                for wrong in wrongs(line.right):
                    changed = [*lines[:k], dataclasses.replace(line, right=wrong), *lines[k + 1 :]]
                    new = tuple(changed) if which == "sums" else changed[0]
                    yield dataclasses.replace(
                        total, **{which: (*rows[:place], new, *rows[place + 1 :])}
                    )


def wrongs(expression):
    yield apply("negative", expression)
    yield apply("multiply", number("1.0001"), expression)
    if isinstance(expression, Apply) and expression.function == "add":
        for place in range(len(expression.arguments)):
            yield apply("add", *expression.arguments[:place], *expression.arguments[place + 1 :])


@pytest.mark.parametrize("differential", [False, True])
def test_the_check_hears_every_fault(differential):
    (total,) = derived("u*f(v, x)", "x", differential=differential, **CONCRETE).totals
    found = list(faults(total))
    assert len(found) > 20
    for faulty in found:
        with pytest.raises(AssertionError):
            check(faulty)


SHAPES = (
    *("({} + {})", "({} - {})", "{} * {}", "{} * {}", "{}/(2 + ({})**2)", "f({}, {})", "g({})"),
    *("sin({})", "cos({})", "exp(-({})**2)", "log(1 + ({})**2)", "sqrt(1 + ({})**2)"),
    *("tanh({})", "({})**3", "sigmoid({})", "-({})"),
)


class Writer:
    """Writes expressions over names, safe at every point."""

    def __init__(self, random):
        self.random = random

    def value(self, names, depth):
        choose = self.random.choice
        if depth == 0 or self.random.random() < 0.15:
            return choose([*names, "2", "0.5", "c"])
        first, second = (self.value(names, depth - 1) for _ in range(2))
        shape = choose(SHAPES)
        return shape.format(*([first, second][: shape.count("{}")]))


@given(st.randoms(use_true_random=False), st.booleans())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_every_line_of_random_compositions_is_true(random, differential):
    writer, names, definitions = Writer(random), ["x"], {}
    for name in ("p", "q", "r")[: random.randrange(4)]:
        definitions[name] = f"{writer.value(names, 2)} + {names[-1]}"
        names.append(name)
    expression = f"{writer.value(names, 3)} + {names[-1]} * x"
    (total,) = derived(expression, "x", differential=differential, **definitions).totals
    check(total)


ERRORS = [
    ("u*v", "x", {}, "'x' occurs nowhere; allowed: u, v"),
    ("u*v", "w", {"u": "x"}, "'w' occurs nowhere; allowed: v, x"),
    ("alpha*v", "alhpa", {}, "'alhpa' occurs nowhere; did you mean 'alpha'?"),
    ("2", "x", {}, "'x' occurs nowhere: f reads no free name"),
    ("u*x", "u", {"u": "x"}, "'u' depends on others"),
    ("u*v", "x", {"u": "v", "v": "u*x"}, "definitions go round in a circle"),
    ("u", "x", {"u": "u*x"}, "definitions go round in a circle: u reads u"),
    ("u", "x", {"u": "x", "w": "x"}, "'w' has a definition that u does not read"),
    ("sinn(x)", "x", {}, "column 1: unknown function 'sinn'; did you mean 'sin'?"),
    ("x +* 2", "x", {}, "column 4: cannot be read"),
    ("x^2", "x", {}, "a power is written **"),
    ("u", "x", {"u": "x ** "}, "definition of 'u': 'x **', column"),
    ("u", "x", {"1u": "x"}, "'1u' is not a name"),
    ("u", "x", {"sin": "x"}, "'sin' is a word of the notation"),
    ("x", "1x", {}, "'1x' is not a name"),
    ("x", "pi", {}, "'pi' is a word of the notation"),
    ("x[1]", "x", {}, "x takes indices; here every name is one number"),
    ("total(i, x)", "x", {}, "total takes indices"),
    ("f(u(x), u(y))*u", "x", {}, "'u' is called with different arguments"),
    ("u(x)", "x", {"u": "x*y"}, "write u, or u(x, y)"),
    ("f = f(x) + 1", "x", {}, "'f' has a definition, or is read"),
    ("f()", "x", {}, "f is a function of nothing"),
    ("x/0", "x", {}, "f is no real number"),
    ("u + log(0)", "x", {"u": "x"}, "f is no real number"),
    ("sqrt(-1)*x", "x", {}, "f is no real number"),
    ("f(x, y=1)", "x", {}, "takes no arguments by name"),
    ("x" * 5000, "x", {}, "at most 4096 are read"),
    ("(" * 300 + "x" + ")" * 300, "x", {}, "column"),
    ("-" * 100 + "x", "x", {}, "nested deeper than 64"),
    ("gelu(" * 20 + "x" + ")" * 20, "x", {}, "give its"),
    ("9**9**9**9", "x", {}, "a power of a power"),
    ("x*" + "1e308*" * 50 + "1", "x", {}, "too large"),
    ("1e200*x*1e200", "x", {}, "beyond the range of float64"),
    ("1e200*u", "x", {"u": "1e200*x"}, "beyond the range of float64"),
    ("(" * 6 + "2 + x - x" + ")**64" * 6, "x", {}, "too large"),
    ("2**(1e9 + x - x)", "x", {}, "too large"),
    ("x", "x", {f"u{k}": "x" for k in range(101)}, "at most 100"),
]


@pytest.mark.parametrize(("expression", "wrt", "definitions", "message"), ERRORS)
def test_a_mistake_is_one_line(expression, wrt, definitions, message):
    started = time.perf_counter()
    with pytest.raises(SymbackpropError) as error:
        derived(expression, wrt, **definitions)
    assert message in str(error.value)
    assert len(str(error.value)) < 1000
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("value", [None, True, ["x"], b"x"])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(SymbackpropError, match="a text is wanted"):
        symbackprop.total_derivative("u", "x", u=value)
    with pytest.raises(SymbackpropError, match="a text is wanted"):
        symbackprop.total_derivative(value, "x")


HOSTILE = [
    "__import__('os').system('touch {}')",
    "().__class__.__bases__[0]",
    "x.__class__",
    "lambda: x",
    "[x for x in y]",
    "open('{}', 'w')",
    "eval('1')",
    "x; y",
    "x\n\nimport os",
    "{{x}}",
    "x if x else y",
    "f'{x}'",
    "x := 2",
    "\x00",
    "ｘ + 1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_refused_and_nothing_runs(text, tmp_path):
    place = tmp_path / "made"
    text = text.replace("{}", str(place))
    for expression, definitions in ((text, {}), ("u", {"u": text}), ("u", {text: "x"})):
        with pytest.raises(SymbackpropError):
            derived(expression, "x", **definitions)
    with pytest.raises(SymbackpropError):
        derived("x", text)
    assert not place.exists()


def test_long_compositions_are_bounded():
    """Each reads the one before twice: written out, the last one has 2**60 parts."""
    names = ["x", *(f"u{k}" for k in range(60))]
    definitions = {new: f"{old}*{old}" for old, new in pairwise(names)}
    started = time.perf_counter()
    (total,) = derived("u59", "x", **definitions).totals
    assert time.perf_counter() - started < 5
    assert total.sums[-1][0].rule == "chain rule"


POWERS = [
    ("u3 + x", {"u0": "2", **{f"u{k}": f"u{k - 1}**64" for k in range(1, 4)}}),
    ("u3*x", {"u0": "2 + x - x", **{f"u{k}": f"u{k - 1}**64" for k in range(1, 4)}}),
    ("2**u", {"u": "x*1e9"}),
    ("(((u**60)**60) + x)", {"u": "x**60"}),
]


@pytest.mark.parametrize(("expression", "definitions"), POWERS)
def test_powers_of_powers_are_left_to_their_names(expression, definitions):
    """Written out, they would be numbers of a billion digits."""
    started = time.perf_counter()
    assert "/dx = " in str(derived(expression, "x", **definitions))
    assert time.perf_counter() - started < 2


def test_numbers_stand_for_names_too():
    text = str(symbackprop.total_derivative("a*x**2/2", "x", a=3))
    assert "a = 3" in text
    assert "= 3 x" in text


class TestCommand:
    @pytest.fixture
    def run(self, capfd):
        def call(*arguments):
            with pytest.raises(SystemExit) as end:
                cli.main(("total-derivative", *arguments))
            captured = capfd.readouterr()
            return end.value.code, captured.out, captured.err

        return call

    def test_text_on_stdout(self, run):
        lets = ("--let", "u = x**2", "--let", "v=sin(x)")
        assert run("u*v", *lets, "--wrt", "x") == (0, CONCRETE_TEXT, "")

    def test_the_differential(self, run):
        code, out, _ = run(TUTORIAL, "--differential")
        assert code == 0
        assert "df = ∂f/∂t · dt + ∂f/∂u · du + ∂f/∂v · dv" in out

    @pytest.mark.parametrize("suffix", [".tex", ".md", ".html", ".ipynb"])
    def test_documents_by_suffix(self, run, suffix, tmp_path):
        path = tmp_path / f"total{suffix}"
        assert run(TUTORIAL, "--wrt", "x", "-o", str(path)) == (0, "", "")
        assert "Total derivative" in path.read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("u*v",), "--wrt NAME is missing"),
            (("u", "--wrt", "x", "--let", "u"), "write NAME = EXPRESSION"),
            (("u", "--wrt", "x", "--let", "u=x", "--let", "u = 2"), "'u' is defined twice"),
            (("u", "--wrt", "x", "--let", "u == x"), "definition of 'u'"),
            (("x", "--wrt", "x", "-o", "a.docx"), "'.docx'"),
            (("x", "--wrt", "x", "-o", "missing/a.md"), "cannot write"),
        ],
    )
    def test_a_mistake_is_one_line(self, run, arguments, message):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert message in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1


def test_the_same_text_for_any_hash_seed(tmp_path):
    texts = set()
    for seed in ("0", "1", "77"):
        code = (
            "from symbackprop import total_differential as d;"
            "from symbackprop.render.markdown import markdown;"
            "t = d('u*f(v, x)*w', u='x*y*z', v='sin(x)*u', w='exp(y)+z'); print(t);"
            "print(markdown(t.document()))"
        )
        texts.add(
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
                cwd=ROOT,
                check=True,
                capture_output=True,
            ).stdout
        )
    assert len(texts) == 1


def test_the_package_is_imported_without_sympy():
    code = "import sys, symbackprop; assert 'sympy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
