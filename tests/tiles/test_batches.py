import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from curatome.errors import BuildError, TableError
from curatome.hashes import bytes_hash
from curatome.protocol import BuildSettings
from curatome.tables import TILES
from curatome.tiles.batches import BatchReader, Loading, Share, TileReader
from curatome.tiles.encode import decode, encode
from curatome.tiles.handles import ShardFiles
from curatome.tiles.index import TileIndex, TileTable
from curatome.tiles.read import TileSource
from curatome.tiles.shards import ShardWriter
from curatome.tiles.shuffle import shuffled

SIDE, SLIDES, EACH = 16, 5, 21
COUNT = SLIDES * EACH
OTHER = {"S": SIDE, "T": 8}


def image(number, side=SIDE):
    pixels = np.full((side, side, 3), 128, np.uint8)
    pixels[:] = (number % 251, number // 251, 77)
    return pixels


def row(number, slide, scale, **place):
    side = OTHER[scale]
    zeros = dict.fromkeys(["x", "y", "enlargement", "tissue_fraction", "inside_fraction"], 0.0)
    sizes = dict.fromkeys(["width", "height", "side_um", "mpp_x", "mpp_y"], float(side))
    return {
        "tile_id": f"{slide}_{scale}_{number * side}_0", "slide": slide, "case": f"C{slide[0]}",
        "scale": scale, "side_px": side, "level": 0, **zeros, **sizes, **place,
    }  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """105 tiles of scale S, each of one color, and 105 of T, in row groups of 17."""
    folder = tmp_path_factory.mktemp("build")
    rows, number = [], 0
    for s in range(SLIDES):
        slide = f"{s:x}" * 16
        for scale in OTHER:
            name = f"shards/{scale}/{slide}.tar"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("wb") as stream:
                shard = ShardWriter(stream)
                for i in range(EACH):
                    at = number if scale == "S" else 0
                    codec = "png" if i % 3 else "jpeg"
                    data = encode(image(at, OTHER[scale]), BuildSettings(codec=codec))
                    offset = shard.add(f"{i}", data)
                    place = {"shard": name, "offset": offset, "length": len(data)}
                    rows.append(row(i, slide, scale, hash=bytes_hash(data), **place))
                    number += scale == "S"
                shard.finish()
    pq.write_table(TILES.from_rows(rows), folder / "tiles.parquet", row_group_size=17)
    return folder / "tiles.parquet"


@pytest.fixture(scope="module")
def index(manifest):
    return TileIndex(manifest, "S")


def order(reader):
    """Positions of an epoch, batch by batch."""
    return [batch.positions.tolist() for batch in reader]


# Finding tiles


def test_every_tile_is_found_by_its_id_and_in_the_order_asked_for(manifest):
    table = TileTable(manifest)
    ids = pq.read_table(manifest)["tile_id"].to_pylist()
    assert len(table) == len(ids) == 2 * COUNT
    asked = np.random.default_rng(1).permutation(len(ids))
    assert table.find([ids[i] for i in asked]).tolist() == asked.tolist()
    assert table.find([ids[3], ids[3], ids[0]]).tolist() == [3, 3, 0]
    assert table.take(asked, ["tile_id"])["tile_id"].to_pylist() == [ids[i] for i in asked]
    assert table.take(asked[:0]).num_rows == 0


def test_ids_are_found_in_a_manifest_without_statistics(manifest, tmp_path):
    whole = pq.read_table(manifest)
    path = tmp_path / "tiles.parquet"
    pq.write_table(whole, path, row_group_size=50, write_statistics=False)
    ids = whole["tile_id"].to_pylist()
    assert TileTable(path).find([ids[120], ids[7]]).tolist() == [120, 7]


def test_only_row_groups_that_may_hold_the_id_are_read(manifest):
    table = TileTable(manifest)
    table.find(["3" * 16 + "_S_0_0"])
    assert 1 <= len(table._ids) <= 2


def test_what_is_not_there_is_named(manifest, index, tmp_path):
    with pytest.raises(TableError, match="has no tile nobody_S_0_0 .1 of 2 ids"):
        index.find(["nobody_S_0_0", "0" * 16 + "_S_0_0"])
    with pytest.raises(TableError, match="0_T_0_0 is not among the chosen"):
        index.find(["0" * 16 + "_T_0_0"])
    with pytest.raises(BuildError, match="no tiles of scale X"):
        TileIndex(manifest, "X")
    with pytest.raises(BuildError, match="Run `curatome build`"):
        TileIndex(tmp_path / "tiles.parquet")
    with pytest.raises(IndexError, match="0 to 209"):
        TileTable(manifest).take(np.array([210]))


def test_sizes_are_not_mixed_and_rows_choose(manifest, index):
    with pytest.raises(TableError, match=r"\[8, 16\] px"):
        TileIndex(manifest)
    some = TileIndex(manifest, rows=index.rows[[40, 3, 7]])
    assert some.rows.tolist() == index.rows[[3, 7, 40]].tolist()
    assert some.tile_id(2) == index.tile_id(40)
    pixels = TileReader(some).read(np.arange(3))
    assert np.array_equal(pixels, TileReader(index).read(np.array([3, 7, 40])))


def test_columns_follow_the_chosen_tiles(index):
    assert index.column("case").to_pylist() == [f"C{i // EACH}" for i in range(COUNT)]
    hashes = index.take(np.arange(COUNT), ["hash"])["hash"].to_pylist()
    assert [h.tobytes().hex() for h in index.hashes()] == hashes


def test_a_build_of_coordinates_says_so(manifest, tmp_path):
    rows = [row(0, "a" * 16, "S")]
    pq.write_table(TILES.from_rows(rows), tmp_path / "tiles.parquet")
    with pytest.raises(BuildError, match="coordinates only"):
        TileIndex(tmp_path / "tiles.parquet")


# Order


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 65, 1000, 4097])
def test_a_shuffle_holds_every_item_once(count):
    items = shuffled(np.arange(count), count, seed=5, epoch=0)
    assert sorted(items.tolist()) == list(range(count))


