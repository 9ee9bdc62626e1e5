"""SlideRunner databases: SQLite, with the vote of every person for every annotation.

An annotation's label is the class that the persons agreed on (`agreedClass`); each vote stays in
`properties` as `votes`, a list of {reader, label} in the order it was cast. Its reader is the
person if only one voted. Coordinates are whole level-0 px with the origin at the corner. Types: 1
spot, 2 area, 3 polygon, 4 special spot, 5 circle (the box around it). What was deleted stays
deleted.

https://github.com/DeepMicroscopy/SlideRunner (SlideRunner/dataAccess/database.py)
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import shapely

from curatome.annotations.formats.base import Carries, Frames, Loss, Options, Reading
from curatome.annotations.formats.entries import (
    Row,
    column_losses,
    fitted,
    new_row,
    something,
    to_rows,
    to_table,
)
from curatome.annotations.formats.rings import Points, closed, corners, upright
from curatome.annotations.formats.xml_file import to_number
from curatome.durable import write_file
from curatome.errors import AnnotationError

_MAGIC = b"SQLite format 3\0"
_TABLES = {"Slides", "Annotations", "Annotations_coordinates", "Annotations_label", "Classes",
           "Persons"}  # fmt: skip
_TYPES = {"point": 1, "box": 2, "polygon": 3, "circle": 5}
_SCHEMA = """
CREATE TABLE Slides (uid INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, filename TEXT, width INTEGER,
    height INTEGER, directory TEXT, uuid TEXT, exactImageID TEXT, EXACTUSER INTEGER DEFAULT 0);
CREATE TABLE Classes (uid INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, name TEXT, color TEXT);
CREATE TABLE Persons (uid INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, name TEXT,
    isExactUser INTEGER DEFAULT 0);
CREATE TABLE Annotations (uid INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, slide INTEGER, guid TEXT,
    lastModified REAL, deleted INTEGER DEFAULT 0, type INTEGER, agreedClass INTEGER,
    description TEXT);
CREATE TABLE Annotations_coordinates (uid INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE,
    coordinateX INTEGER, coordinateY INTEGER, coordinateZ INTEGER DEFAULT 0, slide INTEGER,
    annoId INTEGER, orderIdx INTEGER);
CREATE TABLE Annotations_label (uid INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, person INTEGER,
    class INTEGER, exact_id INTEGER, annoId INTEGER);
CREATE TABLE Log (uid INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE, dateTime FLOAT, labelId INTEGER);
"""


class SlideRunner:
    """SlideRunner SQLite."""

    name = "sliderunner"
    title = "SlideRunner SQLite"
    suffixes = (".sqlite", ".db")
    carries = Carries(
        kinds=frozenset({"point", "box", "circle", "polygon"}),
        holes=False,
        labels="one",
        columns=frozenset({"annotation", "name", "reader"}),
        images=True,
        precision=1.0,
        note="Coordinates are whole px. Every person's vote is kept.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        del path
        known = head.startswith(_MAGIC) and all(
            name in head for name in (b"Annotations_coordinates", b"Annotations_label")
        )
        return "it is SQLite with SlideRunner's tables" if known else None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        del options
        with path.open("rb") as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                raise AnnotationError(f"{path.name} is no SQLite file, whatever its name.")
        address = f"file:{quote(str(path.resolve()))}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True)) as base:
                base.row_factory = sqlite3.Row
                return _read(base, path.name, frames)
        except sqlite3.Error as error:
            raise AnnotationError(
                f"{path.name} is a broken SQLite file: {error}. Copy it again."
            ) from error

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        rows, losses = [], []
        for row in to_rows(table):
            keys = ["votes"] if _votes(row) is not None else []
            losses += column_losses(row, self.carries, self.title, keys)
            fitting, lost = fitted(row, self.carries, self.title)
            rows += fitting
            losses += lost
        something(len(rows), self.title)
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "base.sqlite"
            with closing(sqlite3.connect(made)) as base, base:
                base.executescript(_SCHEMA)
                _write(base, rows, frames, colors)
            write_file(path, made.read_bytes())
        return losses


def _read(base: sqlite3.Connection, file: str, frames: Frames) -> Reading:
    there = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if missing := sorted(_TABLES - there):
        raise AnnotationError(f"{file} is no database of SlideRunner; it has no {missing[0]}.")
    classes = {row["uid"]: row for row in base.execute("SELECT * FROM Classes")}
    persons = dict(base.execute("SELECT uid, name FROM Persons").fetchall())
    slides = dict(base.execute("SELECT uid, filename FROM Slides").fetchall())
    points: dict[int, list[tuple[float, float]]] = {}
    for uid, owner, x, y in base.execute(
        "SELECT uid, annoId, coordinateX, coordinateY FROM Annotations_coordinates "
        "ORDER BY annoId, orderIdx, uid"
    ):
        place = f"{file} Annotations_coordinates row {uid}: coordinate"
        points.setdefault(owner, []).append((to_number(str(x), place), to_number(str(y), place)))
    votes: dict[int, list[dict[str, str | None]]] = {}
    for owner, person, number in base.execute(
        "SELECT annoId, person, class FROM Annotations_label ORDER BY uid"
    ):
        label = classes[number]["name"] if number in classes else None
        votes.setdefault(owner, []).append({"reader": persons.get(person), "label": label})
    rows, notes, deleted = [], [], 0
    for said in base.execute("SELECT * FROM Annotations ORDER BY uid"):
        values = dict(said)
        if values.get("deleted"):
            deleted += 1
            continue
        found = _shape(values["type"], points.get(values["uid"], []))
        if found is None:
            place = f"{file} Annotations row {values['uid']}"
            notes.append(f"{place}: of type {values['type']} with too few points; left out.")
            continue
        row = _row(values, found, votes.get(values["uid"], []), classes)
        named = slides.get(values["slide"])
        frame = frames.find(named) if named else None
        row["image"] = frame.image if frame is not None else named
        rows.append(row)
    if deleted:
        notes.append(f"{deleted} annotations that were deleted in SlideRunner stay deleted.")
    colors = {row["name"]: row["color"] for row in classes.values() if dict(row).get("color")}
    dialect = f"SlideRunner SQLite, {len(persons)} persons, {len(slides)} slides"
    return Reading(to_table(rows), dialect, (), colors, tuple(notes))


def _shape(number: int, points: Points) -> tuple[str, shapely.Geometry] | None:
    if number in (1, 4):
        return ("point", shapely.Point(points[0])) if points else None
    box = upright(points) if number in (2, 5) and len(points) == 2 else None
    if box is not None:
        left, top, right, bottom = box.bounds
        square = right - left == bottom - top
        return ("box" if number == 2 else "circle" if square else "ellipse"), box
    polygon = closed(points) if number == 3 else None
    return polygon and ("polygon", polygon)


def _row(
    said: Mapping[str, Any],
    found: tuple[str, shapely.Geometry],
    votes: Sequence[dict[str, str | None]],
    classes: Mapping[int, sqlite3.Row],
) -> Row:
    agreed = classes.get(said["agreedClass"])
    row = new_row(*found, [agreed["name"]] if agreed is not None else [])
    row["annotation"] = said.get("guid") or row["annotation"]
    row["foreign"] = str(said["uid"])
    row["name"] = said.get("description") or None
    persons = {vote["reader"] for vote in votes}
    row["reader"] = persons.pop() if len(persons) == 1 else None
    if len(votes) > 1 or any([vote["label"]] != row["labels"] for vote in votes):
        row["properties"]["votes"] = list(votes)
    if said.get("type") == 4:
        row["properties"]["type"] = "special spot"
    if isinstance(said.get("lastModified"), float):
        row["time"] = datetime.fromtimestamp(said["lastModified"], UTC)
    return row


def _votes(row: Row) -> list[dict[str, Any]] | None:
    """The votes among a row's properties, if they are such."""
    votes = row["properties"].get("votes")
    fits = isinstance(votes, list) and all(
        isinstance(vote, dict) and set(vote) == {"reader", "label"} for vote in votes
    )
    return votes if fits else None


