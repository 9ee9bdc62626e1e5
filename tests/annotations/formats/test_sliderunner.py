"""SlideRunner databases: votes, deleted annotations, and files that are none."""

import json
import sqlite3

import pytest
import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.sliderunner import FORMAT
from curatome.errors import AnnotationError

from .exchange import exchange, row, table

VOTES = [{"reader": "ann", "label": "mitosis"}, {"reader": "bob", "label": "other"}]


@pytest.fixture
def base(tmp_path):
    before = table(
        row(1, "point", shapely.Point(10, 20), ["mitosis"],
            properties=json.dumps({"votes": VOTES})),
        row(2, "box", shapely.box(1, 2, 30, 40), ["other"], reader="ann"),
        row(3, "polygon", shapely.Polygon([(0, 0), (9, 0), (9, 9)]), ["other"]),
    )  # fmt: skip
    path = tmp_path / "a.sqlite"
    losses, reading = exchange(FORMAT, before, path)
    assert losses == []
    assert FORMAT.recognize(path, path.read_bytes()[: 1 << 16])
    return path, reading


def test_every_vote_is_kept(base):
    path, reading = base
    first, second, _ = reading.table.to_pylist()
    assert json.loads(first["properties"])["votes"] == VOTES
    assert (first["reader"], second["reader"], first["labels"]) == (None, "ann", ["mitosis"])
    with sqlite3.connect(path) as raw:
        cast = raw.execute(
            "SELECT p.name, c.name FROM Annotations_label l JOIN Persons p ON p.uid = l.person "
            "JOIN Classes c ON c.uid = l.class WHERE l.annoId = 1 ORDER BY l.uid"
        ).fetchall()
    assert cast == [("ann", "mitosis"), ("bob", "other")]


def test_what_was_deleted_stays_deleted(base):
    path, _ = base
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE Annotations SET deleted = 1 WHERE uid = 2")
    reading = FORMAT.read(path, Frames(), Options())
    assert len(reading.table) == 2
    assert reading.notes == ("1 annotations that were deleted in SlideRunner stay deleted.",)


def test_files_that_are_none_are_refused(base, tmp_path):
    path, _ = base
    fake, broken, other = (tmp_path / f"{n}.sqlite" for n in ("fake", "broken", "other"))
    fake.write_text("uid,guid")
    broken.write_bytes(path.read_bytes()[:6000])
    with sqlite3.connect(other) as raw:
        raw.execute("CREATE TABLE Slides (uid)")
    for file, message in ((fake, "is no SQLite file"), (broken, "is a broken SQLite file"),
                          (other, "is no database of SlideRunner")):  # fmt: skip
        with pytest.raises(AnnotationError, match=f"{file.name} {message}"):
            FORMAT.read(file, Frames(), Options())
