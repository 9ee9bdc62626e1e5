import os
import pickle
import re
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from curatome.errors import BuildError
from curatome.protocol import BuildSettings
from curatome.tiles.batches import BatchReader, Loading, Share, TileReader
from curatome.tiles.encode import decode, encode
from curatome.tiles.handles import ShardFiles
from curatome.tiles.index import TileIndex
from curatome.tiles.read import TileSource
from tests.tiles.small_build import COUNT, image, write_build


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def index(manifest):
    return TileIndex(manifest, "S")


def order(reader):
    """Positions of an epoch, batch by batch."""
    return [batch.positions.tolist() for batch in reader]


def flat(batches):
    return list(chain.from_iterable(batches))


# Order


def test_in_order_without_a_seed(index):
    batches = order(BatchReader(index, 10))
    assert flat(batches) == list(range(COUNT))
    assert [len(b) for b in batches] == [10] * 10 + [5]


def test_epochs_differ_and_repeat_with_the_seed(index):
    reader, again = BatchReader(index, 8, seed=3), BatchReader(index, 8, seed=3)
    first, second = order(reader), order(reader)
    assert first != second
    assert [order(again), order(again)] == [first, second]
    assert order(BatchReader(index, 8, seed=4)) != first
    assert sorted(flat(second)) == list(range(COUNT))


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize(("ranks", "workers"), [(1, 3), (2, 2), (3, 4), (7, 1)])
def test_every_tile_once_over_ranks_and_workers(index, seed, ranks, workers):
    given = []
    for rank in range(ranks):
        for worker in range(workers):
            share = Share(rank, ranks, worker, workers)
            reader = BatchReader(index, 4, seed=seed, share=share)
            batches = order(reader)
            given += flat(batches)
            reader.start(0)
            assert len(batches) == len(reader)
    assert sorted(given) == list(range(COUNT))


