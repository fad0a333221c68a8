"""Files that would harm whoever runs them: nothing runs, and one clear answer comes in time."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

import pytest

from symbackprop.auditing.code.entry import audit_code
from symbackprop.auditing.files import audit_files

SECONDS = 12  # of the processor, for any of them

PAIR = """
def f(x):
    {body}

def f_prime(x):
    return 2 * x
"""
BODIES = [
    "while True: pass",
    "for i in range(10 ** 9): x = x + 1\n    return x",
    "return sum(i for i in range(10 ** 12)) + x",
    "return np.zeros((10 ** 6, 10 ** 6)) + x",
    "return np.tile(x, 10 ** 9)",
    "return np.broadcast_to(x, (10 ** 5, 10 ** 5, 3, 5))",
    "return [0] * 10 ** 12",
    "return 'a' * 10 ** 12",
    "return 9 ** 9 ** 9 ** 9 + x",
    "return x << 10 ** 12",
    "return f(x)",
    "return (lambda g: g(g))(lambda g: g(g))",
    "return '{0.__class__}'.format(x)",
    "return x.__class__.__mro__[-1].__subclasses__()",
    "return ().__class__.__base__.__subclasses__()",
    "return eval('x ** 2')",
    "return exec('import os')",
    "return open('/etc/passwd').read()",
    "return __import__('os').getcwd()",
    "return getattr(x, '__' + 'class__')",
    "return np.load('/etc/passwd', allow_pickle=True)",
    "return np.array(x, dtype=object).dumps()",
    "l = []\n    l.append(l)\n    return l",
    "d = {}\n    d['d'] = d\n    return d",
    "return " + "(" * 150 + "x" + ")" * 150,
    "return " + "-" * 3000 + "x",
    "return " + "+".join(["x"] * 3000),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_harms_ends_in_one_answer(body: str) -> None:
    start = time.process_time()
    found = audit_code("import numpy as np\n" + PAIR.format(body=body), "hostile.py")
    assert time.process_time() - start < SECONDS
    assert len(found) <= 1
    assert all("audit failed" not in str(f.reason) for f in found)


AROUND = [
    "import os, shutil, subprocess\nos.remove({file!r})\nshutil.rmtree({folder!r})",
    "class M(type):\n    def __new__(m, *a): os.remove({file!r})\nclass C(metaclass=M): pass",
    "import os\n@os.remove\ndef g(): return {file!r}",
    "import os\ndef g(x=os.remove({file!r})): return x",
    "from os import remove as exp\nexp({file!r})",
    "class A:\n    def __getattr__(self, n): __import__('os').remove({file!r})\na = A()\na.b",
    "with open({file!r}, 'w') as h: h.write('gone')",
    "import atexit, os\natexit.register(os.remove, {file!r})",
]
RIGHT = (
    "import numpy as np\n{around}\ndef f(x):\n    return x ** 2\ndef f_prime(x):\n    return 2 * x"
)


@pytest.mark.parametrize("around", AROUND)
def test_what_stands_around_a_pair_is_never_run(around: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("here")
    text = RIGHT.format(around=around.format(file=str(kept), folder=str(tmp_path)))
    found = [f for f in audit_code(text, "around.py") if f.claim == "f_prime"]
    assert [f.verdict for f in found] == ["proved"]
    assert kept.read_text() == "here"


def test_decorated_functions_are_judged_or_left_undecided() -> None:
    text = """
    import functools, numba

    @numba.njit(fastmath=True)
    def f(x):
        return x ** 2

    @numba.njit
    def f_prime(x):
        return 3 * x
    """
    (found,) = audit_code(textwrap.dedent(text), "fast.py")
    assert found.verdict in ("refuted", "undecided")


PLAIN = "# {}\ndef f(x):\n    return x ** 2\ndef f_prime(x):\n    return 2 * x\n"


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (PLAIN.format("café").encode(), "proved"),
        (b"\xef\xbb\xbf" + PLAIN.format("BOM").encode(), "proved"),
        (PLAIN.format("-*- coding: cp1252 -*- café €").encode("cp1252"), "proved"),
        (PLAIN.format("coding=latin-1 café").encode("latin-1"), "proved"),
        (PLAIN.format("café").encode("cp1252"), "not UTF-8"),
        (PLAIN.format("coding: rot13 ué").encode("cp1252"), "not UTF-8"),
        (PLAIN.format("é").encode("utf-16"), "not UTF-8"),
        (PLAIN.format("\r").replace("\n", "\r\n").encode(), "proved"),
        (PLAIN.format("nothing").encode() + b"\0", ""),
    ],
)
def test_encodings_give_a_verdict_or_one_clear_error(
    content: bytes, answer: str, tmp_path: Path
) -> None:
    file = tmp_path / "layers.py"
    file.write_bytes(content)
    outcome = audit_files([str(file)])
    said = [f.verdict for f in outcome.findings] + [f.message for f in outcome.failures]
    assert len(said) == (1 if answer else 0)
    assert answer in "".join(said)
