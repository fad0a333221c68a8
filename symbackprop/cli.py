"""The command line. Data goes to stdout, progress and errors to stderr.

Every stage is imported by the command that needs it: ``--help`` must not wait for
SymPy.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from symbackprop import __version__
from symbackprop.errors import SymbackpropError

if TYPE_CHECKING:
    from symbackprop.numeric import GradientReport

BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count
PIPE_CLOSED = 141  # 128 + SIGPIPE

_ARCHITECTURE = "ARCH is a TOML file or compact text such as 2-4:relu-1:sigmoid."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="symbackprop")
def command() -> None:
    """Derive backpropagation and generate checked NumPy code."""


@command.command(epilog=_ARCHITECTURE)
@click.argument("arch")
@click.option("--loss", metavar="NAME", help="Loss, in place of the file's.")
@click.option("--reduction", type=click.Choice(["mean", "sum"]), help="Over the batch.")
@click.option("--optimizer", metavar="NAME", default="sgd", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; default stdout.")
def generate(
    arch: str, loss: str | None, reduction: str | None, optimizer: str, output: Path | None
) -> None:
    """Write the NumPy module of ARCH, once its gradients have been checked."""
    from symbackprop import api, writing
    from symbackprop.progress import Progress

    target = writing.Target(output) if output else None
    with Progress() as progress:
        text, report = api.generate_checked(
            arch, loss=loss, reduction=reduction, optimizer=optimizer, progress=progress
        )
    if not report.passed:
        click.echo(f"error: the gradient check failed, nothing is written\n{report}", err=True)
        raise SystemExit(1)
    if target is None:
        click.echo(text, nl=False)
    else:
        target.write(text)
        click.echo(f"{target.path}: {_verdict(report)}", err=True)


@command.command(epilog=_ARCHITECTURE)
@click.argument("module", type=click.Path(path_type=Path))
@click.option("--arch", metavar="ARCH", help="Compare forward with this architecture's equations.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(module: Path, arch: str | None, as_json: bool) -> None:
    """Check the gradients of a generated MODULE, in a process of its own."""
    from symbackprop import api
    from symbackprop.progress import Progress

    with Progress() as progress:
        report = api.check(module, arch, progress=progress)
    click.echo(json.dumps(report.as_dict(), indent=2) if as_json else str(report))
    raise SystemExit(0 if report.passed else 1)


@command.command(epilog=_ARCHITECTURE)
@click.argument("arch")
def show(arch: str) -> None:
    """Print shapes, parameter counts and equations of ARCH."""
    from symbackprop import api
    from symbackprop import show as printer

    click.echo(printer.network_text(api.build(arch)), nl=False)


@command.command()
@click.argument("name", required=False)
def catalog(name: str | None) -> None:
    """List the entries of the catalogue, or those called NAME, with their equations."""
    from symbackprop import show as printer
    from symbackprop.catalog import CATALOG

    click.echo(printer.catalog_text(CATALOG, name), nl=False)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # formulas, whatever the locale
    try:
        code = command.main(args=arguments, prog_name="symbackprop", standalone_mode=False)
        sys.stdout.flush()
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
    sys.exit(code or 0)


def _fail(message: str) -> int:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    return BAD_INPUT


def _verdict(report: GradientReport) -> str:
    return f"gradients agree to {report.largest_error:.1e}"
