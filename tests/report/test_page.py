from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from curatome import durable
from curatome.findings import Severity
from curatome.report import ReportData, ScaleSheet, render_report, write_report
from curatome.report.page import remedy_pieces
from tests.report.samples import HOSTILE, Page, card, jpeg, report, sheet


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(report())


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_the_page_is_well_formed_and_ids_are_unique(page):
    assert page.unclosed == []
    ids = [e.attributes["id"] for e in page.with_attribute("id")]
    assert len(ids) == len(set(ids))
    for name in ("aria-labelledby", "for"):
        for element in page.with_attribute(name):
            assert set((element.attributes[name] or "").split()) <= set(ids)
    targets = [e.attributes["href"] for e in page.with_attribute("href")]
    assert {t[1:] for t in targets if t} <= set(ids)


def test_nothing_is_loaded_from_anywhere(page, html):
    for attribute in ("src", "href", "xlink:href", "action", "srcset", "poster", "data"):
        for element in page.with_attribute(attribute):
            assert re.match(r"#|data:image/jpeg;base64,", element.attributes[attribute] or "")
    assert not page.tagged("link")
    style = page.tagged("style")[0].text
    assert "@import" not in style
    assert "url(" not in style
    assert "xmlns" not in html


def test_only_our_own_script_may_run(page):
    policy = next(
        e
        for e in page.tagged("meta")
        if e.attributes.get("http-equiv") == "Content-Security-Policy"
    ).attributes["content"]
    script = next(e for e in page.tagged("script") if "type" not in e.attributes)
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_hostile_names_stay_text(page):
    assert len(page.tagged("script")) == 2
    assert not [e for e in page.elements if any(a.startswith("on") for a in e.attributes)]
    assert HOSTILE in [e.text for e in page.tagged("h3")]
    assert HOSTILE in [e.text for e in page.classed("message")]
    assert f"Enlarge {HOSTILE}" in [e.attributes.get("aria-label") for e in page.tagged("button")]


def test_a_hostile_scale_cannot_leave_the_grid_data():
    slide = card(1, tiles={"</script><b>": 1}, tile_boxes={"</script><b>": ((0, 0, 100, 100),)})
    data = replace(report(), slides=(slide,), scales=(sheet("</script><b>", 128.0, 1),))
    page = Page(render_report(data))
    assert len(page.tagged("script")) == 2
    grids = next(e for e in page.tagged("script") if e.attributes.get("id") == "grids")
    assert json.loads(grids.text) == {"0": {"</script><b>": [[10.0, 10.0, 0.0, 0.0]]}}


def test_every_picture_has_words(page):
    pictures = page.tagged("img")
    assert len(pictures) == 7 + 2 + 6
    assert all(e.attributes.get("alt") for e in pictures)
    charts = page.classed("chart")
    assert len(charts) == 3
    assert all(e.attributes["role"] == "img" for e in charts)
    assert len([e for e in page.tagged("desc") if e.text.strip()]) == 3


def test_the_header_counts_what_the_data_hold(page):
    figures = [e.text for e in page.tagged("b") if "dl" in e.path]
    assert figures == ["4", "2", "6,000", "6", "6"]
    states = {
        e.attributes["data-state-count"]: e.text for e in page.with_attribute("data-state-count")
    }
    assert states == {"held": "2 held", "refused": "1 refused", "unreadable": "1 unreadable"}
    severities = {
        e.attributes["data-severity-count"]: e.text
        for e in page.with_attribute("data-severity-count")
    }
    assert severities == {"error": "2 errors", "warning": "3 warnings", "note": "1 note"}
    verdict = " ".join(page.classed("verdict")[0].text.split())
    assert verdict == (
        "4 of 8 slides are ready and gave 6,000 tiles at 2 scales. 5 findings need attention."
    )


def test_findings_come_grouped_and_the_gravest_first(page):
    groups = [e for e in page.tagged("article") if "group" in (e.attributes["class"] or "").split()]
    assert [e.attributes["class"] for e in groups] == [
        "group error",
        "group warning",
        "group warning",
        "group note",
    ]
    assert [re.search(r"[A-Z]{3}\d{3}", e.text).group() for e in groups] == [
        "ACQ010",
        "ACQ001",
        "ACQ012",
        "COH002",
    ]
    shown = {e.attributes["data-fingerprint"] for e in page.with_attribute("data-fingerprint")}
    assert shown == {f.fingerprint for f in report().findings}
    assert groups[0].text.count("Copy it again.") == 1
    assert f"curatome slides set-mpp {4:016x} 0.25" in [e.text for e in page.tagged("code")]


