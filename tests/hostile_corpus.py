"""Files that nobody means well with, made by families; run as a script it audits them.

Each must end in findings or in one error, in a second of processor time and within 256 MiB beside
what the interpreter holds, and nothing of it may run: an audit hook watches for what that needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from itertools import product
from pathlib import Path
from pkgutil import walk_packages

SECONDS = 1.0
MEMORY = 256 * 2**20
CLAIM = r"\frac{\partial L}{\partial w} = "
DISPLAY = "$L = w x$\n\n$$%s$$\n"

Case = tuple[str, str, bytes]
"""A name for the case, the file's name, its content."""


def corpus() -> Iterator[Case]:
    """Yield every case."""
    for family in (formulas, pages, notebooks, claims, encodings):
        for number, (file, content) in enumerate(family()):
            data = content if isinstance(content, bytes) else content.encode()
            yield f"{family.__name__} {number}", file, data


def formulas() -> Iterator[tuple[str, str]]:
    """Strings in the place of a formula: claimed in Markdown, alone in LaTeX."""
    families = (nested, unbalanced, repeated, powers, macros, characters, injections, relations)
    for number, text in enumerate(text for family in families for text in family()):
        if number % 3:
            yield "a.md", DISPLAY % (CLAIM + text)
        else:
            yield "a.tex", f"\\begin{{align}}{text}\\end{{align}}"


def nested() -> Iterator[str]:
    pairs = [
        ("{", "}"),
        ("(", ")"),
        (r"\left(", r"\right)"),
        (r"\frac{", "}{2}"),
        (r"\sqrt{", "}"),
        ("x_{", "}"),
        ("x^{", "}"),
        (r"\hat{", "}"),
        (r"\text{", "}"),
        (r"\sum_{i}(", ")"),
        (r"\log ", ""),
        (r"\frac{\partial ", r"}{\partial w}"),
        (r"\underbrace{", "}_{a}"),
        (r"\begin{matrix}", r"\end{matrix}"),
        (r"\begin{cases}", r"\end{cases}"),
        (r"\| ", r" \|"),
        ("f(", ")"),
        ("-", ""),
    ]
    for (opening, closing), depth in product(pairs, (40, 1_500, 20_000)):
        yield opening * depth + "w" + closing * depth


def unbalanced() -> Iterator[str]:
    marks = ["{", "}", "(", ")", "[", "]", "|", "_", "^", "'", "&", "#", "%", "~", "$"]
    marks += [r"\left(", r"\right)", r"\begin{aligned}", r"\end{cases}", r"\frac{", r"\{", "\\"]
    for mark, text in product(marks, ("%sx", "x%s", "a%sb = c")):
        yield text % mark
    yield "".join(marks)
    yield "".join(reversed(marks)) * 50


def repeated() -> Iterator[str]:
    parts = ["x", "x_i ", "x + ", "x = ", r"\\ ", "& ", "'", "d", r"\partial ", r"\nabla ", "9"]
    parts += ["| ", r"\| ", ". ", ", ", "_", "^", "=", r"\sum ", r"\cdot ", "(x)", " ", "\t", "\n"]
    for part, count in product(parts, (300, 30_000)):
        yield part * count


def powers() -> Iterator[str]:
    for number in (
        "10^{100}",
        "9^{9^{9^{9^{9}}}}",
        "1e999",
        "0^{-1}",
        "0/0",
        "w^{10^9}",
        "2^{w^{w^w}}",
    ):
        yield number
        yield rf"\sum_{{i=1}}^{{{number}}} w_i"
        yield rf"w^{{{number}}}"
        yield rf"\frac{{w}}{{{number}}}"
    yield "9" * 50_000
    yield "0." + "1" * 50_000
    yield r"\prod_{i=1}^{n}" * 12 + "w_{i}"
    yield r"\sum_{a}\sum_{b}\sum_{c}\sum_{d}\sum_{e}\sum_{f}\sum_{g} w_{abcdefg} x_{gfedcba}"


def macros() -> Iterator[str]:
    define = r"\newcommand{\a}{%s} \a"
    for body in (
        r"\a",
        r"\a\a",
        r"{\a}",
        r"\newcommand{\a}{\a\a}\a",
        r"\def\a{\a x}\a",
        "#1",
        "#9",
    ):
        yield define % body
        yield define.replace("newcommand", "renewcommand") % body
    letters = "bcdefghijklmnopqrstuvwxyz"
    chain = "".join(
        rf"\newcommand{{\{a}}}{{\{b}\{b}\{b}}}"
        for a, b in zip("a" + letters, letters, strict=False)
    )
    yield chain + r"\a"
    yield r"\def\a#1{\a{#1#1}}\a{w}"
    yield r"\def\a#1#2#3#4#5#6#7#8#9{#9#8#7}\a w"
    yield r"\newcommand{\a}[99]{w}\a"
    yield r"\let\a\a\a"
    yield r"\csname a\endcsname"


