"""Listings of folders, CSV and Parquet, against what was put there."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curatome.errors import SourceError
from curatome.sources import Entry, Layout, read_bytes, walk
from curatome.sources.adapters import list_source
from curatome.sources.adapters.folders import FOLDER_PER_CLASS
from curatome.sources.listing import ImageBytes
from tests.sources.made import encoded, parquet, put


def folders(pattern=FOLDER_PER_CLASS, **more):
    return Layout(adapter="folders", pattern=pattern, **more)


def table(**more):
    return Layout(adapter="csv", table="list.csv", image="{file}", **more)


def test_folder_per_class_with_and_without_splits(tmp_path):
    for name in ("train/tumor/a.png", "test/tumor/b.png", "normal/c.png", "normal/deep.txt"):
        put(tmp_path / "d" / name, 1) if name.endswith("png") else (
            tmp_path / "d" / name
        ).write_text("no image")
    found = list_source(walk(tmp_path / "d"), folders())
    assert found.entries == (
        Entry("normal/c.png", label="normal"),
        Entry("test/tumor/b.png", label="tumor", split="test"),
        Entry("train/tumor/a.png", label="tumor", split="train"),
    )
    assert found.surplus == ()


def test_a_flat_folder_has_no_class_and_hidden_files_are_passed_over(tmp_path):
    put(tmp_path / "flat" / "a.png", 1)
    put(tmp_path / "flat" / ".b.png", 2)
    put(tmp_path / "flat" / ".git" / "c" / "d.png", 3)
    assert list_source(walk(tmp_path / "flat"), folders()).entries == (Entry("a.png"),)


def test_the_folder_may_be_named_higher_or_deeper(tmp_path):
    put(tmp_path / "up" / "SET" / "x" / "tumor" / "C1_a.png", 1)
    layout = folders(r"x/(?P<class>[^/]+)/(?P<case>[^/_]+)_[^/]+")
    for root in (tmp_path, tmp_path / "up" / "SET", tmp_path / "up" / "SET" / "x"):
        (entry,) = list_source(walk(root), layout).entries
        assert (entry.label, entry.case) == ("tumor", "C1")
    assert list_source(walk(tmp_path / "up/SET/x/tumor"), layout).entries == ()


def test_what_the_layout_does_not_know_is_surplus_unless_ignored(tmp_path):
    for name in ("a/1.png", "other.png", "masks/1.png"):
        put(tmp_path / name, 1)
    found = list_source(walk(tmp_path), folders("(?P<class>a)/[^/]+", ignore="(^|/)masks/"))
    assert [entry.path for entry in found.entries] == ["a/1.png"]
    assert found.surplus == ("other.png",)


def test_a_listing_gives_class_case_split_and_scale(tmp_path):
    put(tmp_path / "img" / "1.png", 1)
    put(tmp_path / "img" / "2.png", 2)
    put(tmp_path / "img" / "stray.png", 3)
    text = "file;kind;patient;part;um\nimg/1.png;0;P1;train;0.25\nimg/2.png;1;P2;;\nimg/3.png;1;;;"
    (tmp_path / "list.csv").write_text(text)
    layout = table(
        class_column="kind",
        case_column="patient",
        split_column="part",
        mpp_column="um",
        classes={"0": "normal", "1": "tumor"},
    )
    found = list_source(walk(tmp_path), layout)
    assert found.entries == (
        Entry("img/1.png", label="normal", case="P1", split="train", mpp=0.25),
        Entry("img/2.png", label="tumor", case="P2"),
    )
    assert found.missing == ("img/3.png",)
    assert found.surplus == ("img/stray.png",)


def test_several_labels_of_one_image(tmp_path):
    put(tmp_path / "1.png", 1)
    put(tmp_path / "2.png", 2)
    (tmp_path / "list.csv").write_text("file,a,b,c\n1.png,1,0,1\n2.png,0,0,0\n")
    found = list_source(walk(tmp_path), table(label_columns=("a", "b", "c")))
    assert [entry.label for entry in found.entries] == ["a;c", ""]


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("file\n../x.png\n", {}, "list.csv row 2: .* no path within the source"),
        ("file\n/etc/x.png\n", {}, "no path within the source"),
        ("name\nx.png\n", {}, "names no column"),
        ("file,um\nx.png,zero\n", {"mpp_column": "um"}, "must be a positive number"),
        ("file,um\nx.png,-1\n", {"mpp_column": "um"}, "must be a positive number"),
        ("file\nx.png\n", {"class_column": "kind"}, 'no column "kind". There are: file'),
        ("file,a\nx.png,2\n", {"label_columns": ("a",)}, 'column "a": must be 0 or 1'),
    ],
)
def test_a_listing_that_cannot_be_says_where(tmp_path, text, more, message):
    put(tmp_path / "x.png", 1)
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(SourceError, match=message):
        list_source(walk(tmp_path), table(**more))


def test_parquet_rows_hold_the_images(tmp_path):
    parquet(tmp_path / "d" / "train-0.parquet", (1, 2, 3, 4, 5), [True, False, True, None, False])
    layout = Layout(
        adapter="parquet",
        files="d/*.parquet",
        pattern=r"(?P<split>train|test)-",
        image="image",
        class_column="label",
        classes={"true": "tumor", "false": "normal"},
    )
    entries = list_source(walk(tmp_path), layout).entries
    assert [entry.label for entry in entries] == ["tumor", "normal", "tumor", None, "normal"]
    assert {entry.split for entry in entries} == {"train"}
    assert entries[4].place == "d/train-0.parquet row 4"
    reader = ImageBytes(tmp_path, "image")
    for row in (0, 1, 2, 4, 3, 0):  # two rows share a row group
        assert reader.read(entries[row]) == encoded(row + 1, (96, 96))


def test_parquet_files_that_cannot_be(tmp_path):
    layout = Layout(adapter="parquet", files="*.parquet", image="image")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(SourceError, match=r"a\.parquet is no Parquet"):
        list_source(walk(tmp_path), layout)
    pq.write_table(pa.table({"picture": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r'no column "image"\. There are: picture'):
        list_source(walk(tmp_path), layout)
    pq.write_table(pa.table({"image": ["x"]}), tmp_path / "a.parquet")
    (entry,) = list_source(walk(tmp_path), layout).entries
    with pytest.raises(SourceError, match="row 0: column image holds no bytes"):
        read_bytes(tmp_path, entry, "image")


def test_a_place_that_is_no_folder(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        walk(tmp_path / "none")
