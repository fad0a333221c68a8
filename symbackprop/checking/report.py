"""What a check found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Finding:
    """One comparison.

    Attributes:
        error: relative to the largest number compared.
        tolerance: what is allowed.
        tested: false where all numbers compared were 0, which a wrong factor would leave so.
    """

    error: float
    tolerance: float = TOLERANCE
    tested: bool = True

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; NaN is not."""
        return self.error <= self.tolerance

    def as_json(self) -> dict[str, Any]:
        """Return plain data; an error that is not finite is null."""
        error = self.error if math.isfinite(self.error) else None
        return {
            "relative_error": error,
            "tolerance": self.tolerance,
            "passed": self.passed,
            "tested": self.tested,
        }


@dataclass(frozen=True)
class GradientReport:
    """The verdict on a module.

    Attributes:
        tensors: by parameter, and ``x``: derived against numeric gradients, the worst over
            both paths, all forms of y and all batch sizes.
        checks: what else was compared, by name.
        notes: what was not checked, and why.
    """

    tensors: Mapping[str, Finding]
    checks: Mapping[str, Finding]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether something was compared and every comparison passed."""
        found = [*self.tensors.values(), *self.checks.values()]
        return bool(self.tensors) and all(finding.passed for finding in found)

    def extended(self, checks: Mapping[str, Finding], *notes: str) -> GradientReport:
        """Return the report with further checks and notes."""
        return replace(self, checks={**self.checks, **checks}, notes=(*self.notes, *notes))

    def as_json(self) -> dict[str, Any]:
        """Return plain data for ``json.dumps``."""
        return {
            "passed": self.passed,
            "tensors": {name: finding.as_json() for name, finding in self.tensors.items()},
            "checks": {name: finding.as_json() for name, finding in self.checks.items()},
            "notes": list(self.notes),
        }


def from_json(data: Mapping[str, Any]) -> GradientReport:
    """Return the report that ``as_json`` wrote; null reads as NaN."""

    def finding(entry: Mapping[str, Any]) -> Finding:
        error = entry["relative_error"]
        return Finding(
            math.nan if error is None else float(error),
            float(entry["tolerance"]),
            bool(entry["tested"]),
        )

    return GradientReport(
        {str(name): finding(entry) for name, entry in data["tensors"].items()},
        {str(name): finding(entry) for name, entry in data["checks"].items()},
        tuple(str(note) for note in data["notes"]),
    )
