"""The rules of the house, enforced on the source; each rule is tested with a planted violation."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import jinja2
import pytest

from symbackprop.catalog import CATALOG
from symbackprop.frames import latex_environment
from symbackprop.scalar import ARITY

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "symbackprop"
MODULES = sorted(PACKAGE.rglob("*.py"))
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.is_file())

# A module imports only from the lines above its own, and from its own line.
STAGES = """
errors
scalar
equations
sizes
sizing
formula
formula_reader
definition
consistency
catalog
architecture
wiring
notation
network
instantiate
building build
calculus
lowering
printing
frames
emit
render
auditing
checking reference numeric
show
writing
progress
small
fitting
api
pytest_plugin
cli
__main__
"""
RANK = {name: rank for rank, line in enumerate(STAGES.split("\n")) for name in line.split()}
# Oracles share no code with what they check.
ORACLES = ("checking", "reference", "numeric")
CHECKED = (
    "lowering",
    "printing",
    "emit",
)
SYMPY_ONLY_IN = "calculus"
MAX_LINES = 400

EVALUATORS = frozenset(
    {"eval", "exec", "__import__", "sympify", "parse_expr", "parse_latex", "lambdify"}
    | {"pickle", "cPickle", "marshal", "shelve", "dill", "unsafe_load"}
)
ENTRIES = {*CATALOG.activations, *CATALOG.losses} - ARITY.keys()
HAND_DERIVED = re.compile(r"(_prime|_grad|_gradient|_backward)$|derivative|^d_|^grad_|^vjp")
ARITHMETIC = tuple(
    getattr(jinja2.nodes, name)
    for name in ("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow", "Neg", "Pos")
)


def stage_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, with the names that `from` takes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def import_direction(stage: str, source: str) -> list[str]:
    if stage not in (*RANK, "__init__"):
        return [f"{stage} is not in STAGES"]
    found = []
    for line, name in imported(source):
        if name.startswith("."):
            found.append(f"{line}: relative import {name}")
        root, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if root == "sympy" and stage != SYMPY_ONLY_IN:
            found.append(f"{line}: {stage} imports SymPy")
        if root != "symbackprop" or stage in ("__init__", target) or target == "__version__":
            continue
        if target not in RANK or RANK[target] > RANK[stage]:
            found.append(f"{line}: {stage} imports {target}, which is not upstream")
        if stage in ORACLES and target in CHECKED:
            found.append(f"{line}: the oracle {stage} imports {target}")
    return found


def evaluated_text(stage: str, source: str) -> list[str]:
    found = [
        f"{line}: imports {name}"
        for line, name in imported(source)
        if EVALUATORS.intersection(name.split("."))
    ]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in (*EVALUATORS, "compile"):
            found.append(f"{node.lineno}: {node.id}")
        elif isinstance(node, ast.Attribute) and node.attr in EVALUATORS:
            found.append(f"{node.lineno}: .{node.attr}")
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            off = isinstance(node.value, ast.Constant) and node.value.value is False
            found.extend([] if off else [f"{node.value.lineno}: allow_pickle"])
    return found


def length(stage: str, source: str) -> list[str]:
    lines = source.count("\n")
    return [f"{lines} lines, at most {MAX_LINES}"] if lines > MAX_LINES else []


def unfinished(stage: str, source: str) -> list[str]:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    lines = enumerate(source.splitlines(), 1)
    return [f"{number}: {line.strip()}" for number, line in lines if marks.search(line)]


def hand_derivative(stage: str, source: str) -> list[str]:
    """Names that a derivative would go by, in what a catalogue entry can hold."""
    if stage not in ("catalog", "definition"):
        return []
    found = []
    for node in ast.walk(ast.parse(source)):
        names = {
            ast.FunctionDef: lambda node: node.name,
            ast.arg: lambda node: node.arg,
            ast.keyword: lambda node: node.arg or "",
            ast.Name: lambda node: node.id,
            ast.Attribute: lambda node: node.attr,
        }
        name = names[type(node)](node) if type(node) in names else ""
        if HAND_DERIVED.search(name):
            found.append(f"{getattr(node, 'lineno', '?')}: {name}")
    return found


def named_entry(stage: str, source: str) -> list[str]:
    """Activations and losses by name where all are to be treated alike: no form is listed."""
    if stage not in ("instantiate", "building", "calculus", "emit", "render"):
        return []
    return [
        f"{node.lineno}: {node.value!r}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and node.value in ENTRIES
    ]


def template_logic(source: str) -> list[str]:
    """Arithmetic in the template language, and functions of hand-derived name in its text."""
    own = latex_environment() if source.startswith(r"\documentclass") else jinja2.Environment()
    tree = own.parse(source)
    found = [f"{node.lineno}: {type(node).__name__}" for node in tree.find_all(ARITHMETIC)]
    for definition in re.finditer(r"^ *def +(\w+)", source, re.MULTILINE):
        if definition[1] != "loss_gradient" and HAND_DERIVED.search(definition[1]):
            found.append(f"def {definition[1]}")
    return found


RULES: dict[Callable[[str, str], list[str]], list[tuple[str, str]]] = {
    import_direction: [
        ("scalar", "from symbackprop.equations import Index"),
        ("calculus", "import symbackprop.lowering.values"),
        ("calculus", "def late():\n    from symbackprop import cli"),
        ("lowering", "import sympy"),
        ("cli", "def late():\n    from sympy import Symbol"),
        ("numeric", "from symbackprop.lowering import values"),
        ("reference", "from symbackprop.emit import generate"),
        ("lowering", "from . import values"),
        ("unheard_of", ""),
        ("lowering", "from symbackprop.unheard_of import x"),
    ],
    evaluated_text: [
        ("cli", "eval('1')"),
        ("cli", "exec(text)"),
        ("cli", "run = eval"),
        ("cli", "import pickle"),
        ("cli", "from sympy.parsing.sympy_parser import parse_expr"),
        ("cli", "sympy.sympify(text)"),
        ("cli", "sympy.lambdify(x, y)"),
        ("cli", "code = compile(text, '', 'exec')"),
        ("cli", "np.load(path, allow_pickle=True)"),
    ],
    named_entry: [
        ("calculus", "if activation == 'sigmoid': return 'a (1 - a)'"),
        ("render", "FORMS = {'cross_entropy': 'a - y'}"),
    ],
    length: [("cli", "x = 1\n" * (MAX_LINES + 1))],
    unfinished: [("cli", "x = 1  # TO" + "DO later")],
    hand_derivative: [
        ("catalog", "Activation(name='relu', derivative='...')"),
        ("catalog", "def sigmoid_prime(z): ..."),
        ("definition", "class Activation:\n    d_z: str"),
        ("definition", "class Activation:\n    input_grad: str"),
    ],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_package_keeps_the_rule(rule: Callable[[str, str], list[str]], path: Path) -> None:
    assert rule(stage_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("rule", "stage", "source"),
    [(rule, *planted) for rule, all_planted in RULES.items() for planted in all_planted],
)
def test_a_planted_violation_is_found(
    rule: Callable[[str, str], list[str]], stage: str, source: str
) -> None:
    assert rule(stage, source)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_logic(path: Path) -> None:
    assert template_logic(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        "{{ a + 1 }}",
        "{% if -a %}{% endif %}",
        r"\documentclass{article} << a + 1 >>",
        "{{ x ** 2 }}",
        "def sigmoid_prime(z):",
        "def d_z():",
    ],
)
def test_planted_template_logic_is_found(planted: str) -> None:
    assert template_logic(planted)


def import_graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """Which modules each module imports when it is itself imported."""
    graph = {}
    for module, source in sources.items():
        names = {name for _, name in imported(_run_at_import(source))}
        targets = {name if name in sources else name.rpartition(".")[0] for name in names}
        graph[module] = targets & set(sources) - {module}
    return graph


def _run_at_import(source: str) -> str:
    """The source without function bodies and without what only type checkers read."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            return ast.Pass()

        def visit_If(self, node: ast.If) -> ast.AST:
            return ast.Pass() if "TYPE_CHECKING" in ast.unparse(node.test) else node

    return ast.unparse(ast.fix_missing_locations(Strip().visit(ast.parse(source))))


