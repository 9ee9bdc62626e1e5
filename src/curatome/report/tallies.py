"""Counts over slides, cases and findings: what the page puts in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from curatome.findings import Finding, Severity
from curatome.report.model import STATES, FactGroup, SlideCard

_COLUMNS_AT_MOST = 12
_UNKNOWN = "not given"
_OTHERS = "others"


@dataclass(frozen=True)
class FindingGroup:
    """The findings of one rule.

    Attributes:
        code: the rule's code.
        severity: the highest among them.
        findings: in the order given.
        remedy: the one remedy of all of them, empty if they differ or there is but one finding.
    """

    code: str
    severity: Severity
    findings: tuple[Finding, ...]
    remedy: str


@dataclass(frozen=True)
class CohortTable:
    """Cases by site (rows) and by scanner and stain (columns).

    Attributes:
        columns: (scanner, stain).
        rows: (site, cases in each column, cases of the site).
        biggest: the largest cell.
        cases: number of cases.
        unnamed: slides without a case, each counted as a case of its own.
    """

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[int, ...], int], ...]
    biggest: int
    cases: int
    unnamed: int


def by_state(slides: Sequence[SlideCard]) -> dict[str, int]:
    """Slides in each state; the known states always, any other where it occurs."""
    counts = Counter(slide.state for slide in slides)
    return {state: counts[state] for state in dict.fromkeys((*STATES, *sorted(counts)))}


def by_severity(findings: Sequence[Finding]) -> dict[Severity, int]:
    """Findings of each severity, the gravest first."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in sorted(Severity, reverse=True)}


def cases_of(slides: Sequence[SlideCard]) -> int:
    """Number of cases; a slide without one counts as a case of its own."""
    return len({_case(slide) for slide in slides})


def group_findings(findings: Sequence[Finding]) -> list[FindingGroup]:
    """Findings by rule: the gravest first, then the most frequent."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    made = [
        FindingGroup(
            code=code,
            severity=max(f.severity for f in members),
            findings=tuple(members),
            remedy=_shared_remedy(members),
        )
        for code, members in groups.items()
    ]
    return sorted(made, key=lambda g: (-g.severity, -len(g.findings), g.code))


def _shared_remedy(findings: Sequence[Finding]) -> str:
    """The remedy of several findings if it is one and the same, else nothing."""
    remedies = {finding.remedy for finding in findings}
    return findings[0].remedy if len(findings) > 1 and len(remedies) == 1 else ""


def group_facts(facts: Sequence[FactGroup | tuple[str, str]]) -> list[FactGroup]:
    """Loose facts gathered under `Run`, before the groups that have a title."""
    loose = tuple(fact for fact in facts if not isinstance(fact, FactGroup))
    groups = [fact for fact in facts if isinstance(fact, FactGroup)]
    return [FactGroup("Run", loose), *groups] if loose else groups


def cohort_table(slides: Sequence[SlideCard]) -> CohortTable:
    """Cases by site, scanner and stain; at most 12 columns, the rest gathered as `others`.

    A case with slides from two scanners counts in both columns, and once in its row.
    """
    columns = _columns(slides)
    cells: dict[tuple[str, tuple[str, str]], set[str]] = {}
    sites: dict[str, set[str]] = {}
    for slide in slides:
        column = _column(slide)
        column = column if column in columns else (_OTHERS, "")
        site = slide.site or _UNKNOWN
        cells.setdefault((site, column), set()).add(_case(slide))
        sites.setdefault(site, set()).add(_case(slide))
    rows = tuple(
        (site, tuple(len(cells.get((site, column), ())) for column in columns), len(cases))
        for site, cases in sorted(sites.items(), key=lambda item: (-len(item[1]), item[0]))
    )
    return CohortTable(
        columns=columns,
        rows=rows,
        biggest=max((len(cases) for cases in cells.values()), default=0),
        cases=cases_of(slides),
        unnamed=sum(slide.case is None for slide in slides),
    )


def _columns(slides: Sequence[SlideCard]) -> tuple[tuple[str, str], ...]:
    """The columns in order: by scanner, then stain."""
    counts = Counter(_column(slide) for slide in slides)
    if len(counts) <= _COLUMNS_AT_MOST:
        return tuple(sorted(counts))
    frequent = sorted(counts, key=lambda column: (-counts[column], column))
    return (*sorted(frequent[: _COLUMNS_AT_MOST - 1]), (_OTHERS, ""))


def _column(slide: SlideCard) -> tuple[str, str]:
    return (slide.scanner or _UNKNOWN, slide.stain or _UNKNOWN)


def _case(slide: SlideCard) -> str:
    """What tells cases apart; the prefix keeps a case from being taken for a slide."""
    return f"slide {slide.slide}" if slide.case is None else f"case {slide.case}"
