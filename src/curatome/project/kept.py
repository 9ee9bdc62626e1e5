"""What the store keeps, as JSON's types and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from curatome.findings import Finding, Measure, Place, Severity
from curatome.units import Mpp

SlideState = Literal["ready", "held", "refused", "unreadable"]
Pair = tuple[float, float]


@dataclass(frozen=True)
class SlideEntry:
    """A registered slide.

    Attributes:
        slide: first 16 digits of the content hash.
        sha256: content hash over its files.
        path: where it was last seen, as `Project.relative` writes it.
        state: ready; held (no trustworthy MPP); refused (of a kind that is not standardized);
            or unreadable.
        reason: why it is not ready, in words.
        format: the file format, or None.
        width: of level 0 in pixels, or None.
        height: of level 0 in pixels, or None.
        objective_power: as recorded in the file.
        file_scanner: as recorded in the file.
        file_mpp: µm per pixel (x, y) as recorded in the file; not judged.
        table_mpp: as given by the table of slides.
        user_mpp: as set by a person.
        mpp: what was resolved from these, or None.
        declared: case, site, scanner, stain, block and other declared fields.
    """

    slide: str
    sha256: str
    path: str
    state: SlideState
    reason: str = ""
    format: str | None = None
    width: int | None = None
    height: int | None = None
    objective_power: float | None = None
    file_scanner: str | None = None
    file_mpp: Pair | None = None
    table_mpp: Pair | None = None
    user_mpp: Pair | None = None
    mpp: Mpp | None = None
    declared: Mapping[str, Any] = field(default_factory=dict)

    @property
    def case(self) -> str | None:
        """The case it belongs to, or None if nobody said."""
        return self.declared.get("case")

    @property
    def scanner(self) -> str | None:
        """The scanner by the table, else by the file."""
        return self.declared.get("scanner") or self.file_scanner

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


def finding_of(content: Mapping[str, Any]) -> Finding:
    """A finding that was kept."""
    place = content["place"]
    return Finding(
        **{
            **content,
            "severity": Severity(content["severity"]),
            "place": None if place is None else Place(*place),
        }
    )


def measure_of(content: Mapping[str, Any]) -> Measure:
    """A measure that was kept."""
    return Measure(**{**content, "value": float(content["value"])})


def plain_entry(entry: SlideEntry) -> dict[str, Any]:
    """A slide to keep."""
    plain = {**vars(entry), "declared": dict(entry.declared)}
    plain["mpp"] = None if entry.mpp is None else list(vars(entry.mpp).values())
    loaded: dict[str, Any] = json.loads(json.dumps(plain, default=str))
    return loaded


def entry_of(plain: Mapping[str, Any]) -> SlideEntry:
    """A slide that was kept."""
    entry = SlideEntry(**plain)
    return replace(
        entry,
        file_mpp=_pair(plain["file_mpp"]),
        table_mpp=_pair(plain["table_mpp"]),
        user_mpp=_pair(plain["user_mpp"]),
        mpp=None if plain["mpp"] is None else Mpp(*plain["mpp"]),
    )


def _pair(value: Sequence[float] | None) -> Pair | None:
    return None if value is None else (float(value[0]), float(value[1]))


def plain_finding(finding: Finding) -> dict[str, Any]:
    """A finding to keep."""
    content = {**vars(finding), "evidence": dict(finding.evidence)}
    content["severity"] = int(finding.severity)
    content["place"] = None if finding.place is None else list(vars(finding.place).values())
    return content


def plain_measure(measure: Measure) -> dict[str, Any]:
    """A measure to keep; JSON has no NaN, which comes back as one all the same."""
    return {key: _finite(value) for key, value in vars(measure).items()}


def _finite(value: Any) -> Any:
    return "NaN" if isinstance(value, float) and math.isnan(value) else value
