"""Versions: made whole or not at all, found by name and id, and verified to the byte."""

from __future__ import annotations

import itertools
import json
import shutil

import numpy as np
import pytest

from curatome.dataset.versions import find_version, load_log, verify
from curatome.dataset.versions.model import read_info
from curatome.errors import VersionError
from tests.dataset.versions.made import make


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    made = make(tmp_path_factory.mktemp("dataset"))
    made.freeze("v1", "first")
    made.freeze("v2", "second", annotations=made.tables["annotations"].slice(3))
    return made


@pytest.fixture
def made(template, tmp_path):
    shutil.copytree(template.root.parent, tmp_path / "copy")
    return type(template)(
        tmp_path / "copy" / "versions", tmp_path / "copy" / "build", template.tables
    )


def test_a_chain_of_ids(made):
    first, second = load_log(made.root)
    info = read_info(made.root / "v2")
    assert info.id == second.id
    assert info.parent == first.id
    assert read_info(made.root / "v1").parent is None
    assert info.rows("annotations") == read_info(made.root / "v1").rows("annotations") - 3


def test_versions_are_found_by_name_and_by_id(made):
    first, second = load_log(made.root)
    assert find_version(made.root) == second
    assert find_version(made.root, "v1") == first
    assert find_version(made.root, first.id[:8]) == first
    with pytest.raises(VersionError, match="There are: v1, v2"):
        find_version(made.root, "v3")
    with pytest.raises(VersionError, match="there is no version yet"):
        find_version(made.root / "nowhere")


def test_a_name_is_used_once(made):
    with pytest.raises(VersionError, match="there is a version v1 already"):
        made.freeze("v1")
    with pytest.raises(VersionError, match="cannot be the name"):
        made.freeze("../v9")


def test_an_interrupted_attempt_leaves_nothing_visible(made, monkeypatch):
    before = load_log(made.root)

    def killed(*_args):
        raise KeyboardInterrupt

    for step in ("write_files", "put_in_place", "save_log"):
        monkeypatch.setattr(f"curatome.dataset.versions.freezing.{step}", killed)
        with pytest.raises(KeyboardInterrupt):
            made.freeze("v3")
        monkeypatch.undo()
        assert load_log(made.root) == before
        assert not verify(made.root, made.shards)
    made.freeze("v3")
    assert [entry.name for entry in load_log(made.root)] == ["v1", "v2", "v3"]
    assert not verify(made.root, made.shards)
    assert sorted(p.name for p in made.root.iterdir()) == ["log.json", "v1", "v2", "v3"]


def test_the_same_rows_make_the_same_files(made):
    made.freeze("v3", "again")
    one, other = read_info(made.root / "v1"), read_info(made.root / "v3")
    assert one.files == other.files


def test_damage_is_told_to_the_row(made):
    path = made.root / "v1" / "items.parquet"
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    labels = table["labels"].to_pylist()
    labels[4] = ["invasive, or so"]
    at = table.column_names.index("labels")
    field = table.schema.field("labels")
    import pyarrow as pa

    pq.write_table(table.set_column(at, field, pa.array(labels, field.type)), path)
    (finding,) = verify(made.root, made.shards)
    assert finding.code == "VER002"
    assert f"Rows that differ: 1 ({table['item'][4].as_py()})" in finding.message


def test_damage_is_told_to_the_image(made):
    row = made.tables["items"].to_pylist()[7]
    path = made.shards / row["shard"]
    data = bytearray(path.read_bytes())
    data[row["offset"] + 5] ^= 1
    path.write_bytes(data)
    found = verify(made.root, made.shards)
    assert [f.code for f in found] == ["VER002", "VER002"]  # both versions share the shard
    assert all(f"Images that differ: 1 ({row['item']})" in f.message for f in found)


def corrupt(made, rng: np.random.Generator) -> str:
    """One random corruption of one random file; what was done."""
    files = sorted(p for p in made.root.parent.rglob("*") if p.is_file())
    path = files[rng.integers(len(files))]
    way = ("flip", "truncate", "swap", "delete")[rng.integers(4)]
    data = path.read_bytes()
    if way == "flip" and data:
        at = int(rng.integers(len(data)))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.integers(8))]) + data[at + 1 :])
    elif way == "truncate" and data:
        path.write_bytes(data[: int(rng.integers(len(data)))])
    elif way == "swap":
        others = [p for p in files if p.read_bytes() != data]
        other = others[rng.integers(len(others))]
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)
    else:
        path.unlink()
    return f"{way} {path.relative_to(made.root.parent)}"


def restored(made, kept: dict) -> None:
    for path in list(made.root.parent.rglob("*")):
        if path.is_file() and path not in kept:
            path.unlink()
    for path, data in kept.items():
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_random_corruptions_are_found(made, seed):
    kept = {p: p.read_bytes() for p in made.root.parent.rglob("*") if p.is_file()}
    rng = np.random.default_rng(seed)
    for _ in range(15):
        what = corrupt(made, rng)
        assert verify(made.root, made.shards), what
        restored(made, kept)
        assert not verify(made.root, made.shards)


@pytest.mark.acceptance
def test_a_thousand_corruptions_are_found_and_a_thousand_clean_checks_are_silent(made):
    kept = {p: p.read_bytes() for p in made.root.parent.rglob("*") if p.is_file()}
    rng = np.random.default_rng(77)
    for _ in range(1000):
        what = corrupt(made, rng)
        assert verify(made.root, made.shards), what
        restored(made, kept)
        assert not verify(made.root, made.shards)


def test_a_log_with_another_digest_is_not_trusted(made):
    path = made.root / "log.json"
    content = json.loads(path.read_text())
    content["versions"].pop()
    path.write_text(json.dumps(content))
    (finding,) = verify(made.root, made.shards)
    assert finding.code == "VER003"


def test_one_version_alone_is_verified(made):
    (made.root / "v2" / "items.parquet").unlink()
    assert not verify(made.root, made.shards, ["v1"])
    assert [f.code for f in verify(made.root, made.shards, ["v2"])] == ["VER001"]


def test_what_does_not_belong_there_is_told(made):
    (made.root / "v1" / "notes.txt").write_text("mine")
    (finding,) = verify(made.root, made.shards)
    assert "notes.txt lies in version v1" in finding.message


def test_parents_are_checked(made):
    """v2 in the place of v1: each is sound, the chain is not."""
    first, second = load_log(made.root)
    from curatome.dataset.versions.log import save_log

    save_log(made.root, [second, first])
    found = verify(made.root, made.shards)
    assert {f.code for f in found} == {"VER003"}
    assert len(list(itertools.chain(found))) == 2