def test_no_import_cycle() -> None:
    sources = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): (
            path.read_text(encoding="utf-8")
        )
        for path in MODULES
    }
    graph = import_graph(sources)
    graph["symbackprop"] = set()  # its names are lazy
    TopologicalSorter(graph).prepare()


def test_a_planted_cycle_is_found() -> None:
    graph = import_graph({"p.a": "from p.b import x", "p.b": "import p.a"})
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()


def loaded_after(statements: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after the statements."""
    code = f"import sys\n{statements}\nprint(*sorted(m for m in sys.modules if '.' not in m))"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return set(result.stdout.splitlines()[-1].split())


def command(*arguments: str) -> str:
    run = f"cli.main({list(arguments)!r})"
    return (
        f"from symbackprop import cli\n"
        f"try:\n    {run}\nexcept SystemExit as end:\n    assert not end.code"
    )


def test_importing_the_package_imports_neither_sympy_nor_numpy() -> None:
    assert not {"sympy", "numpy", "jinja2", "click"} & loaded_after("import symbackprop")


@pytest.mark.parametrize("arguments", [("--help",), ("generate", "--help"), ("catalog",)])
def test_quick_commands_import_no_heavy_library(arguments: tuple[str, ...]) -> None:
    assert not {"sympy", "numpy", "jinja2"} & loaded_after(command(*arguments))


def test_check_imports_no_sympy() -> None:
    module = ROOT / "generated" / "circles.py"
    loaded = loaded_after(command("check", str(module)))
    assert "sympy" not in loaded


CLAIM = r"$a = \tanh z$ and $$\frac{\partial a}{\partial z} = 1 - a^2$$"
PAIR = "def f(x):\n    return x * x\n\ndef f_prime(x):\n    return 2 * x\n"


@pytest.mark.parametrize(
    ("name", "text", "claims"),
    [
        ("notes.md", "$a = 3$ is no claim.\n\n```python\nx = 1\n```\n", False),
        ("code.py", "def f(x):\n    return x\n", False),
        ("notes.md", CLAIM, True),
        ("code.py", PAIR, True),
    ],
)
def test_an_audit_waits_for_sympy_only_where_something_is_claimed(
    name: str, text: str, claims: bool, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert ("sympy" in loaded_after(command("audit", str(path)))) == claims


def test_a_planted_import_of_sympy_is_seen() -> None:
    assert "sympy" in loaded_after("import symbackprop\nimport sympy")
