"""Sources with something wrong: broken images, duplicates, no scale, the wrong folder."""

import pyarrow.parquet as pq
import pytest
from PIL import Image

from curatome.errors import BuildError, SourceError
from curatome.jobs import Limits
from curatome.project import create_project
from curatome.sources import find_source
from curatome.workflows import region_units, regions
from curatome.workflows.added import Wishes
from curatome.workflows.regions import build_sources
from curatome.workflows.sources import add_source
from tests.sources.made import MAKERS, picture, put
from tests.workflows.made_regions import PNG, breakhis, folder_source, project_with, rows_of


@pytest.fixture
def small(monkeypatch):
    """Units of four images, so that a few images are several units."""
    monkeypatch.setattr(region_units, "_UNIT_IMAGES", 4)


def test_images_that_cannot_be_read_stop_nobody(tmp_path, small):
    root = breakhis(tmp_path)
    names = sorted(root.rglob("*.png"))
    names[1].write_bytes(b"no image at all")
    names[2].write_bytes(names[2].read_bytes()[:2000])
    Image.new("L", (50, 50)).save(names[5])
    project = project_with(tmp_path / "p", root, 1)
    result = build_sources(project, 2)
    assert len(rows_of(project)) == result.made == 9
    found = [f for f in result.findings if f.code == "SRC005"]
    assert sorted(f.key for f in found) == sorted(
        str(names[n].relative_to(root)) for n in (1, 2, 5)
    )
    assert any("grayscale" in f.message for f in found)
    assert build_sources(project).findings == result.findings


def test_an_image_that_ends_its_reader_is_found_and_left_out(tmp_path, small, monkeypatch):
    root = breakhis(tmp_path, 5)
    name = sorted(root.rglob("*.png"))[2]
    Image.new("RGB", (9000, 9000)).save(name)
    monkeypatch.setattr(regions, "_LIMITS", Limits(memory_bytes=1_000_000_000))
    project = project_with(tmp_path / "p", root, 1)
    result = build_sources(project, 2)
    (finding,) = [f for f in result.findings if f.code == "SRC005"]
    assert finding.key == str(name.relative_to(root))
    assert "memory" in finding.message
    assert len(rows_of(project)) == 4


def test_an_image_that_changed_after_it_was_added_is_told(tmp_path):
    root = breakhis(tmp_path, 2)
    project = project_with(tmp_path / "p", root, 1)
    put(sorted(root.rglob("*.png"))[0], 77, (700, 460))
    (finding,) = [f for f in build_sources(project).findings if f.code == "SRC005"]
    assert "has changed since the source was added" in finding.message


def test_without_any_scale_an_image_is_held_back(tmp_path):
    put(tmp_path / "d" / "a" / "1.png", 1)
    Image.open(tmp_path / "d/a/1.png").save(tmp_path / "d/a/2.png", dpi=(72, 72))
    picture(3).save(tmp_path / "d" / "a" / "3.png", dpi=(25400 / 0.5, 25400 / 0.5))
    project = create_project(tmp_path / "p", PNG)
    add_source(project, tmp_path / "d", folder_source("d", "(?P<class>a)/[^/]+"))
    result = build_sources(project)
    (row,) = rows_of(project)
    assert (row["path"], row["mpp_source"], row["scale"]) == ("a/3.png", "file", "S")
    assert row["mpp"] == pytest.approx(0.5, rel=1e-3)
    assert [f.key for f in result.findings if f.code == "SRC007"] == ["a/1.png", "a/2.png"]


def test_duplicates_are_kept_once_and_told(tmp_path):
    root = tmp_path / "d"
    for name, seed in (("a/1", 1), ("a/2", 2), ("a/3", 1), ("b/4", 1), ("b/5", 3)):
        put(root / f"{name}.png", seed)
    project = create_project(tmp_path / "p", PNG)
    source = folder_source("d", "(?P<class>[^/]+)/[^/]+", declared="M")
    result = add_source(project, root, source)
    assert (result.images, result.duplicates) == (5, 2)
    found = {finding.code: finding for finding in result.findings}
    assert found["SRC006"].evidence == {"count": 2}
    assert "b/4.png = a/1.png" in found["SRC008"].message
    assert build_sources(project).made == 3
    rows = {row["path"]: row for row in rows_of(project)}
    assert len(rows) == 5
    for path, label in (("a/3.png", "a"), ("b/4.png", "b")):
        row = rows[path]
        assert (row["duplicate_of"], row["class"], row["shard"]) == ("a/1.png", label, None)
        assert row["image"] == rows["a/1.png"]["image"]
    (line,) = pq.read_table(project.build / "sources.parquet").to_pylist()
    assert (line["number"], line["images"], line["duplicates"]) == (3, 5, 2)


def test_what_cannot_be_added_or_built(tmp_path):
    project = create_project(tmp_path / "p", PNG)
    with pytest.raises(BuildError, match="curatome sources add"):
        build_sources(project)
    root, *_ = MAKERS["camelyon16"](tmp_path)
    with pytest.raises(SourceError, match="curatome add"):
        add_source(project, root, find_source("camelyon16"))
    root, *_ = MAKERS["bach"](tmp_path)
    with pytest.raises(SourceError, match="does not have the layout of mhist"):
        add_source(project, root, find_source("mhist"))
    with pytest.raises(SourceError, match=r"--mpp: mpp must lie between 0.05 and 20"):
        add_source(project, root, find_source("bach"), Wishes(mpp=352.8))
    with pytest.raises(SourceError, match="tiling needs"):
        add_source(project, root, find_source("bach"), Wishes(scale="L", crop="tile"))
