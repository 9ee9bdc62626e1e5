"""A case is taken out: nothing of it is left, all else is as it was, and verify still holds."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curatome.dataset.versions import load_log, verify, withdrawing
from curatome.dataset.versions.model import read_info
from curatome.dataset.versions.withdrawing import Wish, pending, withdraw
from curatome.tiles.shards import read_member
from tests.dataset.versions.made import make


@pytest.fixture
def made(tmp_path):
    made = make(tmp_path)
    made.freeze("v1")
    made.freeze("v2", annotations=made.tables["annotations"].slice(5))
    return made


def wish_of(made) -> Wish:
    rows = made.tables["slides"].to_pylist()
    case = rows[0]["case"]
    slides = tuple(row["slide"] for row in rows if row["case"] == case)
    return Wish(case, slides, "consent withdrawn", "2025-02-01T00:00:00Z")


def everything(made) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(made.root.parent.rglob("*")) if p.is_file())


def test_nothing_of_the_case_is_left(made):
    wish = wish_of(made)
    before = load_log(made.root)
    rows = made.tables["items"].to_pylist()
    mine = next(row for row in rows if row["case"] == wish.case)
    pixels = read_member(made.shards / mine["shard"], mine["offset"], mine["length"])
    assert pixels in everything(made)
    done = withdraw(made.root, made.shards, wish)
    assert not verify(made.root, made.shards)
    assert pixels not in everything(made)
    for name in ("v1", "v2"):
        entry = next(e for e in load_log(made.root) if e.name == name)
        folder = made.root / entry.folder
        items = pq.read_table(folder / "items.parquet").to_pylist()
        assert {row["case"] for row in items} == {r["case"] for r in rows} - {wish.case}
        annotations = pq.read_table(folder / "annotations.parquet")["image"].to_pylist()
        assert not set(annotations) & set(wish.slides)
        assert wish.case not in (folder / "version.json").read_text()
        (stone,) = read_info(folder).withdrawn
        assert stone.reason == "consent withdrawn"
        assert stone.rows["items"] == sum(row["case"] == wish.case for row in rows)
        assert done.rows[name] == stone.rows
    assert len(done.shards) == len(wish.slides)
    assert [e.was[0].id for e in load_log(made.root)] == [e.id for e in before]


def test_other_rows_keep_their_hashes(made):
    wish = wish_of(made)
    before = pq.read_table(made.root / "v1" / "items.parquet").to_pylist()
    withdraw(made.root, made.shards, wish)
    entry = load_log(made.root)[0]
    after = pq.read_table(made.root / entry.folder / "items.parquet").to_pylist()
    assert after == [row for row in before if row["case"] != wish.case]


def test_images_in_a_shared_shard_are_erased_in_place(tmp_path):
    """One image of the case in a shard of another one, as regions of public sources lie."""
    made = make(tmp_path)
    rows = made.tables["items"].to_pylist()
    one, *others = [row for row in rows if row["shard"] == rows[0]["shard"]]
    one["case"] = "X"
    one["slide"] = "X-1"
    made.freeze("v1", items=pa.Table.from_pylist(rows, made.tables["items"].schema))
    path = made.shards / one["shard"]
    kept = [read_member(path, row["offset"], row["length"]) for row in others]
    done = withdraw(made.root, made.shards, Wish("X", (), "asked", "2025-02-01T00:00:00Z"))
    assert done.erased == (one["shard"],)
    assert not done.shards
    assert [read_member(path, row["offset"], row["length"]) for row in others] == kept
    assert read_member(path, one["offset"], one["length"]) == bytes(one["length"])
    assert not verify(made.root, made.shards)


def test_images_that_are_in_no_version_are_erased_too(made):
    """What is built beside the versions: one image in a shard of others, one in one of its own."""
    rows = made.tables["items"].to_pylist()
    other = next(row for row in rows if row["case"] != wish_of(made).case)
    shared, own = made.shards / other["shard"], made.shards / "own.tar"
    kept = read_member(shared, other["offset"], other["length"])
    end = shared.stat().st_size
    shared.write_bytes(shared.read_bytes() + b"pixels of the case" * 20)
    own.write_bytes(b"more pixels of the case" * 20)
    places = [("two/a", other["shard"], end, 360), ("two/b", "own.tar", 0, 460),
              ("two/c", other["shard"], other["offset"], other["length"])]  # fmt: skip
    columns = dict(
        zip(("slide", "shard", "offset", "length"), zip(*places, strict=True), strict=True)
    )
    wish = Wish("X", ("two/a", "two/b"), "asked", "2025-02-01T00:00:00Z")
    built = pa.RecordBatch.from_pydict({name: list(some) for name, some in columns.items()})
    done = withdraw(made.root, made.shards, wish, built=lambda: iter([built]))
    assert done.shards == ("own.tar",)
    assert done.erased == (other["shard"],)
    assert b"pixels of the case" not in everything(made)
    assert not own.exists()
    assert read_member(shared, other["offset"], other["length"]) == kept


def test_a_case_of_one_source_is_not_that_of_another(made):
    rows = made.tables["items"].to_pylist()
    for row, source in zip(rows[:3], ("one", "two", "three"), strict=True):
        row["source"], row["slide"], row["case"] = source, f"{source}/hash", f"{source}/7"
    made.freeze("v3", items=pa.Table.from_pylist(rows, made.tables["items"].schema))
    for case, gone in (("two/7", {"two"}), ("7", {"one", "two", "three"})):
        withdraw(made.root, made.shards, Wish(case, (), "asked", f"2025-02-0{len(gone)}T00:00:00Z"))
        folder = made.root / load_log(made.root)[-1].folder
        left = set(pq.read_table(folder / "items.parquet")["source"].to_pylist()) - {None}
        assert left == {"one", "two", "three"} - gone
    assert not verify(made.root, made.shards)


def test_a_picture_that_was_moved_to_another_case_stays(made):
    """Version 3 says that the slide is another patient's; that patient did not ask."""
    wish = wish_of(made)
    rows = made.tables["items"].to_pylist()
    for row in rows:
        if row["case"] == wish.case:
            row["case"], row["slide"] = "Y", f"Y {row['slide']}"
    made.freeze("v3", items=pa.Table.from_pylist(rows, made.tables["items"].schema))
    done = withdraw(made.root, made.shards, wish)
    assert not done.shards
    assert not done.erased
    assert done.rows["v1"]["items"] > done.rows["v3"]["items"] == 0
    assert not verify(made.root, made.shards)


