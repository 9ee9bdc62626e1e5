"""Findings that somebody has looked at and accepts: in curatome.toml, or on an annotation.

`written` reads them, `sift` takes out what they accept and tells which of them nothing needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curatome.findings import Finding
from curatome.protocol import Protocol
from curatome.rules.checking import REASONLESS, UNUSED
from curatome.rules.engine import annotation_of, image_of
from curatome.rules.registry import matches

MEMBER = "curatome.suppress"
"""Of an annotation's properties: a table of codes, each with a reason."""


@dataclass(frozen=True)
class Accepted:
    """One suppression.

    Attributes:
        code: of a rule, or a family.
        reason: why.
        where: where it is written, for a person.
        image: only findings on it; empty for all.
        annotation: only findings about it; empty for all.
    """

    code: str
    reason: str
    where: str
    image: str = ""
    annotation: str = ""

    def fits(self, finding: Finding, names: Callable[[str], Iterable[str]]) -> bool:
        """Whether it accepts a finding.

        Args:
            finding: the finding.
            names: all that an image is called.
        """
        if not matches(finding.code, [self.code]):
            return False
        if self.annotation and annotation_of(finding) != self.annotation:
            return False
        image = image_of(finding)
        return not self.image or (image is not None and self.image in names(image))


@dataclass(frozen=True)
class Sifted:
    """What is left of findings.

    Attributes:
        findings: those that nobody has accepted, and CHK001 for what nothing needed.
        accepted: the others, with the suppression that took them out.
    """

    findings: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, Accepted], ...]


def of_protocol(protocol: Protocol) -> list[Accepted]:
    """Those under `[[check.suppress]]`."""
    return [
        Accepted(
            one.code,
            one.reason,
            f"curatome.toml, [[check.suppress]] number {number}",
            one.image,
            one.annotation,
        )
        for number, one in enumerate(protocol.check.suppress, 1)
    ]


def of_annotations(table: pa.Table) -> tuple[list[Accepted], list[Finding]]:
    """Those in the properties of annotations, and CHK004 for what cannot be read.

    Args:
        table: `tables.ANNOTATIONS`.
    """
    rows = table.select(["annotation", "image", "properties"])
    rows = rows.filter(pc.match_substring(rows["properties"], f'"{MEMBER}"'))
    found, problems = [], []
    for row in rows.to_pylist():
        name, image = row["annotation"], row["image"]
        held = json.loads(row["properties"]).get(MEMBER)
        if not isinstance(held, dict):
            problems.append(_reasonless(name, image, "all", "is no table of codes with reasons"))
            continue
        for code, reason in held.items():
            if isinstance(reason, str) and reason.strip():
                found.append(Accepted(code, reason, f"annotation {name}", annotation=name))
            else:
                problems.append(_reasonless(name, image, code, f"gives no reason for {code}"))
    return found, problems


def sift(
    findings: Iterable[Finding],
    suppressions: Sequence[Accepted],
    judged: Callable[[str], bool],
    names: Callable[[str], Iterable[str]],
) -> Sifted:
    """Take out what is accepted.

    Args:
        findings: all of them.
        suppressions: all that were written.
        judged: whether findings of a code, or of all codes of a family, were looked for.
        names: all that an image is called.
    """
    kept: list[Finding] = []
    accepted: list[tuple[Finding, Accepted]] = []
    used: set[int] = set()
    anywhere = [k for k, one in enumerate(suppressions) if not one.annotation]
    on: dict[str, list[int]] = {}
    for k, one in enumerate(suppressions):
        if one.annotation:
            on.setdefault(one.annotation, []).append(k)
    for finding in findings:
        near = [*anywhere, *on.get(annotation_of(finding) or "", ())]
        fitting = [k for k in near if suppressions[k].fits(finding, names)]
        used.update(fitting)
        if fitting:
            accepted.append((finding, suppressions[fitting[0]]))
        else:
            kept.append(finding)
    kept += [
        _unused(one) for k, one in enumerate(suppressions) if k not in used and judged(one.code)
    ]
    return Sifted(tuple(kept), tuple(accepted))


def _unused(one: Accepted) -> Finding:
    subject = f"annotation {one.annotation}" if one.annotation else "protocol check"
    evidence = {"suppression": one.code, "reason": one.reason}
    about = f" of {one.image}" if one.image else ""
    told = f"{one.where}: no finding {one.code}{about} needs it ({one.reason})."
    if one.annotation:
        evidence["annotation"] = one.annotation
    return UNUSED.finding(subject, told, evidence=evidence, key=f"{one.where}:{one.code}")


def _reasonless(name: str, image: str | None, code: str, told: str) -> Finding:
    evidence = {"annotation": name, **({"image": image} if image else {})}
    return REASONLESS.finding(
        f"annotation {name}", f"{MEMBER} {told}.", evidence=evidence, key=code
    )
