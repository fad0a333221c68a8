"""What an audit says of one claim, as the JSON output shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

# From best to worst: a claim with several readings takes the best of their verdicts.
VERDICTS = ("proved", "agrees", "convention", "undecided", "refuted")
PASSES = ("proved", "agrees", "convention")

# Every kind of mistake that a diagnosis can name, in words.
DIAGNOSES = {
    "sign": "A sign is wrong.",
    "factor": "A constant factor is wrong.",
    "missing_factor": "A factor of the chain rule is missing.",
    "missing_term": "A term is missing.",
    "transpose": "A transpose or the order of a product is wrong.",
    "layer_index": "A layer's index is wrong.",
    "subscript": "A subscript is wrong.",
    "wrong_variable": "One variable stands for another.",
    "reduction": "A sum or mean is missing, or runs over the wrong count.",
    "diagonal_only": "Only the diagonal of a full Jacobian is given.",
    "argument": "A function is taken at the wrong argument.",
    "accumulation": "A contribution replaces the others instead of being added to them.",
    "precedence": "Parentheses are missing or misplaced.",
    "shape": "The sides differ in shape.",
    "norm": "The derivative is that of another norm.",
    "special_case": "The claim holds only for special values of a parameter.",
    "branch": "A mask or condition is wrong.",
    "constant": "A constant is wrong.",
    "variant": "Function and derivative are different variants.",
    "raises": "The derivative cannot be computed where the function can.",
    "other": "The claim is wrong.",
}


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
        unknown = [kind for kind in (self.kind, *self.kinds) if kind not in DIAGNOSES]
        assert not unknown, unknown


@dataclass(frozen=True)
class Finding:
    """The verdict on one claim.

    `line` and `column` count from 1, within `cell` (from 0) in a notebook. `evidence` is
    `symbolic`, `exact` (then `sizes` says where) or `numeric`; `reason` says why a claim is
    undecided. `derived` is the right formula, `marked` the same with the difference marked, what
    it drops as [-…-] and what it adds as {+…+}.

    In an audit of code `claim` is the name of the derivative, `function` that of the function and
    `wrt` the variable, `assuming` the settings for which the verdict holds, and `patch` a diff.
    `expect` is the verdict that a claims file states.

    `spans` are the lines that it rests on, as cell, first and last line; the claim's own where
    there are none. No report shows them.
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
    function: str | None = None
    wrt: str | None = None
    expect: str | None = None
    spans: tuple[tuple[int | None, int, int], ...] = ()

    def __post_init__(self) -> None:
        assert self.verdict in VERDICTS, self.verdict

    def at(self, path: str) -> Finding:
        """Return the finding as one of another file."""
        return replace(self, path=path)

    def as_dict(self) -> dict[str, object]:
        """Return the finding as one object of the JSON output."""
        record = asdict(self)
        del record["spans"]
        return record


def best(findings: list[Finding]) -> Finding:
    """Return the finding with the best verdict; of equals, the first."""
    return min(findings, key=lambda finding: VERDICTS.index(finding.verdict))