@pytest.mark.parametrize(
    "step", ["_places", "_erased", "write_files", "put_in_place", "save_log", "shutil.rmtree"]
)
def test_killed_anywhere_the_same_call_finishes_it(made, monkeypatch, step):
    wish = wish_of(made)

    def killed(*_args, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{withdrawing.__name__}.{step}", killed)
    try:
        withdraw(made.root, made.shards, wish)
    except KeyboardInterrupt:
        assert pending(made.root) == wish
    monkeypatch.undo()
    withdraw(made.root, made.shards, wish)
    assert pending(made.root) is None
    assert not verify(made.root, made.shards)
    rows = pq.read_table(made.root / load_log(made.root)[0].folder / "items.parquet")
    assert wish.case not in rows["case"].to_pylist()
    folders = {entry.folder for entry in load_log(made.root)}
    assert {p.name for p in made.root.iterdir()} == {"log.json", *folders}


def test_a_second_case_after_the_first(made):
    first = wish_of(made)
    withdraw(made.root, made.shards, first)
    rest = [r for r in made.tables["slides"].to_pylist() if r["case"] != first.case]
    case = rest[0]["case"]
    slides = tuple(r["slide"] for r in rest if r["case"] == case)
    withdraw(made.root, made.shards, Wish(case, slides, "again", "2025-03-01T00:00:00Z"))
    assert not verify(made.root, made.shards)
    info = read_info(made.root / load_log(made.root)[1].folder)
    assert [stone.reason for stone in info.withdrawn] == ["consent withdrawn", "again"]
