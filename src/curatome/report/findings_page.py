"""Findings as one HTML file that needs nothing else to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curatome import durable
from curatome.findings import Finding, Severity
from curatome.report.page import evidence_text
from curatome.report.pictures import data_uri
from curatome.report.rules_page import RuleText, environment

_SHOWN = 20
"""Findings of one code on one slide that are open; the others unfold."""


@dataclass(frozen=True)
class FindingsPage:
    """What stands on the page.

    Attributes:
        title: the dataset's title.
        groups: name of the slide, its case, and its findings.
        rules: each rule that found something.
        slides: how many were checked.
        checked: how many rules have looked.
        accepted: findings that somebody accepts, with the reason.
        pictures: JPEGs of what findings are about, by `id` of the finding.
    """

    title: str
    groups: Sequence[tuple[str, str, Sequence[Finding]]]
    rules: Mapping[str, RuleText] = field(default_factory=dict)
    slides: int = 0
    checked: int = 0
    accepted: Sequence[tuple[Finding, str]] = ()
    pictures: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def severities(self) -> list[tuple[Severity, int]]:
        """How many findings there are of each severity, the worst first."""
        counts = Counter(one.severity for _, _, some in self.groups for one in some)
        return sorted(counts.items(), reverse=True)


def render_findings(page: FindingsPage) -> str:
    """The page as HTML; equal findings give equal text."""
    made = environment()
    made.filters["evidence"] = _short_evidence
    made.filters["picture"] = lambda one: (
        data_uri(page.pictures[id(one)]) if id(one) in page.pictures else ""
    )
    groups = [(*group[:2], _by_code(group[2])) for group in page.groups]
    return made.get_template("check.html.jinja").render(page=page, groups=groups, shown=_SHOWN)


def write_findings(page: FindingsPage, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    durable.write_file(path, render_findings(page))


def _by_code(findings: Sequence[Finding]) -> list[tuple[str, list[Finding]]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.code, []).append(finding)
    return list(found.items())


def _short_evidence(finding: Finding) -> str:
    text = evidence_text(finding)
    return text if len(text) <= 300 else f"{text[:299]}…"
