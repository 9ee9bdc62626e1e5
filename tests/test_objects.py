"""Objects of stores: S3 through a server that can be told to fail, the web, memory."""

import sys
from importlib import import_module

import pytest

from curatome import objects
from curatome.errors import MissingObject, StorageError
from curatome.location import file_name, file_stamp, file_stamps, joined, located
from curatome.objects import (
    describe,
    fetch,
    find_objects,
    objects_below,
    opened_object,
    put,
    read_ranges,
)
from tests.stores import NEVER, s3_server, web_server

DATA = bytes(range(256)) * 2000


@pytest.fixture(scope="module")
def store():
    with s3_server() as faults:
        yield faults


@pytest.fixture
def stored(store, tmp_path, monkeypatch):
    """A store with two slides and a note; its faults."""
    monkeypatch.setattr(objects, "_PAUSES", (0.0, 0.0))
    path = tmp_path / "file"
    path.write_bytes(DATA)
    for name in ("a/one.svs", "a/deep/two.svs", "a/note.txt"):
        put(path, f"s3://bucket/{name}")
    yield store
    store.denied = store.cut = NEVER


def test_what_was_put_comes_back(stored, tmp_path):
    ticks = []
    (found,) = describe(["s3://bucket/a/one.svs"])
    assert found.size == len(DATA)
    fetch(found, tmp_path / "copy", ticks.append)
    assert (tmp_path / "copy").read_bytes() == DATA
    assert sum(ticks) == len(DATA)
    with opened_object(found.url) as stream:
        stream.seek(256)
        assert stream.read(4) == DATA[:4]


def test_ranges_come_in_the_order_asked_for(stored):
    url = "s3://bucket/a/one.svs"
    places = [(url, 300, 10), (url, 0, 3), ("s3://bucket/a/note.txt", 77, 1)]
    assert read_ranges(places) == [DATA[300:310], DATA[:3], DATA[77:78]]
    with pytest.raises(EOFError, match=r"one\.svs: wanted 9 bytes at 511995, got 5"):
        read_ranges([(url, len(DATA) - 5, 9)])
    with pytest.raises(MissingObject, match=r"no\.svs cannot be read: it is not there"):
        read_ranges([("s3://bucket/a/no.svs", 0, 9)])
    assert read_ranges([]) == []


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("s3://bucket/a", ["deep/two.svs", "note.txt", "one.svs"]),
        ("s3://bucket/a/", ["deep/two.svs", "note.txt", "one.svs"]),
        ("s3://bucket/a/*.svs", ["one.svs"]),
        ("s3://bucket/a/**/*.svs", ["deep/two.svs", "one.svs"]),
        ("s3://bucket/a/one.svs", ["one.svs"]),
    ],
)
def test_a_url_stands_for_an_object_a_folder_or_a_pattern(stored, url, names):
    assert find_objects(url) == [f"s3://bucket/a/{name}" for name in names]


def test_a_folder_alone_is_listed_with_sizes(stored):
    found = objects_below("s3://bucket/a", deep=False)
    assert found == dict.fromkeys(["s3://bucket/a/note.txt", "s3://bucket/a/one.svs"], len(DATA))


@pytest.mark.parametrize("url", ["s3://bucket/none/", "s3://bucket/none", "s3://bucket/x*"])
def test_nothing_there_is_said(stored, url):
    with pytest.raises(MissingObject, match="s3://bucket/"):
        find_objects(url)


def test_a_bucket_that_is_not_there_takes_nothing(stored, tmp_path):
    with pytest.raises(MissingObject, match="s3://no-such/x cannot be written: it is not there"):
        put(tmp_path / "file", "s3://no-such/x")


def test_denied_access_is_said_with_the_remedy(stored, tmp_path):
    stored.denied = "one.svs"
    with pytest.raises(StorageError, match=r"cannot be read: access is denied. Check the cred"):
        describe(["s3://bucket/a/one.svs"])
    with pytest.raises(StorageError, match="cannot be written: access is denied"):
        put(tmp_path / "file", "s3://bucket/a/one.svs")


def test_an_object_that_is_cut_short_gives_no_file(stored, tmp_path):
    (found,) = describe(["s3://bucket/a/one.svs"])
    stored.cut = "GET .*one.svs"
    with pytest.raises(StorageError, match=r"one\.svs"):
        fetch(found, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_another_size_than_the_store_says_gives_no_file(stored, tmp_path):
    (found,) = describe(["s3://bucket/a/one.svs"])
    larger = objects.StoredObject(found.url, len(DATA) + 1, found.mark)
    with pytest.raises(StorageError, match="has 512001 bytes, and 512000 arrived"):
        fetch(larger, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_an_object_that_changes_meanwhile_gives_no_file(stored, tmp_path):
    (found,) = describe(["s3://bucket/a/one.svs"])
    (tmp_path / "file").write_bytes(DATA[::-1])
    put(tmp_path / "file", found.url)
    with pytest.raises(StorageError, match="changed while it was read"):
        fetch(found, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_stamp_changes_with_the_content_and_is_none_if_it_is_gone(stored, tmp_path):
    url = "s3://bucket/a/one.svs"
    before = file_stamp(url)
    assert file_stamp(url) == before
    (tmp_path / "file").write_bytes(DATA[::-1])
    put(tmp_path / "file", url)
    assert file_stamp(url) not in (None, before)
    assert file_stamp("s3://bucket/a/no.svs") is None
    stored.denied = "two.svs"
    asked = [url, "s3://bucket/a/no.svs", "s3://bucket/a/deep/two.svs", tmp_path / "file"]
    found = file_stamps(asked)
    assert set(found) == {asked[0], asked[1], asked[3]}  # one may not be asked
    assert found[asked[1]] is None


def test_the_web_is_read_and_its_index_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(objects, "_PAUSES", ())
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "my slide.svs").write_bytes(DATA)
    with web_server(tmp_path / "www") as address:
        (url,) = find_objects(f"{address}/")
        assert file_name(url) == "my slide.svs"
        (found,) = describe([url])
        fetch(found, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == DATA
        with pytest.raises(EOFError, match="wanted 5 bytes at 3, got 512000"):
            read_ranges([(url, 3, 5)])  # this server sends no ranges
        with pytest.raises(MissingObject):
            describe([f"{address}/no.svs"])
    with pytest.raises(StorageError, match="Check the address, the network"):
        describe([url])


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setattr(objects, "_systems", {})
    registry = import_module("fsspec.registry")
    for name in ("s3", "s3a"):
        monkeypatch.delitem(registry._registry, name, raising=False)
    with pytest.raises(StorageError, match=r"s3://b/x needs another package.*pip install s3fs"):
        describe(["s3://b/x"])


def test_an_unknown_protocol_is_refused():
    with pytest.raises(StorageError, match=r"nope://b/x: nope:// is not known. Known are s3://"):
        describe(["nope://b/x"])


def test_places_are_told_apart(tmp_path):
    assert located("file:///a%20b/c.svs").as_posix() == "/a b/c.svs"
    assert located("a.svs", tmp_path) == tmp_path / "a.svs"
    assert located("gs://b/a.svs", tmp_path) == "gs://b/a.svs"
    assert joined("s3://b/", "x/y") == "s3://b/x/y"
    assert joined(tmp_path, "x/y") == tmp_path / "x" / "y"
    assert file_name("https://h/d/a%20b.svs?sig=1/2") == "a b.svs"
    assert file_name("s3://b/what?.svs") == "what?.svs"
