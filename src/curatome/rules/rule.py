"""What a rule is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.findings import Finding, Place, Severity
from curatome.protocol import Protocol
from curatome.tables import ANNOTATIONS, ITEMS, SLIDES

Pixels = npt.NDArray[np.uint8]
Scope = Literal["image", "dataset"]

PixelsOf = Callable[[str, tuple[float, float, float, float], float], Pixels]
"""(image, (left, top, right, bottom) in level-0 px, µm per px) to (H, W, 3) uint8 RGB; what lies
beyond the image is white."""

FAMILIES: Mapping[str, str] = {
    "SYN": "Syntax: files, fields, shapes and coordinates are what they should be",
    "CLN": "Clean classes: outlines hold what their class says, and nothing else",
    "SIZ": "Size: regions and objects are large enough, and as large as their class",
    "BAL": "Balance: every class, and every combination, has enough independent cases",
    "DRF": "Drift: what was annotated under another guideline, or differently over time",
    "COR": "Correctness: labels that are probably wrong, and disagreements left open",
    "CMP": "Completeness: what was overlooked, and what was never looked at",
    "CON": "Consistency: the same thing under different labels",
    "LEK": "Leakage: what lies in two splits",
    "ACQ": "Acquisition: slides that cannot be trusted",
    "PHI": "Privacy: what tells who the patient is",
    "CHK": "Check: the settings of check itself",
}


@dataclass(frozen=True, eq=False)
class Inputs:
    """What rules look at. A rule of scope `image` gets the rows of one image only.

    Attributes:
        protocol: curatome.toml.
        slides: `tables.SLIDES`.
        annotations: `tables.ANNOTATIONS`.
        marks: the same without shapes, `rules.marks.MARKS`; None if they are not made yet.
        exhaustive: regions declared exhaustively annotated, `annotations.store.EXHAUSTIVE`.
        items: `tables.ITEMS`: tiles, regions, cells and images with labels and splits.
        near: near-duplicates, `tables.NEAR_DUPLICATES`; None if they were not searched.
        cases: declared fields of each case.
        pixels: reads pixels of an image; None where there are none.
        settings: the rule's own settings, its defaults overridden by the project's.
    """

    protocol: Protocol
    slides: pa.Table = field(default_factory=SLIDES.schema.empty_table)
    annotations: pa.Table = field(default_factory=ANNOTATIONS.schema.empty_table)
    marks: pa.Table | None = None
    exhaustive: pa.Table | None = None
    items: pa.Table = field(default_factory=ITEMS.schema.empty_table)
    near: pa.Table | None = None
    cases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pixels: PixelsOf | None = None
    settings: Mapping[str, float | str] = field(default_factory=dict)


Look = Callable[[Inputs], Iterable[Finding]]
Needs = Literal["slides", "annotations", "marks", "exhaustive", "items", "near", "cases", "pixels"]


@dataclass(frozen=True)
class Rule:
    """One rule; its texts are its documentation.

    Attributes:
        code: three letters of a family and three digits.
        name: in words with hyphens, `loose-outline`.
        severity: of its findings.
        scope: whether it looks at one image at a time or at the whole dataset.
        needs: parts of `Inputs` without which it is skipped. Of a dataset's annotations, a rule
            asks for `marks` if it can do without shapes: they are kept from check to check.
        what: what it finds, one sentence.
        why: why that matters for a model or a reader, two or three sentences.
        bad: an example that fails, in words.
        good: one that passes, in words.
        fix: what a person does about it.
        method: how it is found, with the source of a formula.
        promise: at which strength of the fault it finds 95 % at a precision of 90 %, or empty.
        settings: name to (default, what it means and why it is that).
        look: finds it.
        uses: parts that it looks at too where they are there.
        fixable: whether `check --fix` can mend it safely.
        version: raised when it would find something else in the same data.
    """

    code: str
    name: str
    severity: Severity
    scope: Scope
    needs: tuple[Needs, ...]
    what: str
    why: str
    bad: str
    good: str
    fix: str
    method: str
    look: Look
    uses: tuple[Needs, ...] = ()
    promise: str = ""
    settings: Mapping[str, tuple[float | str, str]] = field(default_factory=dict)
    fixable: bool = False
    version: int = 1

    @property
    def family(self) -> str:
        """The three letters."""
        return self.code[:3]

    @property
    def parts(self) -> frozenset[Needs]:
        """All parts of `Inputs` that it looks at."""
        return frozenset(self.needs) | frozenset(self.uses)

    def defaults(self) -> dict[str, float | str]:
        """Its settings where the project says nothing."""
        return {name: value for name, (value, _) in self.settings.items()}

    def finding(
        self,
        subject: str,
        message: str,
        *,
        place: Place | None = None,
        evidence: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> Finding:
        """A finding of this rule."""
        return Finding(
            self.code, self.severity, subject, message, self.fix, place, evidence or {}, key
        )
