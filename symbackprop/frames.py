"""Finds the text frames, wherever the package is installed from.

A wheel carries ``templates/`` inside the package; a checkout and an sdist have it
beside the package.
"""

from __future__ import annotations

from pathlib import Path

import jinja2

_PACKAGE = Path(__file__).resolve().parent


def folder() -> Path:
    """Return the folder that holds the frames."""
    for candidate in (_PACKAGE / "templates", _PACKAGE.parent / "templates"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"templates/ is neither in {_PACKAGE} nor beside it")


def environment() -> jinja2.Environment:
    """Return an environment in which an unknown name is an error and newlines are kept."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # the frames make Python, not HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def latex_environment() -> jinja2.Environment:
    """Return the same with marks that LaTeX leaves free: ``<< name >>`` and ``<% if name %>``."""
    return environment().overlay(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )


def special(name: str) -> str:
    """Return the source of a function that NumPy lacks, without its module's head."""
    text = (folder() / "special" / f"{name}.py").read_text(encoding="utf-8")
    return text.split("import numpy as np", 1)[1].strip()