def test_shuffles_are_even():
    # Where item 0 of 12 lands, over 6,000 seeds: chi-square of 11 degrees, 0.1 % point 31.3.
    count, seeds = 12, 6000
    landed = [shuffled(np.array([0]), count, seed, 0)[0] for seed in range(seeds)]
    times = np.bincount(landed, minlength=count)
    assert ((times - seeds / count) ** 2 / (seeds / count)).sum() < 31.3
    # Neighbours: as far apart as independent ones, whose mean distance is a third of the range.
    items = shuffled(np.arange(100_000), 100_000, 1, 0)
    assert np.abs(np.diff(items)).mean() / 100_000 == pytest.approx(1 / 3, abs=0.005)
    assert abs(np.corrcoef(items, np.arange(100_000))[0, 1]) < 0.02


def test_a_large_order_needs_no_memory_of_its_size():
    places = np.arange(148_000_000, 148_000_256)
    items = shuffled(places, 148_962_586, 3, 9)
    assert len(set(items.tolist())) == 256
    assert 0 <= items.min() <= items.max() < 148_962_586


def test_in_order_without_a_seed(index):
    batches = order(BatchReader(index, 10))
    assert sum(batches, []) == list(range(COUNT))
    assert [len(b) for b in batches] == [10] * 10 + [5]


def test_epochs_differ_and_repeat_with_the_seed(index):
    reader, again = BatchReader(index, 8, seed=3), BatchReader(index, 8, seed=3)
    first, second = order(reader), order(reader)
    assert first != second
    assert [order(again), order(again)] == [first, second]
    assert order(BatchReader(index, 8, seed=4)) != first
    assert sorted(sum(second, [])) == list(range(COUNT))


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize(("ranks", "workers"), [(1, 3), (2, 2), (3, 4), (7, 1)])
def test_every_tile_once_over_ranks_and_workers(index, seed, ranks, workers):
    given = []
    for rank in range(ranks):
        for worker in range(workers):
            share = Share(rank, ranks, worker, workers)
            reader = BatchReader(index, 4, seed=seed, share=share)
            batches = order(reader)
            given += sum(batches, [])
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
    assert len(set(sum(sum(batches, []), []))) == 96


def test_shares_that_cannot_be_are_refused(index):
    with pytest.raises(ValueError, match="below their counts"):
        Share(rank=2, ranks=2)
    with pytest.raises(ValueError, match="batch_size must be positive. Got 0"):
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