def _write(
    base: sqlite3.Connection, rows: Sequence[Row], frames: Frames, colors: Mapping[str, str]
) -> None:
    cast = [_votes(row) or _own_vote(row) for row in rows]
    said = [vote for votes in cast for vote in votes]
    agreed = [row["labels"][0] for row in rows if row["labels"]]
    classes = _numbered([*agreed, *(vote["label"] for vote in said)])
    persons = _numbered([vote["reader"] for vote in said])
    images = _numbered([row["image"] for row in rows])
    base.executemany(
        "INSERT INTO Classes (uid, name, color) VALUES (?, ?, ?)",
        [(uid, name, colors.get(name, "#808080")) for name, uid in classes.items()],
    )
    base.executemany(
        "INSERT INTO Persons (uid, name) VALUES (?, ?)", [(n, name) for name, n in persons.items()]
    )
    for image, uid in images.items():
        frame = frames.find(image)
        named = (frame.name, frame.width, frame.height) if frame is not None else (image, 0, 0)
        base.execute(
            "INSERT INTO Slides (uid, filename, width, height) VALUES (?, ?, ?, ?)", (uid, *named)
        )
    for uid, (row, votes) in enumerate(zip(rows, cast, strict=True), 1):
        slide = images.get(row["image"])
        time = row["time"].timestamp() if row["time"] is not None else 0.0
        label = classes[row["labels"][0]] if row["labels"] else 0
        base.execute(
            "INSERT INTO Annotations (uid, slide, guid, lastModified, type, agreedClass, "
            "description) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (uid, slide, row["annotation"], time, _TYPES[row["kind"]], label, row["name"] or ""),
        )
        base.executemany(
            "INSERT INTO Annotations_coordinates (coordinateX, coordinateY, slide, annoId, "
            "orderIdx) VALUES (?, ?, ?, ?, ?)",
            [(round(x), round(y), slide, uid, n) for n, (x, y) in enumerate(_places(row), 1)],
        )
        base.executemany(
            "INSERT INTO Annotations_label (person, class, annoId) VALUES (?, ?, ?)",
            [
                (persons.get(vote["reader"], 0), classes.get(vote["label"], 0), uid)
                for vote in votes
            ],
        )


def _own_vote(row: Row) -> list[dict[str, Any]]:
    if row["reader"] is None:
        return []
    return [{"reader": row["reader"], "label": row["labels"][0] if row["labels"] else None}]


def _places(row: Row) -> Points:
    if row["kind"] not in ("box", "circle"):
        return corners(row["shape"])
    left, top, right, bottom = row["shape"].bounds
    if row["kind"] == "circle":  # it must stay as wide as high when it is rounded
        left, top, side = round(left), round(top), max(1, round(right - left))
        return [(left, top), (left + side, top + side)]
    return [(left, top), (right, bottom)]


def _numbered(names: Sequence[str | None]) -> dict[str, int]:
    """Numbers from 1 for names, in the order they come."""
    once = dict.fromkeys(name for name in names if name is not None)
    return {name: number for number, name in enumerate(once, 1)}


FORMAT = SlideRunner()
