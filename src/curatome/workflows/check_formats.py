"""What a check found as JSON, as SARIF 2.1.0 for other programs, and as one HTML file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from curatome import __version__
from curatome.findings import Finding
from curatome.location import is_url
from curatome.project.folder import PROTOCOL_FILE
from curatome.report.findings_page import FindingsPage, write_findings
from curatome.rules.engine import annotation_of, image_of
from curatome.rules.registry import all_rules
from curatome.rules.rule import Rule
from curatome.rules.suppressions import Accepted
from curatome.workflows.check import Checked
from curatome.workflows.check_fix import Fixed
from curatome.workflows.explain import rule_text

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
Json = dict[str, Any]


def as_plain(found: Checked, fixed: Fixed | None = None) -> Json:
    """Findings with their images, counts, what was accepted and what was not looked for."""
    return {
        "findings": [_plain(found, one) for one in found.findings],
        "accepted": [
            {**_plain(found, one), "reason": by.reason, "where": by.where}
            for one, by in found.accepted
        ],
        "counts": dict(Counter(one.code for one in found.findings)),
        "severities": dict(Counter(str(one.severity) for one in found.findings)),
        "fixable": len(found.fixable),
        "more": found.more,
        "rules": found.rules,
        "skipped": found.skipped,
        "slides": len(found.images),
        "seconds": found.seconds,
        "fixed": None if fixed is None else vars(fixed),
    }


def _plain(found: Checked, finding: Finding) -> Json:
    image = found.images.get(image_of(finding) or "")
    return {
        **vars(finding),
        "severity": str(finding.severity),
        "place": None if finding.place is None else vars(finding.place),
        "evidence": dict(finding.evidence),
        "fingerprint": finding.fingerprint,
        "image": None if image is None else image.image,
        "name": None if image is None else image.name,
        "annotation": annotation_of(finding),
    }


def as_sarif(found: Checked) -> Json:
    """A SARIF 2.1.0 log (OASIS, 2020): one run, accepted findings as suppressed results.

    SARIF has lines and bytes, but no pixels: boxes stand in `properties.place`, level-0 px.
    """
    used = {one.code for one in found.findings} | {one.code for one, _ in found.accepted}
    rules = [rule for rule in all_rules() if rule.code in {*found.rules, *used}]
    index = {rule.code: number for number, rule in enumerate(rules)}
    results = [_result(found, one, index) for one in found.findings]
    results += [_result(found, one, index, by) for one, by in found.accepted]
    driver = {
        "name": "curatome",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_descriptor(rule) for rule in rules],
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _descriptor(rule: Rule) -> Json:
    return {
        "id": rule.code,
        "name": "".join(word.title() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": str(rule.severity)},
        "properties": {"tags": [rule.family]},
    }


def _result(
    found: Checked, finding: Finding, index: Mapping[str, int], by: Accepted | None = None
) -> Json:
    image = found.images.get(image_of(finding) or "")
    path = PROTOCOL_FILE if image is None else image.path
    annotation = annotation_of(finding)
    logical = [{"name": finding.subject, "fullyQualifiedName": finding.subject, "kind": "resource"}]
    properties: Json = {"subject": finding.subject, "evidence": dict(finding.evidence)}
    if finding.place is not None:
        properties["place"] = vars(finding.place)
    if annotation is not None:
        properties["annotation"] = annotation
    result: Json = {
        "ruleId": finding.code,
        "level": str(finding.severity),
        "message": {"text": " ".join(filter(None, (finding.message, finding.remedy)))},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(path)}},
                "logicalLocations": logical,
            }
        ],
        "partialFingerprints": {"curatome/v1": finding.fingerprint},
        "properties": json.loads(json.dumps(properties, default=str)),
    }
    if finding.code in index:
        result["ruleIndex"] = index[finding.code]
    if by is not None:
        result["suppressions"] = [{"kind": "external", "justification": by.reason}]
    return result


def _uri(path: str) -> str:
    if is_url(path):
        return path
    return Path(path).as_uri() if Path(path).is_absolute() else quote(path)


def as_html(
    found: Checked, title: str, path: Path, crops: Mapping[int, bytes] | None = None
) -> None:
    """One HTML file that needs nothing else to be read.

    Args:
        found: of a check.
        title: the dataset's.
        path: the file.
        crops: pictures by the number of the finding, of `check_crops.crops_of`.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    used = {one.code for one in found.findings}
    page = FindingsPage(
        title=title,
        groups=tuple(
            (image.name if image else "The dataset", image.case or "" if image else "", tuple(some))
            for image, some in found.groups
        ),
        rules={rule.code: rule_text(rule) for rule in all_rules() if rule.code in used},
        slides=len(found.images),
        checked=len(found.rules),
        accepted=tuple((one, by.reason) for one, by in found.accepted),
        pictures={id(found.findings[k]): jpeg for k, jpeg in (crops or {}).items()},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_findings(page, path)
