"""Recognizing copies, and what is said of copies that are not whole."""

import shutil

import pytest

from curatome.errors import SourceError
from curatome.sources import find_source
from curatome.workflows.sources import check_source
from tests.sources.made import MAKERS, put


def counted(check, kind):
    return {row.name: row.found for row in check.rows if row.kind == kind}


def codes(check):
    return sorted(finding.code for finding in check.findings)


@pytest.mark.parametrize("name", MAKERS)
def test_each_layout_is_recognized_and_counted(tmp_path, name):
    root, classes, splits, parts = MAKERS[name](tmp_path)
    source = find_source(name)
    for check in (check_source(root), check_source(root, name), check_source(tmp_path)):
        assert check.source == name
        assert counted(check, "class") == {**dict.fromkeys(source.class_names, 0), **classes}
        assert counted(check, "split") == splits
        assert counted(check, "part") == {**dict.fromkeys(source.counts.parts, 0), **parts}
        total = next(row for row in check.rows if row.kind == "total")
        assert (total.published, total.difference) == (
            source.counts.total,
            total.found - source.counts.total,
        )
        assert set(codes(check)) == {"SRC001"}  # a few images are never all of them


def whole(tmp_path):
    """A source of three images in two classes, and a copy of it that is as published."""
    text = """
name = "mine"
title = "Mine"
[counts]
total = 3
classes = { a = 2, b = 1 }
[layout]
adapter = "folders"
pattern = '(?P<class>[^/]+)/\\d\\.png'
"""
    (tmp_path / "mine.toml").write_text(text)
    root = tmp_path / "copy"
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        put(root / name, 1)
    return root, str(tmp_path / "mine.toml")


def test_a_whole_copy_gives_no_finding(tmp_path):
    assert check_source(*whole(tmp_path)).findings == ()


def test_no_image_is_opened(tmp_path):
    root, name = whole(tmp_path)
    for path in root.rglob("*.png"):
        path.write_bytes(b"")
    assert check_source(root, name).findings == ()


def test_a_missing_class_is_told(tmp_path):
    root, name = whole(tmp_path)
    shutil.rmtree(root / "b")
    check = check_source(root, name)
    assert [finding.message for finding in check.findings] == [
        "mine, all: 2 images are there, 3 are published (-1).",
        "mine, class b: 0 images are there, 1 are published (-1).",
    ]


def test_a_missing_class_is_told_where_nobody_published_its_count(tmp_path):
    root, *_ = MAKERS["nct-crc-he-100k"](tmp_path)
    shutil.rmtree(root / "DEB")
    messages = [finding.message for finding in check_source(root).findings]
    assert messages[1:] == ["nct-crc-he-100k, class DEB: no image is there."]


def test_surplus_files_and_classes_are_told(tmp_path):
    root, name = whole(tmp_path)
    put(root / "a" / "mask_1.png", 5)
    put(root / "c" / "9.png", 6)
    check = check_source(root, name)
    assert codes(check) == ["SRC001", "SRC002", "SRC004"]
    assert '"c"' in next(f.message for f in check.findings if f.code == "SRC002")
    assert "a/mask_1.png" in next(f.message for f in check.findings if f.code == "SRC004")


def test_files_that_a_listing_names_and_that_are_not_there(tmp_path):
    root, *_ = MAKERS["mhist"](tmp_path)
    (root / "images" / "MHIST_aab.png").unlink()
    found = {finding.code: finding for finding in check_source(root).findings}
    assert found["SRC003"].evidence["files"] == ["images/MHIST_aab.png"]


def test_a_copy_of_nothing_known(tmp_path):
    put(tmp_path / "a.png", 1)
    with pytest.raises(SourceError, match="the layout of no registered source"):
        check_source(tmp_path)
    with pytest.raises(SourceError, match="does not have the layout of bach"):
        check_source(tmp_path, "bach")


def test_two_sources_of_one_size_must_be_told_apart_by_name(tmp_path):
    put(tmp_path / "NCT-CRC-HE-100K" / "ADI" / "a.tif", 1)
    put(tmp_path / "CRC-VAL-HE-7K" / "ADI" / "a.tif", 1)
    with pytest.raises(SourceError, match="could be crc-val-he-7k or nct-crc-he-100k"):
        check_source(tmp_path)
    assert check_source(tmp_path, "crc-val-he-7k").source == "crc-val-he-7k"