def characters() -> Iterator[str]:
    points = [*range(0x00, 0x20, 3), 0x7F, 0x85, 0xA0, 0xAD, 0x200B, 0x200D, 0x200E, 0x202A, 0x202E]
    points += [
        0x2028,
        0x2029,
        0x2066,
        0x2069,
        0xFEFF,
        0xFFFD,
        0xFFFF,
        0x1D4B3,
        0x10FFFF,
        0x301,
        0x20D7,
    ]
    for point in points:
        yield f"w{chr(point)} + x"
    yield "w" + "\u0301" * 20_000
    yield "\u202e" * 5_000 + "w"
    yield "".join(map(chr, range(0x370, 0x400)))
    yield "𝔘𝒳𝕏∂∇∑∏√⊙∘∗⊤′″‖½²³ₙ"


def injections() -> Iterator[str]:
    commands = [
        "__import__('os').system('touch hacked')",
        "open('hacked','w').write('x')",
        "exec(compile('1','','exec'))",
        "().__class__.__bases__[0].__subclasses__()",
        "{{7*7}}{% for x in ().__class__.__mro__ %}{% endfor %}",
        "$(touch hacked)",
        "`touch hacked`",
        "; rm -rf / #",
        "' OR 1=1 --",
        r"\write18{touch hacked}",
        r"\input{/etc/passwd}",
        r"\openout5=hacked",
        r"\directlua{os.execute('touch hacked')}",
        r"\catcode`\_=12",
        "%s%n%x{0.__class__}",
        "lambda: 0",
        "${jndi:ldap://127.0.0.1/a}",
    ]
    for command in commands:
        yield command
        yield rf"\text{{{command}}}"
        yield rf"w_{{{command}}}"
        yield rf"\frac{{\partial {command}}}{{\partial w}} = 1"


def relations() -> Iterator[str]:
    yield from ("=", "= =", "x = = y", r"\iff" * 500, r"\Rightarrow " * 500 + "= x", "= 0 = 0 = 0")
    yield "x = " * 2_000 + "x"
    yield r" \\ ".join(rf"\frac{{\partial L}}{{\partial w_{{{k}}}}} = {k} x" for k in range(30))
    yield r"\quad ".join(f"x_{k} = x_{k + 1}" for k in range(600))


