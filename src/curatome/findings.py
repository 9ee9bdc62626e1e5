"""What can be wrong with a dataset, and what can be measured about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Severity(IntEnum):
    """How much a finding matters; `check` fails above `NOTE`."""

    NOTE = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Place:
    """A box in level-0 pixels, origin top-left."""

    x: float
    y: float
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True)
class Finding:
    """Something that is, or may be, wrong.

    Attributes:
        code: the rule's code, three letters for the family and three digits, `ACQ002`.
        severity: how much it matters.
        subject: what it is about, `slide 3f2a…`, `case C12`, `file a/b.svs`.
        message: what is wrong, for a person.
        remedy: what to do about it.
        place: where on the slide, if anywhere.
        evidence: the numbers behind the message, of JSON's types.
        key: tells findings of one code, subject and place apart.
    """

    code: str
    severity: Severity
    subject: str
    message: str
    remedy: str = ""
    place: Place | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""

    @property
    def fingerprint(self) -> str:
        """16 hex digits that stay the same between runs, whatever the wording becomes."""
        place = None if self.place is None else [round(v) for v in vars(self.place).values()]
        identity = json.dumps([self.code, self.subject, place, self.key])
        return hashlib.sha256(identity.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Measure:
    """A number about the dataset, with its interval.

    Attributes:
        name: for example `semantic_accuracy`.
        subject: what it is about, `class tumor`.
        value: the estimate.
        low: lower end of the interval, or None without one.
        high: upper end of the interval, or None without one.
        level: the interval's level, 0.95 by default.
        n: how many items stand behind it.
        clusters: how many independent clusters (cases) they come from.
        unit: `µm`, `fraction`, …
        method: how value and interval were found, `Wilson with design effect`.
    """

    name: str
    subject: str
    value: float
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    n: int | None = None
    clusters: int | None = None
    unit: str = ""
    method: str = ""
