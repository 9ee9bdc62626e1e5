"""What readers leave behind: marks, and the truth about each object they were to find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curatome.phantom.objects import Floats, Objects, Whole, texts
from curatome.phantom.readers import Guideline, Reader
from curatome.tables import Column, TableSpec

Flags = NDArray[np.bool_]

_TEXT, _REAL = pa.string(), pa.float64()
_READER = Column("reader", _TEXT, "who read")
_NUMBER = Column("number", pa.int16(), "1, or 2 and more when a reader reads again")

READS = TableSpec(
    "phantom_reads",
    (
        _READER,
        _NUMBER,
        Column("read", pa.int64(), "the mark's number within the reader's read"),
        Column("item", pa.int64(), "the object, none for a false positive", nullable=True),
        Column("case", _TEXT, "patient"),
        Column("slide", _TEXT, "name of the slide"),
        Column("label", _TEXT, "what the reader calls it"),
        Column("x_um", _REAL, "where it is marked", "µm"),
        Column("y_um", _REAL, "where it is marked", "µm"),
        Column("time", pa.timestamp("us", "UTC"), "when"),
        Column("guideline", _TEXT, "version in force"),
        Column("confidence", _REAL, "0 to 1, as the reader says"),
        Column("saw_proposal", pa.bool_(), "whether a model's proposals were shown"),
    ),
)
JUDGEMENTS = TableSpec(
    "phantom_judgements",
    (
        _READER,
        _NUMBER,
        Column("item", pa.int64(), "the object", nullable=True),
        Column("read", pa.int64(), "its mark, none where it was missed", nullable=True),
        Column("class", _TEXT, "true class, none for a false positive", nullable=True),
        Column("months", _REAL, "time since the study began", "months", nullable=True),
        Column("miss_probability", _REAL, "own chance to miss this object", nullable=True),
        Column("error_probability", _REAL, "own chance of a wrong label", nullable=True),
        Column("missed", pa.bool_(), "whether it was missed"),
        Column("led", pa.bool_(), "whether a proposal, or its absence, was followed"),
        Column("margin_um", _REAL, "mean margin of outlines drawn then", "µm", nullable=True),
    ),
)
"""What only the truth knows: every searched object, marked or not, and every false positive."""

BEGIN = np.datetime64("2025-01-06T08:00:00", "us")
MONTH_US = 30.4375 * 86400e6


@dataclass(frozen=True)
class Session:
    """When a cohort is read, and under which guidelines.

    Attributes:
        number: 1, or 2 and more for a repeat.
        start: months after the study began.
        months: how long it takes.
        guidelines: by date; the first holds from the beginning.
        shown: (S,) slides on which proposals are shown, all of them by default.
    """

    number: int = 1
    start: float = 0.0
    months: float = 6.0
    guidelines: tuple[Guideline, ...] = (Guideline("1"),)
    shown: tuple[bool, ...] | None = None


@dataclass(frozen=True, eq=False)
class Marks:
    """What a reader marked: (M,) item (-1: nothing is there), slide, label, place, time.

    Attributes:
        item: the object, -1 for a false positive.
        slide: index into the objects' slides.
        label: index into the classes.
        x: µm.
        y: µm.
        months: since the study began.
        confidence: 0 to 1.
        led: whether a proposal was taken over.
    """

    item: Whole
    slide: Whole
    label: Whole
    x: Floats
    y: Floats
    months: Floats
    confidence: Floats
    led: Flags


@dataclass(frozen=True, eq=False)
class Judged:
    """What happened to each object: (N,) columns, in the order of the objects.

    Attributes:
        months: when it was looked at, since the study began.
        miss: own chance to miss it.
        error: own chance to give it a wrong label if found.
        label: index into the classes, -1 where it was missed.
        led: whether a proposal, or its absence, was followed.
    """

    months: Floats
    miss: Floats
    error: Floats
    label: Whole
    led: Flags


@dataclass(frozen=True, eq=False)
class Reads:
    """One reader's read of a cohort."""

    objects: Objects
    reader: Reader
    session: Session
    marks: Marks
    judged: Judged
    shown: Flags
    """(S,) slides on which proposals were shown."""

    def table(self) -> pa.Table:
        """As table `READS`."""
        marks, objects = self.marks, self.objects
        starts = [g.month for g in self.session.guidelines]
        rule = np.maximum(0, np.searchsorted(starts, marks.months, side="right") - 1)
        versions = [g.version for g in self.session.guidelines]
        time = BEGIN + (marks.months * MONTH_US).astype("timedelta64[us]")
        return READS.from_columns(
            {
                **self._who(len(marks.item)),
                "read": np.arange(len(marks.item)),
                "item": pa.array(marks.item, mask=marks.item < 0),
                "case": texts(marks.slide, objects.cases),
                "slide": texts(marks.slide, objects.slides),
                "label": texts(marks.label, objects.classes),
                "x_um": marks.x,
                "y_um": marks.y,
                "time": pa.array(time).cast(pa.timestamp("us", "UTC")),
                "guideline": texts(rule, versions),
                "confidence": marks.confidence,
                "saw_proposal": self.shown[marks.slide],
            }
        )

    def truth(self) -> pa.Table:
        """As table `JUDGEMENTS`: searched objects first, then false positives."""
        marks, judged = self.marks, self.judged
        item = np.flatnonzero(self.objects.screened)
        false = np.flatnonzero(marks.item < 0)
        none = np.concatenate([np.zeros(len(item), bool), np.ones(len(false), bool)])
        mark = np.full(len(self.objects), -1)
        mark[marks.item[marks.item >= 0]] = np.flatnonzero(marks.item >= 0)
        mark = np.concatenate([mark[item], false])
        months = np.concatenate([judged.months[item], marks.months[false]])

        def known(values: Floats) -> pa.Array:
            return pa.array(np.concatenate([values[item], np.zeros(len(false))]), mask=none)

        kinds = np.concatenate([self.objects.kind[item], np.full(len(false), -1)])
        return JUDGEMENTS.from_columns(
            {
                **self._who(len(mark)),
                "item": pa.array(np.concatenate([item, false]), mask=none),
                "read": pa.array(mark, mask=mark < 0),
                "class": texts(kinds, self.objects.classes),
                "months": months,
                "miss_probability": known(judged.miss),
                "error_probability": known(judged.error),
                "missed": mark < 0,
                "led": np.concatenate([judged.led[item], marks.led[false]]),
                "margin_um": self.reader.margins(months, self.session.guidelines),
            }
        )

    def _who(self, count: int) -> dict[str, pa.Array]:
        zeros = np.zeros(count, np.int64)
        return {
            "reader": texts(zeros, (self.reader.name,)),
            "number": np.full(count, self.session.number, np.int16),
        }