def pages() -> Iterator[tuple[str, str]]:
    """Whole pages: marks that do not close, HTML, YAML, scripts, one long line."""
    marks = ["$", "$$", "```", "~~~", "<!--", r"\[", r"\(", "<script>", "> ", "#", "- ", "|", "\\"]
    for mark, count in product(marks, (1, 1_000)):
        yield "a.md", mark * count
        yield "a.tex", mark * count
    for mark in (
        "a",
        "$",
        "$x$ ",
        "x=",
        "\\",
        " ",
        "$$",
        "`",
        "\n",
        "$\n",
        r"\begin{align}",
        "%",
        "<!--",
    ):
        yield "a.md", mark * (1_000_000 // len(mark))
        yield "a.tex", mark * (1_000_000 // len(mark))
    yield "a.md", "$L = w x$ " * 3_000 + DISPLAY % (CLAIM + "x")
    yield "a.md", (DISPLAY % (CLAIM + "2 x y z")) * 5
    scripts = ["<script>fetch('http://127.0.0.1')</script>", "<img src=x onerror=alert(1)>"]
    scripts += [
        "--- !!python/object/apply:os.system ['touch hacked']\n---",
        "&a [*a, *a]",
        "javascript:x",
    ]
    for script in scripts:
        yield "a.md", f"{script}\n\n$$\\frac{{\\partial L}}{{\\partial w}} = {script}$$"
        yield "a.md", f"```math\n{script}\n```"


def notebooks() -> Iterator[tuple[str, str]]:
    yield from (("a.ipynb", text) for text in ("", "{", "[]", "3", '"x"', "null", "[" * 100_000))
    yield from (("a.ipynb", json.dumps(record)) for record in ({}, {"cells": 3}, {"cells": [3]}))
    for source in (
        3,
        None,
        {},
        [3],
        [[]],
        "$x = \\",
        "\ud800 $x = y$",
        ["$L = w x$", "$$" * 1_000],
    ):
        cell = {"cell_type": "markdown", "source": source}
        yield "a.ipynb", json.dumps({"cells": [cell], "metadata": {}})
    code = {"cell_type": "code", "source": "import os; os.system('touch hacked')"}
    yield "a.ipynb", json.dumps({"cells": [code] * 50})
    yield "a.ipynb", '{"cells": ' + "[" * 2_000 + "]" * 2_000 + "}"
    yield "a.ipynb", '{"cells": [], "n": ' + "9" * 10_000 + "}"


def claims() -> Iterator[tuple[str, str]]:
    texts = ["", "[", "[[claim]]", "claim = 3", "claim = [3]", "[claim]\nformula = 'x'", "a = 1"]
    texts += [
        "[[claim]]\nformula = 3",
        "[[claim]]\nformula = ''",
        "[[claim]]\nformula = 'x'\na = 1",
    ]
    texts += ["[[claim]]\nformula = 'x'\nexpect = 'eval'", "[[claim]]\nformula = 'x'\ngiven = [3]"]
    texts += ["[[claim]]\nformula = 'x'\n" * 300, "a = " + "[" * 5_000, "a." * 5_000 + "b = 1"]
    texts += ["[[claim]]\nformula = '''\n" + "x = y\n" * 500 + "'''"]
    texts += ['[[claim]]\nformula = "\\u0000 = \\u202E"', "n = " + "9" * 10_000]
    yield from (("a.claims.toml", text) for text in texts)


def encodings() -> Iterator[tuple[str, bytes]]:
    contents = [b"\xff\xfe$\x00x\x00", b"\x80", b"$x = \xed\xa0\x80$", b"\xef\xbb\xbf$x = y$"]
    contents += [
        b"\x00" * 1000,
        b"$\xf0\x9f$",
        b"\x1f\x8b\x08",
        b"%PDF-1.4\n\xe2\xe3",
        b"$x\r=\ry$",
    ]
    for suffix, content in product((".md", ".tex", ".ipynb", ".claims.toml"), contents):
        yield f"a{suffix}", content


# What a file could make an interpreter do, were any of it run. Python is parsed, which Python
# announces as "compile"; nothing that was compiled runs without "exec".
FORBIDDEN = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.", "socket.", "exec")
FORBIDDEN += ("os.remove", "os.rename", "shutil.", "ctypes.", "pickle.", "code.__new__")


def main() -> None:
    """Audit every case and print what went wrong with which, as JSON."""
    from symbackprop.auditing import code
    from symbackprop.auditing.calling import audit, audit_files
    from symbackprop.auditing.report import FORMATS

    # Whatever is imported late.
    audit(CLAIM + r"\log w + x", given=r"L = w \log w")
    for module in walk_packages(code.__path__, f"{code.__name__}."):
        import_module(module.name)
    b"x".decode("utf-8-sig").encode("unicode_escape")
    seen: list[str] = []
    watching = False

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and arguments[1] not in (None, "r", "rb")
        if watching and (event.startswith(FORBIDDEN) or event == "import" or writes):
            seen.append(f"{event} {arguments[0] if arguments else None}"[:80])

    def stop(number: int, frame: object) -> None:
        raise TimeoutError

    sys.addaudithook(watch)
    signal.signal(signal.SIGPROF, stop)
    answers: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
        for name, file, content in _cases():
            Path(file).write_bytes(content)
            start, watching = time.process_time(), True
            wrong: list[str] = []
            signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)
            try:
                outcome = audit_files([file])
                for written in FORMATS.values():
                    written(outcome).encode()
                if outcome.failures and outcome.findings:
                    wrong.append("both findings and an error")
            except BaseException as error:
                wrong.append(f"{type(error).__name__}: {str(error)[:200]}")
            signal.setitimer(signal.ITIMER_PROF, 0)
            watching = False
            if time.process_time() - start > SECONDS:
                wrong.append(f"{time.process_time() - start:.1f} s")
            wrong += [f"did {event}" for event in dict.fromkeys(seen)]
            seen.clear()
            if set(os.listdir(folder)) - {file}:
                wrong.append("left a file behind")
            with contextlib.suppress(OSError):
                os.remove(file)
            answers[name] = wrong
    print(json.dumps(answers))


def _cases() -> Iterator[Case]:
    yield from (planted() if "--planted" in sys.argv else corpus())


def planted() -> Iterator[Case]:
    """Yield one innocent case; what audits it is replaced by each thing that must be noticed."""
    from symbackprop.auditing import files

    def slow() -> None:
        while True:
            pass

    faults = {
        "slow": slow,
        "large": lambda: bytearray(2 * MEMORY),
        "runs": lambda: os.system("true"),
        "raises": lambda: 1 // 0,
        "writes": lambda: Path("hacked").write_text(""),
        "evaluates": lambda: eval("1"),
    }
    reader = files.READERS[0]
    for name, fault in faults.items():
        files.READERS = (replace(reader, audit=lambda *_, fault=fault: fault() and []),)
        yield name, "a.md", b""


if __name__ == "__main__":
    main()
