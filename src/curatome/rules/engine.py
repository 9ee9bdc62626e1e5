"""Running rules: what each needs, how it is set, and what becomes of one that fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curatome.findings import Finding, Severity
from curatome.jobs import stage
from curatome.protocol import Protocol
from curatome.rules.checking import FAILED
from curatome.rules.rule import Inputs, Needs, Rule

MOST = 10_000
"""Findings of one rule that are kept of one image, or of the dataset; the others are counted."""

VERSION = 2
"""Raised when running rules changes what they find; cached findings of others are not used."""

NEEDED: Mapping[Needs, str] = {
    "slides": "slides; `curatome add` registers them",
    "annotations": "annotations; `curatome import` reads them",
    "marks": "annotations; `curatome import` reads them",
    "exhaustive": "exhaustive regions; `curatome annotations exhaustive` declares them",
    "items": "items; `curatome build` makes them",
    "near": "near-duplicates; `--near` looks for them",
    "cases": "a table of cases; `curatome add --cases` reads it",
    "pixels": "readable slides",
}
"""What a rule may need, and where that comes from."""


@dataclass(frozen=True)
class Looked:
    """What one rule found in one place.

    Attributes:
        findings: at most `MOST`.
        more: how many others there are.
    """

    findings: tuple[Finding, ...] = ()
    more: int = 0


def settings_of(rule: Rule, protocol: Protocol) -> dict[str, float | str]:
    """The rule's settings: its defaults, and what the protocol says otherwise.

    What is no setting of the rule, or of another type, is left out; CHK002 tells of it.
    """
    defaults = rule.defaults()
    own = protocol.check.rules.get(rule.code, {})
    fitting = {
        name: value
        for name, value in own.items()
        if name in defaults and isinstance(value, str) == isinstance(defaults[name], str)
    }
    return {**defaults, **fitting}


def lacking(rule: Rule, inputs: Inputs) -> Needs | None:
    """The first part that the rule needs and that is not there."""
    for part in rule.needs:
        made = part == "marks" and inputs.marks is None  # they are made of the annotations
        held: Any = inputs.annotations if made else getattr(inputs, part)
        if held is None or (part != "pixels" and not len(held)):
            return part
    return None


def look(rule: Rule, inputs: Inputs, image: str | None = None) -> Looked:
    """What a rule finds. One that fails gives a finding that says so, and no others.

    Args:
        rule: the rule; what it needs is there.
        inputs: of the image, or of the dataset.
        image: the image, for a rule of that scope.
    """
    stage(rule.code)
    given = replace(inputs, settings=settings_of(rule, inputs.protocol))
    try:
        found = [_placed(finding, image) for finding in rule.look(given)]
    except MemoryError:
        raise
    except Exception as error:
        # A front door: what a rule cannot digest is told about this image, and the rest goes on.
        return Looked((failure(rule, image, f"{type(error).__name__}: {error}"),))
    return Looked(tuple(found[:MOST]), max(len(found) - MOST, 0))


def failure(rule: Rule, image: str | None, message: str) -> Finding:
    """The finding that a rule could not look."""
    subject = "dataset" if image is None else f"image {image}"
    evidence = {"rule": rule.code, "error": message, **({"image": image} if image else {})}
    told = f"{rule.code} ({rule.name}) could not look: {message}."
    return FAILED.finding(subject, told, evidence=evidence, key=rule.code)


def unseen(image: str, why: str, codes: Sequence[str], *, known: bool = False) -> Finding:
    """The finding that rules could not look at an image because it cannot be read.

    Args:
        image: the image.
        why: it cannot be read.
        codes: of the rules.
        known: another finding says so already; then this one is a note.
    """
    told = f"{', '.join(codes)} could not look: {why.rstrip('.')}."
    evidence = {"image": image, "rules": list(codes), "error": why}
    found = FAILED.finding(f"slide {image}", told, evidence=evidence, key="pixels")
    return replace(found, severity=Severity.NOTE) if known else found


def image_of(finding: Finding) -> str | None:
    """The image that a finding lies on, as far as it says so itself."""
    held = finding.evidence.get("image")
    if isinstance(held, str):
        return held
    kind, _, name = finding.subject.partition(" ")
    return name if kind in ("slide", "image") and name else None


def with_images(findings: Iterable[Finding], images: Mapping[str, str | None]) -> list[Finding]:
    """Findings with the image of the annotation that they are about.

    Args:
        findings: some of which name an annotation and no image.
        images: of each annotation.
    """
    out = []
    for finding in findings:
        annotation = annotation_of(finding)
        image = images.get(annotation) if annotation and image_of(finding) is None else None
        out.append(_placed(finding, image))
    return out


def annotation_of(finding: Finding) -> str | None:
    """The annotation that a finding is about."""
    held = finding.evidence.get("annotation")
    if isinstance(held, str):
        return held
    kind, _, name = finding.subject.partition(" ")
    return name if kind == "annotation" and name else None


def _placed(finding: Finding, image: str | None) -> Finding:
    if not image or image_of(finding) is not None:
        return finding
    return replace(finding, evidence={**finding.evidence, "image": image})
