"""What an audit says of one claim, as the JSON output shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

# From best to worst: a claim with several readings takes the best of their verdicts.
VERDICTS = ("proved", "agrees", "convention", "undecided", "refuted")

KINDS = (
    "sign",
    "factor",
    "missing_factor",
    "missing_term",
    "transpose",
    "layer_index",
    "subscript",
    "wrong_variable",
    "reduction",
    "diagonal_only",
    "argument",
    "accumulation",
    "precedence",
    "shape",
    "norm",
    "special_case",
    "branch",
    "constant",
    "variant",
    "raises",
    "other",
)


@dataclass(frozen=True)
class Diagnosis:
    """Which mistake explains a refuted claim.

    `kinds` lists every edit that it took, `kind` is the first of them; `factor` is the constant
    where the mistake is one.
    """

    kind: str
    kinds: tuple[str, ...]
    detail: str
    factor: float | None = None

    def __post_init__(self) -> None:
        unknown = [kind for kind in (self.kind, *self.kinds) if kind not in KINDS]
        assert not unknown, unknown


@dataclass(frozen=True)
class Finding:
    """The verdict on one claim.

    `line` and `column` count from 1, within `cell` (from 0) in a notebook. `evidence` is
    `symbolic`, `exact` (then `sizes` says where) or `numeric`; `reason` says why a claim is
    undecided. `derived` is the right formula, `marked` the same with the difference marked.
    """

    path: str
    line: int
    column: int
    claim: str
    read_as: str
    verdict: str
    cell: int | None = None
    evidence: str | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    convention: str | None = None
    assuming: dict[str, str] = field(default_factory=dict)
    reading: str | None = None
    diagnosis: Diagnosis | None = None
    derived: str | None = None
    marked: str | None = None
    counterexample: dict[str, object] | None = None
    patch: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        assert self.verdict in VERDICTS, self.verdict

    def at(self, path: str) -> Finding:
        """Return the finding as one of another file."""
        return replace(self, path=path)

    def as_dict(self) -> dict[str, object]:
        """Return the finding as one object of the JSON output."""
        return asdict(self)


def best(findings: list[Finding]) -> Finding:
    """Return the finding with the best verdict; of equals, the first."""
    return min(findings, key=lambda finding: VERDICTS.index(finding.verdict))