def test_without_anything_urgent_the_page_says_so():
    notes = tuple(f for f in report().findings if f.severity == Severity.NOTE)
    text = Page(render_report(replace(report(), findings=notes))).tagged("main")[0].text
    assert "What to do now" not in text
    assert "Nothing needs attention" in text


def test_each_slide_has_its_card(page):
    cards = page.classed("card")
    assert [e.attributes["data-state"] for e in cards] == ["ready"] * 4 + [
        "held",
        "held",
        "refused",
        "unreadable",
    ]
    assert "s0001.svs" in cards[1].attributes["data-words"]
    paths = [e for e in page.tagged("path") if e.attributes.get("id", "").startswith("o")]
    assert len(paths) == 7
    assert paths[0].attributes["d"] == "M100 100l800 0 0 700 -800 0z"
    assert paths[0].attributes["fill-rule"] == "evenodd"


def test_the_table_of_tiles_adds_up(page):
    numbers = [int(e.attributes["data-n"]) for e in page.with_attribute("data-n")]
    assert numbers == [1200, 300] * 4
    widths = [e.attributes["style"] for e in page.classed("fill")]
    assert widths == ["width:100.0%"] * 8
    foot = [e.text for e in page.tagged("td") if "tfoot" in e.path]
    assert foot == ["4,800", "1,200"]


def test_bars_in_the_table_are_as_long_as_their_numbers():
    slides = (card(1, tiles={"20x": 80}), card(2, tiles={"20x": 20}), card(3, tiles={"20x": 0}))
    page = Page(render_report(replace(report(), slides=slides, scales=(sheet("20x", 128.0, 100),))))
    widths = [e.attributes["style"] for e in page.classed("fill")]
    assert widths == ["width:100.0%", "width:25.0%", "width:0.0%"]


def test_a_scale_bar_is_as_long_as_it_says(page):
    bar = page.classed("bar")[0]
    assert bar.text == "2 mm"
    assert bar.attributes["style"] == "width:20.00%"
    tile = page.classed("bar")[5]  # after four ready slides and a refused one
    assert (tile.text, tile.attributes["style"]) == ("50 µm", "width:39.06%")


def test_fields_of_view_are_drawn_in_proportion(page):
    sides = [float(e.attributes["style"][7:-2]) for e in page.classed("field")]
    assert sides == [120.0, 240.0]


def test_an_empty_report_is_still_a_page():
    page = Page(render_report(ReportData("Empty", "", "", (), (), (), (), ())))
    assert page.unclosed == []
    assert "No slides are registered yet." in page.classed("verdict")[0].text
    assert not page.tagged("img")


def test_scales_without_tiles_and_broken_thumbnails_are_shown_as_such():
    bare = ScaleSheet("20x", 0.5, 256, 128.0, 0, (), 0.5, np.zeros(0))
    data = replace(report(), slides=(card(1, thumbnail=b"no jpeg", tiles={}),), scales=(bare,))
    page = Page(render_report(data))
    assert "No tiles at this scale." in page.classed("sheet")[0].text
    assert not page.tagged("img")
    assert len(page.classed("bare")) == 1


def test_equal_data_give_equal_pages(html):
    assert render_report(report()) == html


def test_three_thousand_slides_stay_one_reasonable_file():
    picture = jpeg(600, 400, noise=1, quality=60)
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = tuple(zip(10_000 + 4000 * np.cos(angle), 5000 + 4000 * np.sin(angle), strict=True))
    assert len(picture) * 3000 > 150_000_000
    slides = tuple(card(i, thumbnail=picture, outlines=(ring,)) for i in range(300))
    slides = tuple(
        replace(s, slide=f"{10 * i + k:016x}") for k in range(10) for i, s in enumerate(slides)
    )
    html = render_report(replace(report(), slides=slides))
    assert html.count('<li class="card"') == 3000
    assert len(html.encode()) < 50_000_000


def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_report(report(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_report_is_what_was_rendered(tmp_path, html):
    path = tmp_path / "new" / "report.html"
    write_report(report(), path)
    assert path.read_text(encoding="utf-8") == html


@pytest.mark.parametrize(
    ("remedy", "pieces"),
    [
        ("", []),
        ("Draw it again.", [(False, "Draw it again.")]),
        ("Run `a b`, then `c`.", [(False, "Run "), (True, "a b"), (False, ", then "), (True, "c")]),
        ("one ` stray", [(False, "one ` stray")]),
    ],
)
def test_a_remedys_commands_stand_apart(remedy, pieces):
    assert remedy_pieces(remedy) == pieces
