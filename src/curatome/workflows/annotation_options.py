"""How a source of annotations was read, kept so that `curatome sync` reads it so again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curatome.annotations.doubts import settled
from curatome.annotations.formats import Doubt, Options
from curatome.annotations.guideline import renamed


@dataclass(frozen=True)
class Wishes:
    """What a person says about files of annotations.

    Attributes:
        format: name of the format, or `auto`.
        reader: who made them, where the files do not say it.
        read: 1, or 2 and more for a repeat read; None to take what the files say.
        guideline: version they were made under, where the files do not say it; None for the one
            in force.
        image: the slide that files without names are about.
        classes: new names of classes by their names in the files; that of "" is given to what has
            no class there.
        options: how doubtful coordinates are read.
        yes: take the reading that fits best where one is in doubt.
        new_ids: give other ids to annotations whose id the project knows from elsewhere, such as
            readers' copies of the same proposals.
        dry_run: only say what would be done.
        agreed: what doubts that no option answers were about, to which a person said yes before.
    """

    format: str = "auto"
    reader: str | None = None
    read: int | None = None
    guideline: str | None = None
    image: str | None = None
    classes: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    yes: bool = False
    new_ids: bool = False
    dry_run: bool = False
    agreed: tuple[str, ...] = ()


_SAID = ("reader", "read", "guideline", "image")
_READ = ("box", "unit", "downsample", "swap_axes")


def kept(wishes: Wishes, doubts: tuple[Doubt, ...]) -> dict[str, Any]:
    """What is worth keeping of wishes.

    Args:
        wishes: by which a file was recorded.
        doubts: that it raised; what was assumed is kept as if it had been said.
    """
    found: dict[str, Any] = {} if wishes.format == "auto" else {"format": wishes.format}
    found |= {name: getattr(wishes, name) for name in _SAID}
    options = settled(doubts, wishes.options)
    found |= {name: getattr(options, name) for name in _READ}
    found |= {"classes": dict(wishes.classes)}
    found |= {"agreed": sorted({*wishes.agreed, *(one.about for one in doubts)})}
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def joined(wishes: Wishes, before: Mapping[str, Any]) -> tuple[Wishes, tuple[str, ...]]:
    """Wishes with what was kept where they say nothing, and that in words.

    Args:
        wishes: what a person says now.
        before: of `kept`.
    """
    taken = {
        name: value
        for name, value in before.items()
        if name in _SAID and getattr(wishes, name) is None
    }
    if wishes.format == "auto" and "format" in before:
        taken["format"] = before["format"]
    reading = {
        name: value
        for name, value in before.items()
        if name in _READ and getattr(wishes.options, name) is None
    }
    classes = {
        old: new for old, new in before.get("classes", {}).items() if old not in wishes.classes
    }
    found = replace(
        wishes,
        **taken,
        classes={**classes, **wishes.classes},
        options=replace(wishes.options, **reading),
        agreed=tuple(before.get("agreed", ())),
    )
    words = [f"--{name} {value}" for name, value in taken.items()]
    words += [_word(name, value) for name, value in reading.items()]
    return found, tuple(words + [f"--class {old}={new}" for old, new in classes.items()])


def filled(table: pa.Table, title: str, wishes: Wishes, guideline: str) -> pa.Table:
    """The table with what a person said filled in where the file says nothing.

    Args:
        table: `tables.ANNOTATIONS`.
        title: of its format.
        wishes: what the person said.
        guideline: version that holds.
    """
    fill = {"reader": wishes.reader, "guideline": guideline, "tool": title}
    for name, value in fill.items():
        if value is not None:
            table = put(table, name, pc.fill_null(table.column(name), value))
    if wishes.read is not None:
        numbers = pa.array(np.full(len(table), wishes.read, np.int16))
        table = put(table, "read", numbers)
    if wishes.classes:
        unnamed = [wishes.classes[""]] if "" in wishes.classes else []
        names = table.column("labels").to_pylist()
        labels = [renamed(row, wishes.classes) if row else unnamed for row in names]
        table = put(table, "labels", pa.array(labels, table.schema.field("labels").type))
    return table


def put(table: pa.Table, name: str, column: pa.ChunkedArray | pa.Array) -> pa.Table:
    """The table with another column of a name."""
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(at), column)


def _word(name: str, value: Any) -> str:
    if name == "swap_axes":
        return f"--axes {'yx' if value else 'xy'}"
    return f"--{name} {value:g}" if isinstance(value, float) else f"--{name} {value}"
