"""Whether a version may be released: the protocol's gates, and those that every dataset has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curatome.dataset.release.facts import Facts
from curatome.errors import ReleaseError
from curatome.findings import Measure
from curatome.protocol import Gate

LEAKS, STALE, ERRORS, LICENSE = "leaks", "stale annotations", "errors", "license"
"""The gates that need not be declared."""


@dataclass(frozen=True)
class GateResult:
    """What became of one gate.

    Attributes:
        gate: its name: `leaks`, or the measure with its subject.
        passed: whether its bound was kept.
        found: what was found, for people.
        wanted: what was wanted, for people.
        remedy: what to do where it was not kept.
        waiver: why it was released all the same, or empty.
    """

    gate: str
    passed: bool
    found: str
    wanted: str
    remedy: str = ""
    waiver: str = ""

    @property
    def holds(self) -> bool:
        """Whether it stands in the way of nothing."""
        return self.passed or bool(self.waiver)


def evaluate(
    facts: Facts, stale: int, leaks: Mapping[str, int | None], waivers: Mapping[str, str]
) -> tuple[GateResult, ...]:
    """Look at every gate.

    Args:
        facts: of the version.
        stale: annotations that were made under an older guideline and not looked at since.
        leaks: how many of each kind cross a split; None of what was not looked for.
        waivers: reasons by the name of the gate.

    Raises:
        ReleaseError: a waiver has no reason, or is of no gate that failed.
    """
    found = [
        _leaks(leaks),
        _stale(stale, facts.info.guideline),
        _errors(facts),
        _license(facts.protocol.dataset.license),
        *(one for gate in facts.protocol.gates for one in _measured(gate, facts.measures)),
    ]
    return _waived(found, waivers)


def _leaks(leaks: Mapping[str, int | None]) -> GateResult:
    crossing = {kind: number for kind, number in leaks.items() if number}
    unknown = [kind for kind, number in leaks.items() if number is None]
    told = [f"{number:,} × {kind}" for kind, number in crossing.items()]
    told += [f"{kind} not looked for" for kind in unknown]
    return GateResult(
        LEAKS,
        not told,
        "; ".join(told) or "nothing crosses a split",
        "nothing crosses a split, and all was looked for",
        "curatome split --near shows what crosses; move the cases in splits.csv, then make a new "
        "version",
    )


def _stale(stale: int, guideline: str) -> GateResult:
    return GateResult(
        STALE,
        stale == 0,
        f"{stale:,} made under an older guideline",
        f"all under guideline {guideline}, or looked at since",
        "curatome guideline queue lists them; being wrong is OK, staying wrong is not",
    )


def _errors(facts: Facts) -> GateResult:
    errors = facts.info.findings.get("error", 0)
    return GateResult(
        ERRORS,
        errors == 0,
        f"{errors:,} findings of severity error",
        "none",
        "curatome check lists them",
    )


def _license(license_: str) -> GateResult:
    return GateResult(
        LICENSE,
        bool(license_.strip()),
        license_ or "none",
        "a license in curatome.toml",
        'set license = "CC-BY-4.0" or another one under [dataset]',
    )


def _measured(gate: Gate, measures: Sequence[Measure]) -> list[GateResult]:
    """One result for each subject; a measure that nobody took fails."""
    mine = [one for one in measures if one.name == gate.measure]
    if gate.subject:
        mine = [one for one in mine if one.subject == gate.subject]
    wanted = " and ".join(
        f"{word} {bound:g}"
        for word, bound in (("at least", gate.min), ("at most", gate.max))
        if bound is not None
    )
    if not mine:
        about = f" of {gate.subject}" if gate.subject else ""
        return [
            GateResult(
                f"{gate.measure}{about}",
                False,
                "not measured",
                wanted,
                f"measure {gate.measure} first, then make a new version",
            )
        ]
    return [
        GateResult(
            f"{one.name} of {one.subject}",
            _within(gate, one.value),
            _said(one),
            wanted,
            "improve it, or change the gate in curatome.toml and say why",
        )
        for one in mine
    ]


def _within(gate: Gate, value: float) -> bool:
    if math.isnan(value):
        return False
    return (gate.min is None or value >= gate.min) and (gate.max is None or value <= gate.max)


def _said(one: Measure) -> str:
    if math.isnan(one.value):
        return "not defined"
    if one.low is None or one.high is None:
        return f"{one.value:.4g}"
    return f"{one.value:.4g} [{one.low:.4g}, {one.high:.4g}]"


def _waived(found: Sequence[GateResult], waivers: Mapping[str, str]) -> tuple[GateResult, ...]:
    failed = {one.gate for one in found if not one.passed}
    for name, reason in waivers.items():
        if name not in failed:
            known = ", ".join(sorted(failed)) or "none failed"
            raise ReleaseError(f'there is no failed gate "{name}" to waive. Failed: {known}.')
        if len(reason.split()) < 3:
            raise ReleaseError(
                f'the waiver of "{name}" must say why, in a sentence that is printed with the '
                "release."
            )
    return tuple(
        GateResult(**{**vars(one), "waiver": waivers.get(one.gate, "")}) if not one.passed else one
        for one in found
    )