def test_workers_in_turn_give_what_one_worker_gives(index):
    alone = order(BatchReader(index, 4, seed=1))
    three = [order(BatchReader(index, 4, seed=1, share=Share(0, 1, w, 3))) for w in range(3)]
    assert [three[i % 3][i // 3] for i in range(len(alone))] == alone


def test_without_the_last_batch_all_ranks_have_as_many(index):
    readers = [
        BatchReader(index, 8, seed=1, drop_last=True, share=Share(rank, 4)) for rank in range(4)
    ]
    batches = [order(reader) for reader in readers]
    assert [len(b) for b in batches] == [3] * 4  # 105 // 4 = 26 tiles, three batches of 8
    assert {len(b) for rank in batches for b in rank} == {8}
    assert len(set(flat(flat(batches)))) == 96


def test_shares_that_cannot_be_are_refused(index):
    with pytest.raises(ValueError, match="below their counts"):
        Share(rank=2, ranks=2)
    with pytest.raises(ValueError, match="batch_size must be positive"):
        BatchReader(index, 0)


# Going on


@pytest.mark.parametrize("share", [Share(), Share(1, 2, 1, 2)])
@pytest.mark.parametrize("stop", [0, 1, 4])
def test_a_state_goes_on_with_the_same_batches(index, share, stop):
    whole = BatchReader(index, 5, seed=9, share=share)
    expected = order(whole) + order(whole)
    reader = BatchReader(index, 5, seed=9, share=share)
    before = []
    for batch, _ in zip(reader, range(stop), strict=False):
        before.append(batch.positions.tolist())
    # zip takes one more batch than it gives, so the state is that of stop + 1 batches.
    other = BatchReader(index, 5, seed=9, share=share)
    other.load_state_dict(reader.state_dict())
    rest = order(other) + order(other)
    assert before == expected[:stop]
    assert rest == expected[stop + 1 :]
    assert other.state_dict()["epoch"] == 2


def test_a_loop_that_was_left_goes_on(index):
    reader = BatchReader(index, 50)
    assert next(iter(reader)).number == 0
    assert [batch.number for batch in reader] == [1, 2]
    assert [(batch.epoch, batch.number) for batch in reader] == [(1, 0), (1, 1), (1, 2)]


def test_going_on_with_another_number_of_workers(index):
    alone = order(BatchReader(index, 4, seed=2))
    rest = []
    for worker in range(3):
        reader = BatchReader(index, 4, seed=2, share=Share(0, 1, worker, 3))
        reader.start(0, batch=5)
        rest.append(order(reader))
    assert [rest[i % 3][i // 3] for i in range(len(alone) - 5)] == alone[5:]


def test_the_state_of_another_reader_is_refused(index, manifest):
    state = BatchReader(index, 5, seed=9).state_dict()
    for other in (
        BatchReader(index, 6, seed=9),
        BatchReader(index, 5, seed=8),
        BatchReader(index, 5, seed=9, share=Share(0, 2)),
        BatchReader(TileIndex(manifest, "S", rows=np.arange(100)), 5, seed=9),
    ):
        with pytest.raises(ValueError, match="another reader"):
            other.load_state_dict(state)


# Pixels


@pytest.mark.parametrize("threads", [1, 3])
def test_pixels_are_those_of_the_tile_source(index, manifest, threads):
    source = TileSource(manifest.parent, {}, lambda slide: manifest)
    rows = index.take(np.arange(COUNT)).to_pylist()
    for batch in BatchReader(index, 20, seed=1, loading=Loading(threads=threads, verify=True)):
        for pixels, position in zip(batch.pixels, batch.positions.tolist(), strict=True):
            assert np.array_equal(pixels, source.pixels(rows[position]))
            assert abs(int(pixels[8, 8, 0]) - position % 251) < 6


def test_batches_that_are_kept_stay_as_they_were(index):
    reader = BatchReader(index, 7, loading=Loading(threads=2, ahead=1))
    kept = list(reader)
    views = [batch.pixels[:, ::2, 1:] for batch in reader]
    for batch, view in zip(kept, views, strict=True):
        expected = TileReader(index).read(batch.positions)
        assert np.array_equal(batch.pixels, expected)
        assert np.array_equal(view, expected[:, ::2, 1:])


def test_arrays_are_used_again_when_nobody_looks_at_them(index):
    reader = BatchReader(index, 5, loading=Loading(ahead=2))
    owners = {id(batch.pixels.base) for _ in range(4) for batch in reader}
    assert len(owners) <= 2 + 3


def test_a_reader_can_be_sent_to_another_process(index):
    reader = BatchReader(index, 10, seed=4)
    next(iter(reader))
    sent = pickle.loads(pickle.dumps(reader))
    for batch, other in zip(reader, sent, strict=True):
        assert np.array_equal(batch.positions, other.positions)
        assert np.array_equal(batch.pixels, other.pixels)


def opened_files():
    listed = Path("/proc/self/fd").iterdir()
    return {os.path.realpath(path) for path in listed}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_few_files_stay_open(index):
    files = ShardFiles(index.shards, limit=2)
    for position in list(range(0, COUNT, 4)) * 2:
        place = index.shard[position], index.offset[position], index.length[position]
        decode(files.read(*map(int, place)))
    assert len(files) == 2
    assert sum(path in opened_files() for path in map(str, index.shards)) == 2
    files.close()
    assert files.read(0, int(index.offset[0]), 2) == b"\xff\xd8"


# Damage


@pytest.fixture
def damaged(manifest, tmp_path):
    """Changes the shard of a copied build; the tile at position 30 is in shard 1."""

    def change(how):
        shutil.copytree(manifest.parent, tmp_path / "copy")
        index = TileIndex(tmp_path / "copy" / "tiles.parquet", "S")
        path = index.shards[index.shard[30]]
        how(path, int(index.offset[30]), int(index.length[30]))
        return index

    return change


def overwrite(data, skip=0):
    def how(path, offset, length):
        with path.open("r+b") as stream:
            stream.seek(offset + skip)
            stream.write(data)

    return how


@pytest.mark.parametrize(
    ("how", "first", "why"),
    [
        (overwrite(b"\0\0\0\0"), 30, "neither JPEG nor PNG"),
        (overwrite(b"\0" * 12, skip=170), 30, "JPEG"),
        (lambda path, offset, length: os.truncate(path, offset + 5), 30, "got 5"),
        (lambda path, offset, length: path.unlink(), 21, "No such file"),
    ],
    ids=["signature", "content", "cut", "gone"],
)
def test_damage_names_tile_and_shard(damaged, how, first, why):
    index = damaged(how)
    reader = BatchReader(index, 10)
    with pytest.raises(BuildError, match=why) as error:
        order(reader)
    place = re.escape(f"tile {index.tile_id(first)} cannot be read from {index.shards[1]}, bytes ")
    assert re.match(place, str(error.value))
    assert reader.state_dict()["done"] == first // 10  # whole batches before it were given


def test_a_changed_color_is_found_by_the_hash_alone(damaged):
    # Another image of the same length: decodes without complaint.
    def swap(path, offset, length):
        with path.open("r+b") as stream:
            stream.seek(offset)
            data = bytearray(stream.read(length))
            stream.seek(offset)
            stream.write(
                encode(image(99), BuildSettings(codec="png")).ljust(length, b"\0")[:length]
            )
            assert len(data) == length

    index = damaged(swap)
    TileReader(index).read(np.array([30]))
    with pytest.raises(BuildError, match="not those of the manifest's hash"):
        TileReader(index, verify=True).read(np.array([30]))


def test_an_image_of_another_size_is_refused(damaged):
    index = damaged(lambda path, offset, length: None)
    data = encode(image(1, 8), BuildSettings(codec="jpeg"))
    path = index.shards[index.shard[30]]
    path.write_bytes(path.read_bytes() + data)
    index.offset[30], index.length[30] = path.stat().st_size - len(data), len(data)
    with pytest.raises(BuildError, match=r"\(8, 8, 3\), not \(16, 16, 3\)"):
        TileReader(index).read(np.array([30]))


def test_reading_loads_no_torch():
    code = "import curatome.tiles.batches, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
