"""The tables that faults are planted in, and the record of what was planted."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curatome.tables import ANNOTATIONS, Column, TableSpec

Whole = NDArray[np.int64]

_TEXT, _REAL = pa.string(), pa.float64()

IMAGES = TableSpec(
    "phantom_images",
    (
        Column("image", _TEXT, "identity of the image"),
        Column("file", _TEXT, "name of its file"),
        Column("case", _TEXT, "patient"),
        Column("slide", _TEXT, "slide it was cut from"),
        Column("site", _TEXT, "institution"),
        Column("scanner", _TEXT, "scanner as the table says it"),
        Column("split", _TEXT, "train, val or test"),
        Column("label", _TEXT, "diagnosis"),
        Column("x", _REAL, "left edge on the slide", "level-0 px"),
        Column("y", _REAL, "top edge on the slide", "level-0 px"),
        Column("width", _REAL, "extent on the slide", "level-0 px"),
        Column("height", _REAL, "extent on the slide", "level-0 px"),
        Column("mpp", _REAL, "scale of level 0", "µm/px"),
        Column("hash", _TEXT, "of the pixels"),
        Column("turned_hash", _TEXT, "of the pixels, which rotations and flips share"),
    ),
)
CHANGES = TableSpec(
    "phantom_changes",
    (
        Column("fault", _TEXT, "key of `faults.FAULTS`"),
        Column("table", _TEXT, "annotations or images"),
        Column("row", _TEXT, "identity of the annotation or image"),
        Column("change", _TEXT, "changed, added or removed"),
        Column("column", _TEXT, "what was changed", nullable=True),
        Column("before", _TEXT, "value before, WKB in hex, lists in JSON", nullable=True),
        Column("after", _TEXT, "value after", nullable=True),
        Column("source", _TEXT, "the row that an added one was made from", nullable=True),
        Column("how", _TEXT, "how its pixels differ, for `duplicates.redrawn`", nullable=True),
    ),
)

SPECS = {"annotations": ANNOTATIONS, "images": IMAGES}
KEYS = {"annotations": "annotation", "images": "image"}
"""The column that identifies a row of each table."""


@dataclass(frozen=True)
class Tables:
    """A dataset without pixels.

    Attributes:
        annotations: table `tables.ANNOTATIONS`; `image` names the slide.
        images: table `IMAGES`.
    """

    annotations: pa.Table
    images: pa.Table


@dataclass(frozen=True)
class Draft:
    """Tables on their way, with what was changed so far."""

    tables: Tables
    changes: tuple[dict[str, Any], ...] = ()

    def change(self, name: str, rows: Whole, values: Mapping[str, Sequence[Any]]) -> Draft:
        """Give rows of a table other values, column by column; equal ones are no change."""
        table, noted = getattr(self.tables, name), []
        keys = table[KEYS[name]].to_pylist()
        for column, news in values.items():
            held = table[column].to_pylist()
            for row, new in zip(rows.tolist(), news, strict=True):
                if new != held[row]:
                    said = {"before": _said(held[row]), "after": _said(new)}
                    noted.append(self._note(name, keys[row], "changed", column=column, **said))
                    held[row] = new
            place = table.column_names.index(column)
            filled = pa.array(held, table.schema.field(place).type)
            table = table.set_column(place, table.schema.field(place), filled)
        return self._with(name, table, noted)

    def remove(self, name: str, rows: Whole) -> Draft:
        """Leave rows of a table out."""
        table = getattr(self.tables, name)
        keys = table[KEYS[name]].take(rows).to_pylist()
        keep = np.setdiff1d(np.arange(table.num_rows), rows)
        noted = [self._note(name, key, "removed") for key in keys]
        return self._with(name, table.take(keep), noted)

    def add(self, name: str, rows: Sequence[dict[str, Any]], sources: Sequence[str]) -> Draft:
        """Append rows made from others; `how` in a row is for the record only."""
        table = getattr(self.tables, name)
        noted = [
            self._note(name, row[KEYS[name]], "added", source=source, how=row.get("how"))
            for row, source in zip(rows, sources, strict=True)
        ]
        more = SPECS[name].from_rows(rows)
        return self._with(name, pa.concat_tables([table, more]), noted)

    def _with(self, name: str, table: pa.Table, noted: list[dict[str, Any]]) -> Draft:
        tables = replace(self.tables, **{name: table})
        return Draft(tables, (*self.changes, *noted))

    @staticmethod
    def _note(name: str, row: str, change: str, **more: str | None) -> dict[str, Any]:
        return {"table": name, "row": row, "change": change, **more}


@dataclass(frozen=True)
class Planted:
    """Tables with faults, and table `CHANGES` that lists every one."""

    tables: Tables
    changes: pa.Table


Plant = Callable[..., Draft]
"""(draft, strength, rng, **options) to the draft with the fault."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: its name, also in the record.
        family: the family of rules that should find it.
        strength: what a strength from 0 to 1 means.
        apply: plants it.
        options: fixed for this kind.
    """

    name: str
    family: str
    strength: str
    apply: Plant
    options: Mapping[str, Any] = field(default_factory=dict)

    def plant(self, tables: Tables, strength: float, seed: int, **options: Any) -> Planted:
        """Plant it.

        With one seed, what a strength plants a greater strength plants too.

        Args:
            tables: a dataset, which stays as it is.
            strength: 0 (nothing) to 1; `self.strength` says what it means.
            seed: decides which rows are hit.
            **options: of the generator.

        Raises:
            ValueError: the strength is out of range, or nothing in the tables can have it.
        """
        if not 0 <= strength <= 1:
            raise ValueError(f"strength of {self.name} must lie between 0 and 1. Got {strength}.")
        draft = Draft(tables)
        if strength > 0:
            rng = np.random.default_rng([seed, *self.name.encode()])
            draft = self.apply(draft, strength, rng, **{**self.options, **options})
        rows = [{"fault": self.name, **change} for change in draft.changes]
        return Planted(draft.tables, CHANGES.from_rows(rows))


def picked(rng: np.random.Generator, count: int, strength: float) -> Whole:
    """A share of `count` rows, in order; a greater share holds every smaller one.

    Raises:
        ValueError: there are none, so that a fault would be planted in name only.
    """
    if count == 0:
        raise ValueError("nothing in the tables can have this fault.")
    return np.sort(rng.permutation(count)[: round(strength * count)])


def new_name(rng: np.random.Generator) -> str:
    """16 hex digits that say nothing."""
    return rng.bytes(8).hex()


def _said(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return json.dumps(value)
