"""Documents as notebooks: their form, and that the one cell of code rebuilds the derivation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_markdown import CHART, HOSTILE, LOSS, document, everything

import symbackprop
from symbackprop.render.document import Document
from symbackprop.render.markdown import markdown
from symbackprop.render.notebook import notebook

ROOT = Path(__file__).resolve().parent.parent
# What nbformat 4.5 requires of each cell; anything else would be refused.
KEYS = {
    "markdown": {"cell_type", "id", "metadata", "source"},
    "code": {"cell_type", "id", "metadata", "source", "execution_count", "outputs"},
}


def form_mistakes(content):
    """What nbformat 4.5 would refuse."""
    if set(content) != {"cells", "metadata", "nbformat", "nbformat_minor"}:
        yield "keys of the notebook"
    if (content.get("nbformat"), content.get("nbformat_minor")) != (4, 5):
        yield "version"
    identities = [cell.get("id", "") for cell in content.get("cells", ())]
    if len(set(identities)) != len(identities):
        yield "an id stands twice"
    for cell in content.get("cells", ()):
        if set(cell) != KEYS.get(cell.get("cell_type")):
            yield "keys of a cell"
        if not re.fullmatch("[A-Za-z0-9_-]{1,64}", cell.get("id", "")):
            yield "id"
        source = cell.get("source")
        if not isinstance(source, list) or any("\n" in line[:-1] for line in source):
            yield "source"
        if cell.get("outputs", []) or cell.get("execution_count") is not None:
            yield "it has been run"


@pytest.fixture(scope="module")
def derived():
    return symbackprop.total_derivative("u*f(v)", "x", u="x**2", v="sin(x)")


@pytest.fixture
def content(derived):
    return json.loads(notebook(derived.document()))


def text_of(content, kind):
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def test_the_form_is_that_of_nbformat(content):
    assert not list(form_mistakes(content))


@pytest.mark.parametrize(
    "fault",
    [
        {"nbformat_minor": 4},
        {"extra": 1},
        {"cells": [{"cell_type": "markdown", "metadata": {}, "source": []}]},
        {"cells": [{"cell_type": "raw", "id": "a", "metadata": {}, "source": []}]},
        {"cells": [{"cell_type": "markdown", "id": "a b", "metadata": {}, "source": []}]},
        {"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["a\nb"]}]},
    ],
)
def test_the_check_hears_faults_of_form(content, fault):
    assert list(form_mistakes({**content, **fault}))


def test_nbformat_takes_it(content):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbformat.validate(content)


def test_a_cell_for_each_section_and_one_of_code(derived, content):
    sections = derived.document().sections
    assert len(text_of(content, "markdown")) == 1 + len(sections)
    assert text_of(content, "code") == [derived.source]
    assert content["cells"][1]["cell_type"] == "code"


def test_the_cell_of_code_rebuilds_the_derivation(derived, content):
    (source,) = text_of(content, "code")
    *before, last = source.splitlines()
    code = "\n".join([*before, f"print({last}, end='')"])
    command = [sys.executable, "-X", "utf8", "-c", code]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8")
    assert run.stdout == str(derived)


def test_formulas_stand_between_dollars():
    (text,) = [t for t in text_of(json.loads(notebook(document(LOSS))), "markdown") if "eq-1" in t]
    assert "$$\n\\begin{aligned}\n" in text
    assert "\n\\end{aligned}\n$$\n" in text
    assert "$\\hat{y}_{i}$ alone" in text
    assert "```math" not in text


def test_it_says_what_the_markdown_says():
    """Fences apart, the cells are the Markdown document."""
    cells = text_of(json.loads(notebook(document(LOSS, CHART))), "markdown")
    fences = (
        ("$`", "$"),
        ("`$", "$"),
        ("```math\n", "$$\n"),
        ("\\end{aligned}\n```", "\\end{aligned}\n$$"),
    )
    text = markdown(document(LOSS, CHART))
    for github, jupyter in fences:
        text = text.replace(github, jupyter)
    assert "\n\n".join(cells) + "\n" == text


@pytest.mark.parametrize("name", HOSTILE)
def test_dollars_of_hostile_text_open_no_formula(name):
    texts, plain = (
        text_of(json.loads(notebook(everything(given))), "markdown") for given in (name, "name")
    )
    for text, same in zip(texts, plain, strict=True):
        assert dollars(text) == dollars(same)


def dollars(text):
    """Dollars outside code, where JupyterLab looks for formulas."""
    text = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)
    return len(re.findall(r"(?<!\\)\$", text.replace("&#36;", "")))


def test_a_document_without_source_has_no_code():
    content = json.loads(notebook(Document("t", (), ())))
    assert not text_of(content, "code")
    assert not list(form_mistakes(content))
