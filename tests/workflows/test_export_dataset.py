"""`curatome version export`: whole or absent, the same bytes, and what it tells."""

import json
import os

import pytest
from typer.testing import CliRunner

from curatome.cli.main import app
from curatome.dataset.export import all_exports
from curatome.errors import BuildError, VersionError
from curatome.workflows.export_dataset import Wanted, export_version
from curatome.workflows.watch import Silent
from tests.dataset.export.made import make
from tests.workflows.made import tree


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return make(tmp_path_factory.mktemp("version"))


@pytest.mark.parametrize("name", [one.name for one in all_exports()])
def test_the_same_version_gives_the_same_bytes(version, tmp_path, name):
    for out in ("one", "two"):
        export_version(version, tmp_path / out, name)
    first = tree(tmp_path / "one")
    assert first == tree(tmp_path / "two")
    assert len(first) > 1
    said = json.loads((tmp_path / "one/export.json").read_text())
    assert said["splits"] == {"test": 4, "train": 7, "val": 4}
    assert (said["version"], said["id"]) == ("v1", version.info.id)


class Stopper(Silent):
    """Stops after the first split."""

    def advance(self, steps=0, bytes=0):  # noqa: A002
        raise KeyboardInterrupt


def test_what_is_stopped_or_breaks_leaves_nothing(tmp_path):
    version = make(tmp_path / "p")
    with pytest.raises(KeyboardInterrupt):
        export_version(version, tmp_path / "out", "csv", watcher=Stopper())
    shard = tmp_path / "p/build/bb.tar"
    data = bytearray(shard.read_bytes())
    data[600] ^= 1  # in the first image of bb
    shard.write_bytes(data)
    with pytest.raises(BuildError, match=r"tile bb_M_0_0 .*not those of the manifest's hash"):
        export_version(version, tmp_path / "out", "csv", losses=tmp_path / "losses.csv")
    assert os.listdir(tmp_path) == ["p"]  # noqa: PTH208


def test_a_folder_that_holds_something_is_left_alone(version, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(VersionError, match="holds other files"):
        export_version(version, tmp_path, "csv")
    empty = tmp_path / "empty"
    empty.mkdir()
    export_version(version, empty, "csv")
    assert (empty / "train.csv").exists()


def test_only_what_is_wanted_is_written(version, tmp_path):
    done = export_version(version, tmp_path / "a", "csv", Wanted(kinds=("cell",)))
    assert done.splits == {"train": 1}
    assert not (tmp_path / "a/val.csv").exists()
    for wanted, words in (
        (Wanted(splits=("dev",)), 'no split "dev", but test, train, val'),
        (Wanted(classes=("fat",)), 'no class "fat". There are: tumor, stroma, mitosis'),
        (Wanted(scales=("XL",)), "no images"),
    ):
        with pytest.raises(VersionError, match=words):
            export_version(version, tmp_path / "b", "csv", wanted)


def test_the_command_prints_losses_and_exits_by_them(version, tmp_path):
    def run(*words):
        return CliRunner().invoke(
            app, ["version", "export", "v1", *map(str, words), "-p", str(version.home)]
        )

    shown = run(tmp_path / "a", "-f", "yolo", "--losses", tmp_path / "losses.csv")
    assert shown.exit_code == 1
    assert "YOLO has no points; it was left out" in shown.stdout
    rows = (tmp_path / "losses.csv").read_text().splitlines()
    assert rows[0] == "subject,field,reason"
    told = run(tmp_path / "b", "-f", "yolo", "--json", "--split", "test", "--class", "tumor")
    plain = json.loads(told.stdout)
    assert plain["splits"] == {"test": 4}
    assert {one["field"] for one in plain["losses"]} == {"exhaustive"}
    assert sum(one["count"] for one in plain["losses"]) == 4
    clean = run(tmp_path / "c", "-f", "csv", "--split", "test")
    assert clean.exit_code == 0
    assert "Nothing was lost" in clean.stdout
