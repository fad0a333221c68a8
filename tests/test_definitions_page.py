"""The page on definitions: each file in it is generated and right."""

import re
import types
from pathlib import Path

import pytest

from symbackprop.api import build
from symbackprop.emit import generate
from symbackprop.formula_reader import FUNCTIONS, REDUCTIONS
from symbackprop.notation.definitions import _READERS
from symbackprop.notation.toml import read_toml

PAGE = (Path(__file__).parents[1] / "docs" / "definitions.md").read_text(encoding="utf-8")
FILES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", FILES, ids=lambda text: re.search('kind = "(.*)"', text)[1])
def test_each_file_of_the_page_is_right(text):
    module = types.ModuleType("module")
    exec(compile(generate(build(read_toml(text, "own.toml"))).text, "own.py", "exec"), vars(module))
    assert max(module.gradient_check().values()) < 1e-7


def test_the_page_has_every_kind_and_word():
    assert [re.search('kind = "(.*)"', text)[1] for text in FILES] == list(_READERS)
    assert {name for name in (*FUNCTIONS, *REDUCTIONS) if f"`{name}" not in PAGE} == set()
