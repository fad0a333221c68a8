"""The command line. Data goes to stdout, progress and errors to stderr.

Every stage is imported by the command that needs it: ``--help`` must not wait for
SymPy.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

import click

from symbackprop import __version__
from symbackprop.auditing.outcome import FAILING
from symbackprop.auditing.report import FORMATS
from symbackprop.errors import SymbackpropError

if TYPE_CHECKING:
    from symbackprop.checking.report import Finding, GradientReport

MISMATCH = 1
BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count
TERMINATED = 143  # 128 + SIGTERM
PIPE_CLOSED = 141  # 128 + SIGPIPE

_NOTATION = "As cost=E; keys: cost, input, activation, output, weights, transpose, first."
_DOCUMENT = "FILE.tex, .md, .html, .ipynb or .pdf; default text on stdout."
_ARCHITECTURE = "ARCH is a TOML file or compact text such as 2-4:relu-1:sigmoid."


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="symbackprop")
def command() -> None:
    """Derive backpropagation and generate checked NumPy code."""


@command.command(epilog=_ARCHITECTURE, short_help="Write the checked NumPy module of ARCH.")
@click.argument("arch")
@click.option("--loss", metavar="NAME", help="Loss, in place of the file's.")
@click.option("--reduction", type=click.Choice(["mean", "sum"]), help="Over the batch.")
@click.option("--optimizer", metavar="NAME", default="sgd", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; default stdout.")
def generate(
    arch: str,
    loss: str | None,
    reduction: Literal["mean", "sum"] | None,
    optimizer: str,
    output: Path | None,
) -> None:
    """Write the NumPy module of ARCH, once its gradients have been checked."""
    from symbackprop import api, writing
    from symbackprop.progress import Progress

    target = writing.Target(output) if output and str(output) != "-" else None
    try:
        with Progress() as progress:
            text, report = api.generate_checked(
                arch, loss=loss, reduction=reduction, optimizer=optimizer, progress=progress
            )
    except api.FailedCheckError as error:
        click.echo(f"error: {error}; nothing is written", err=True)
        raise SystemExit(MISMATCH) from None
    if not report.passed:
        click.echo(_table(report), err=True, nl=False)
        click.echo("error: the gradient check failed; nothing is written", err=True)
        raise SystemExit(MISMATCH)
    if target is None:
        click.echo(text, nl=False)
    else:
        target.write(text)
        click.echo(f"{target.path}: {_agreement(report)}", err=True)


@command.command(epilog=_ARCHITECTURE, short_help="Check a generated MODULE.")
@click.argument("module", type=click.Path(path_type=Path))
@click.option("--arch", metavar="ARCH", help="Compare forward with this architecture's equations.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(module: Path, arch: str | None, as_json: bool) -> None:
    """Check the gradients of a generated MODULE, in a process of its own."""
    from symbackprop import api
    from symbackprop.progress import Progress

    with Progress() as progress:
        report = api.check(module, arch, progress=progress)
    click.echo(
        json.dumps(report.as_json(), indent=2) + "\n" if as_json else _table(report), nl=False
    )
    raise SystemExit(0 if report.passed else MISMATCH)


@command.command(epilog=_ARCHITECTURE, short_help="Write the derivation of ARCH as a document.")
@click.argument("arch")
@click.option("--loss", metavar="NAME", help="Loss, in place of the file's.")
@click.option("--reduction", type=click.Choice(["mean", "sum"]), help="Over the batch.")
@click.option("--wrt", metavar="NAME", multiple=True, help="One parameter, as W1; may be repeated.")
@click.option("--form", type=click.Choice(["units", "matrix", "both"]), default="both")
@click.option(
    "--layout", type=click.Choice(["rows", "columns", "both"]), help="Of matrices; default both."
)
@click.option("--notation", metavar="KEY=VALUE", multiple=True, help=_NOTATION)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="FILE.tex, .md, .html, .ipynb or .pdf; default Markdown on stdout.",
)
def derive(
    arch: str,
    loss: str | None,
    reduction: Literal["mean", "sum"] | None,
    wrt: tuple[str, ...],
    form: Literal["units", "matrix", "both"],
    layout: Literal["rows", "columns", "both"] | None,
    notation: tuple[str, ...],
    output: Path | None,
) -> None:
    """Write the derivation of ARCH: partials, chain rules and total derivatives, step by step."""
    from symbackprop import api, writing
    from symbackprop.progress import Progress
    from symbackprop.render.formats import writer
    from symbackprop.render.notation import Choice, read_notation

    to_file = output is not None and str(output) != "-"
    written = writer(output.suffix if output and to_file else ".md")
    target = writing.Target(output) if output and to_file else None
    if form == "units" and layout is not None:
        raise SymbackpropError(f"--layout {layout} is for matrices, and --form units has none")
    choice = Choice(read_notation(notation), form, layout or "both", wrt)
    with Progress() as progress:
        document = api.document(
            arch, loss=loss, reduction=reduction, choice=choice, progress=progress
        )
        content = written(document)
    if target is None:
        click.echo(content, nl=False)
    else:
        target.write(content)


@command.command("total-derivative", short_help="Derive EXPRESSION along every path, with steps.")
@click.argument("expression")
@click.option("--wrt", metavar="NAME", multiple=True, help="What varies; may be repeated.")
@click.option("--let", metavar="NAME=EXPRESSION", multiple=True, help="What a name stands for.")
@click.option("--differential", is_flag=True, help="The total differential, of all free names.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help=_DOCUMENT)
def total_derivative(
    expression: str,
    wrt: tuple[str, ...],
    let: tuple[str, ...],
    differential: bool,
    output: Path | None,
) -> None:
    """Derive EXPRESSION along every path by which a name reaches it, with steps.

    EXPRESSION is, for example, "f(t(x), u(x))", its functions left open, or "u*v" with
    --let "u = x**2" --let "v = sin(x)".
    """
    from symbackprop import api, writing

    if not wrt and not differential:
        raise SymbackpropError("--wrt NAME is missing: by what is it derived?")
    definitions = _definitions(let)
    if output is None or str(output) == "-":
        total = api.totals(expression, wrt, definitions, differential=differential)
        click.echo(str(total), nl=False)
        return
    from symbackprop.render.formats import writer

    written, target = writer(output.suffix), writing.Target(output)
    total = api.totals(expression, wrt, definitions, differential=differential)
    target.write(written(total.document()))


def _definitions(settings: Sequence[str]) -> dict[str, str]:
    """Return what names stand for, from ``NAME = EXPRESSION`` each."""
    definitions: dict[str, str] = {}
    for setting in settings:
        name, sign, value = setting.partition("=")
        if not sign:
            raise SymbackpropError(f"--let {setting[:80]!r}: write NAME = EXPRESSION")
        if name.strip() in definitions:
            raise SymbackpropError(f"--let: {name.strip()!r} is defined twice")
        definitions[name.strip()] = value.strip()
    return definitions


@command.command(epilog=_ARCHITECTURE)
@click.argument("arch")
def show(arch: str) -> None:
    """Print shapes, parameter counts and equations of ARCH."""
    from symbackprop import api
    from symbackprop import show as printer

    click.echo(printer.network_text(api.build(arch)), nl=False)


@command.command(short_help="List the catalogue with its equations.")
@click.argument("name", required=False)
def catalog(name: str | None) -> None:
    """List the entries of the catalogue, or those called NAME, with their equations."""
    from symbackprop import show as printer
    from symbackprop.catalog import CATALOG

    click.echo(printer.catalog_text(CATALOG, name), nl=False)


@command.command(
    short_help="Audit the gradients in documents and code: which are right, which wrong."
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("--arch", metavar="ARCH", help="Architecture that supplies definitions.")
@click.option("--given", metavar="FORMULA", multiple=True, help="A definition; may be repeated.")
@click.option("--pair", "pairs", metavar="F:DF[@NAME]", multiple=True, help="A pair in code.")
@click.option("--wrt", metavar="NAME", multiple=True, help="The variable of pairs without one.")
@click.option("--loss", metavar="F", help="The loss of code that computes none.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="Fixes a parameter.")
@click.option("--diff", metavar="REV", help="Only what changed since a revision of git.")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="text")
@click.option("--fail-on", type=click.Choice(list(FAILING)), help="Default undecided.")
@click.option("--baseline", type=click.Path(path_type=Path), help="File of accepted findings.")
@click.option("--update-baseline", is_flag=True, help="Accept what this run finds.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; default stdout.")
def audit(
    paths: tuple[str, ...],
    arch: str | None,
    given: tuple[str, ...],
    pairs: tuple[str, ...],
    wrt: tuple[str, ...],
    loss: str | None,
    settings: tuple[str, ...],
    diff: str | None,
    form: str,
    fail_on: str | None,
    baseline: Path | None,
    update_baseline: bool,
    output: Path | None,
) -> None:
    """Audit the formulas in documents, and the gradients in Python code, which is never run.

    PATH is a .md, .tex, .ipynb, .claims.toml or .py file, a folder, or - for standard input.
    """
    from symbackprop import writing
    from symbackprop.auditing.baseline import baseline_text, read_baseline
    from symbackprop.auditing.calling import audit_files
    from symbackprop.auditing.settings import find_settings
    from symbackprop.progress import Progress

    defaults = find_settings(Path.cwd())
    kept = baseline or defaults.baseline
    if update_baseline and kept is None:
        raise SymbackpropError("--update-baseline: --baseline FILE is missing")
    target = writing.Target(output) if output and str(output) != "-" else None
    accepted = read_baseline(kept) if kept and not update_baseline else frozenset()
    with Progress() as progress:
        outcome = audit_files(
            paths,
            given=given,
            pairs=pairs,
            wrt=wrt,
            loss=loss,
            settings=settings,
            arch=arch or defaults.arch,
            exclude=defaults.exclude,
            accepted=accepted,
            since=diff,
            progress=progress,
        )
    for failure in outcome.failures:
        _fail(failure.message)
    if not outcome.entries and not outcome.failures:
        click.echo("no claim found", err=True)
    report = FORMATS[form](outcome)
    if target is None:
        click.echo(report, nl=False, color=False if os.environ.get("NO_COLOR") else None)
    else:
        target.write(click.unstyle(report))
    if update_baseline and kept:
        writing.Target(kept).write(baseline_text(outcome))
        raise SystemExit(BAD_INPUT if outcome.failures else 0)
    raise SystemExit(outcome.exit_code(fail_on or defaults.fail_on))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    if sys.stdout is None:  # the shell has closed it
        sys.exit(_fail("standard output is closed"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # formulas, whatever the locale
    try:
        signal.signal(signal.SIGTERM, _terminated)
        # Not command.main: it would give a closed pipe the exit code of a mismatch.
        given = list(sys.argv[1:] if arguments is None else arguments)
        with command.make_context("symbackprop", given) as context:
            command.invoke(context)
        code = 0
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        code = _fail(error.format_message())
    except SymbackpropError as error:
        code = _fail(str(error))
    except (KeyboardInterrupt, click.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout once more at exit, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = PIPE_CLOSED
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _fail(f"cannot write to standard output: {error.strerror}")
    sys.exit(code)


def _terminated(number: int, frame: object) -> NoReturn:
    """Unwind, so that processes are ended and temporary files removed."""
    raise SystemExit(TERMINATED)


def _fail(message: str) -> int:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    return BAD_INPUT


def _agreement(report: GradientReport) -> str:
    worst = max(finding.error for finding in report.tensors.values())
    idle = ", ".join(name for name, finding in report.tensors.items() if not finding.tested)
    untested = f"; not tested, zero everywhere: {idle}" if idle else ""
    return f"gradients agree, relative error {worst:.1e}{untested}"


def _table(report: GradientReport) -> str:
    """A line for each comparison: what, relative error, verdict."""
    rows = [*report.tensors.items(), *report.checks.items()]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [
        f"{name.ljust(width)}  {finding.error:8.1e}  {_mark(finding)}" for name, finding in rows
    ]
    verdict = "passed" if report.passed else "FAILED"
    return "".join(f"{line}\n" for line in [*lines, *report.notes, verdict])


def _mark(finding: Finding) -> str:
    if not finding.tested:
        return "not tested (zero everywhere)"
    return "ok" if finding.passed else f"more than {finding.tolerance:.0e}"
