"""What the registry says of public datasets, against facts from elsewhere."""

import csv
from collections import Counter

import pytest

from curatome.errors import SourceError
from curatome.sources import find_source, load_source, registered_sources
from curatome.tiles.rois import KnownScale, sort_image
from tests.sources.made import MAKERS, described

SOURCES = registered_sources()
NAMES = [source.name for source in SOURCES]


def test_every_source_has_a_small_copy_to_be_tested_with():
    assert sorted(MAKERS) == NAMES
    assert len(NAMES) >= 10


@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_layout_and_counts_are_cited(source):
    cited = Counter(what for cite in source.cites for what in cite.for_)
    assert cited["layout"]
    assert cited["counts"]
    assert all(cite.url.startswith("http") for cite in source.cites)
    assert bool(cited["mpp"]) == (source.scale.mpp is not None)
    assert bool(cited["license"]) == bool(source.license)


@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_published_counts_agree_with_each_other(source):
    counts = source.counts
    for group in (counts.classes, counts.splits):
        assert not group or sum(group.values()) == counts.total
    if set(counts.parts) == set(source.scale.parts):
        assert not counts.parts or sum(counts.parts.values()) == counts.total


@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_every_image_of_a_source_finds_a_scale(source):
    if source.kind == "slides":
        return
    rule = source.scale
    assert rule.mpp is not None or rule.declared is not None or rule.parts
    assert rule.why


@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_what_cpia_made_of_it_is_as_in_its_own_table(source, data):
    with (data / "cpia_composition.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["sub_dataset"].strip(): row for row in csv.DictReader(stream)}
    for part in source.cpia:
        row = rows[part.name]
        assert (row["part"], row["scale"], int(row["images"])) == (
            part.storage_part,
            part.scale,
            part.images,
        )


def test_where_cpia_kept_all_images_the_published_total_is_the_same(data):
    same = {"breakhis", "crc-val-he-7k", "lc25000", "mhist", "nct-crc-he-100k", "pcam-kaggle"}
    for name in same:
        source = find_source(name)
        assert source.counts.total == sum(part.images for part in source.cpia)


@pytest.mark.parametrize(
    ("name", "side_px"), [("nct-crc-he-100k", 224), ("mhist", 224), ("pcam", 96)]
)
def test_the_field_of_view_gives_the_scale_that_cpia_gave(name, side_px):
    source = find_source(name)
    found = sort_image(side_px, side_px, KnownScale(source.scale.mpp, "registry"))
    assert {found.scale} == {part.scale for part in source.cpia}


def test_midog_counts_are_those_of_its_own_table(data):
    path = data / "annotations" / "coco" / "datasets_xvalidation.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    counts = find_source("midogpp").counts
    assert len(rows) == counts.total
    assert Counter(row["Tumor"] for row in rows) == counts.classes
    assert Counter(row["Dataset"] for row in rows) == counts.splits


def test_an_unknown_name_is_guessed_at():
    with pytest.raises(SourceError, match='Did you mean "breakhis"'):
        find_source("BreakHis")


def test_a_file_of_the_users_own(tmp_path):
    text = 'name = "mine"\ntitle = "Mine"\n[layout]\nadapter = "folders"\npattern = "(?P<class>a)"'
    path = described(tmp_path / "mine.toml", text)
    assert find_source(str(path)) == load_source(path)
    assert load_source(path).name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "a b"', "name"),
        ('name = "a"\ntitle = "A"\n[layout]\nadapter = "csv"', "needs table and image"),
        ('name = "a"\ntitle = "A"\n[layout]\nadapter = "folders"\npattern = "("', "no regular"),
        (
            'name = "a"\ntitle = "A"\n[layout]\nadapter = "folders"\npattern = "(?P<x>a)"',
            "not x",
        ),
        ("name = ", "no TOML"),
    ],
)
def test_a_file_that_cannot_be_says_where(tmp_path, text, message):
    with pytest.raises(SourceError, match=message):
        load_source(described(tmp_path / "mine.toml", text))
