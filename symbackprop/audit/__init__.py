r"""The audit: gradients that somebody else derived are read, bound to what they say, and judged.

``symbackprop.audit(r"\frac{\partial a}{\partial z} = a(1-a)", given="a = 1/(1+e^{-z})")`` audits a
formula; see ``symbackprop.api.audit``. ``readers`` says which files are audited, ``files`` runs
them, ``report`` prints the outcome.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symbackprop.architecture import Architecture
    from symbackprop.audit.report.display import Audit


class _CallablePackage(ModuleType):
    """The package as a function: once it is imported, its parent's name for both is the package."""

    def __call__(
        self,
        source: str | Path,
        given: str | Sequence[str] = (),
        *,
        arch: str | Path | Architecture | None = None,
    ) -> Audit:
        from symbackprop.audit.calling import audit

        return audit(source, given, arch=arch)


sys.modules[__name__].__class__ = _CallablePackage
