"""Documents as Jupyter notebooks: a Markdown cell for each section, one cell of code.

JupyterLab and others read formulas between dollars; ids of cells count from the start, so that
the same document gives the same bytes.
"""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from symbackprop.render.document import Document
from symbackprop.render.markdown import JUPYTER, opening, section_text


def notebook(document: Document) -> str:
    """Return the document as a notebook (nbformat 4.5) that has not been run."""
    numbers = count(1)

    def cell(kind: str, text: str, **more: Any) -> dict[str, Any]:
        source = text.strip("\n").splitlines(keepends=True)
        name = f"{kind}-{next(numbers)}"
        return {"cell_type": kind, "id": name, "metadata": {}, "source": source, **more}

    cells = [cell("markdown", opening(document, JUPYTER))]
    if document.source:
        cells.append(cell("code", document.source, execution_count=None, outputs=[]))
    for section in document.sections:
        cells.append(cell("markdown", section_text(section, document, JUPYTER)))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
