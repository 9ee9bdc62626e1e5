import numpy as np
import pyarrow.parquet as pq
import pytest

from curatome.errors import BuildError, TableError
from curatome.tables import TILES
from curatome.tiles.batches import TileReader
from curatome.tiles.index import TileIndex, TileTable
from tests.tiles.small_build import COUNT, EACH, row, write_build


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def index(manifest):
    return TileIndex(manifest, "S")


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
    with pytest.raises(TableError, match=r"has no tile nobody_S_0_0 .1 of 2 ids"):
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
