"""The copies of a machine: whole, bounded, shared, and safe from kills."""

import os
import signal
import subprocess
import sys
import time

import pytest

from curatome import copies
from curatome.copies import cache_limit, local_copies, scratch_file
from curatome.errors import MissingObject, StorageError
from curatome.objects import put
from tests.stores import NEVER, s3_server

SIZE = 600_000
COPY = """
import sys, time
from curatome.copies import local_copies
with local_copies(sys.argv[2:], lambda _: None) as paths:
    print(paths[0], flush=True)
    time.sleep(float(sys.argv[1]))
    data = paths[0].read_bytes()
print(len(data), flush=True)
"""


def still(_):
    """Nobody is told."""


def url(n):
    return f"s3://bucket/{n}.svs"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with s3_server() as faults:
        path = tmp_path_factory.mktemp("objects") / "file"
        for n in range(4):
            path.write_bytes(bytes([n]) * SIZE)
            put(path, url(n))
            put(path, f"s3://bucket/{n}/Slidedat.ini")
        yield faults


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch, store):
    monkeypatch.setenv("CURATOME_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "slides"
    store.slow = (NEVER, 0.0)


def process(seconds, *urls):
    command = [sys.executable, "-c", COPY, str(seconds), *urls]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def downloads(store, n):
    return sum(line == f"GET /bucket/{n}.svs" for line in store.asked)


def whole(cache):
    return sorted(p.name for p in cache.rglob("*.svs") if not p.name.startswith("."))


def use(n):
    with local_copies([url(n)], still) as (path,):
        assert path.read_bytes() == bytes([n]) * SIZE


def test_an_object_is_copied_once_and_again_when_it_has_changed(store, cache, tmp_path):
    path = tmp_path / "file"
    for content, expected in ((b"one", 1), (b"one", 1), (b"two", 2)):
        path.write_bytes(content)
        if not (cache.exists() and content == b"one"):
            put(path, "s3://bucket/9.svs")
        with local_copies(["s3://bucket/9.svs"], still) as (copy,):
            assert (copy.name, copy.read_bytes()) == ("9.svs", content)
        assert downloads(store, 9) == expected


def test_files_of_one_slide_lie_side_by_side(cache):
    with local_copies([url(1), "s3://bucket/1/Slidedat.ini"], still) as (main, data):
        assert data.relative_to(main.parent).as_posix() == "1/Slidedat.ini"
    with (
        pytest.raises(StorageError, match="does not lie beside or below"),
        local_copies(["s3://bucket/1/Slidedat.ini", url(1)], still),
    ):
        pass


def test_those_not_used_for_longest_make_room(cache, monkeypatch):
    monkeypatch.setenv("CURATOME_CACHE_GB", str(2.5 * SIZE / 1e9))
    for n in (0, 1, 0, 2):
        use(n)
        time.sleep(0.01)
    assert whole(cache) == ["0.svs", "2.svs"]
    assert len([*cache.glob("*.lock")]) == 2


def test_what_another_process_reads_is_not_removed(cache, monkeypatch):
    monkeypatch.setenv("CURATOME_CACHE_GB", str(1.5 * SIZE / 1e9))
    with process(3600, url(0)) as reader:
        assert reader.stdout.readline().endswith("0.svs\n")
        use(1)
        use(2)
        assert whole(cache) == ["0.svs", "2.svs"]  # over the limit, rather than in the way
        reader.kill()
    use(3)
    assert whole(cache) == ["3.svs"]  # a lock ends with its process


def test_several_processes_wait_for_one_download(store, cache):
    before = downloads(store, 3)
    store.slow = ("GET /bucket/3", 0.05)
    readers = [process(0, url(3)) for _ in range(3)]
    assert [reader.communicate(timeout=120)[0].split()[1] for reader in readers] == [str(SIZE)] * 3
    assert downloads(store, 3) == before + 1


def test_a_killed_download_leaves_nothing_that_counts(store, cache):
    store.slow = ("GET /bucket/2", 0.5)
    before = downloads(store, 2)
    with process(0, url(2)) as reader:
        while downloads(store, 2) == before or not [*cache.glob("*/.2.svs.*.unfinished")]:
            assert reader.poll() is None
            time.sleep(0.01)
        reader.send_signal(signal.SIGKILL)
    assert whole(cache) == []
    assert [*cache.glob("*/.2.svs.*.unfinished")]
    store.slow = (NEVER, 0.0)
    use(2)
    assert whole(cache) == ["2.svs"]
    assert not [*cache.glob("*/.*.unfinished")]


def test_a_copy_that_was_cut_short_is_made_again(cache):
    use(0)
    (path,) = cache.glob("*/0.svs")
    os.truncate(path, 10)
    use(0)


def test_a_missing_object_leaves_no_entry(cache):
    with pytest.raises(MissingObject, match="not there"), local_copies([url(77)], still):
        pass
    assert whole(cache) == []


@pytest.mark.parametrize("text", ["0", "-1", "many", "inf"])
def test_a_limit_must_be_a_number(monkeypatch, text):
    monkeypatch.setenv("CURATOME_CACHE_GB", text)
    with pytest.raises(StorageError, match="CURATOME_CACHE_GB must be a positive number"):
        cache_limit()


def test_forgotten_scratch_files_are_removed(monkeypatch, cache):
    with scratch_file() as mine:
        left = copies.cache_folder() / "scratch" / "left"
        left.write_bytes(b"x")
        os.utime(left, (0, 0))
        with scratch_file():
            assert not left.exists()
            assert os.path.exists(mine.name)  # noqa: PTH110
    assert [*(copies.cache_folder() / "scratch").iterdir()] == []
