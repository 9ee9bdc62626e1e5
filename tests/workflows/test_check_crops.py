"""Pictures of findings, on an image whose pixels are known."""

from __future__ import annotations

import io

import numpy as np
import pytest
import shapely
from PIL import Image

from curatome.findings import Finding, Place, Severity
from curatome.project import SlideEntry, create_project
from curatome.units import Mpp
from curatome.workflows import check_crops
from curatome.workflows.check import Checked
from curatome.workflows.check_crops import crops_of
from curatome.workflows.check_formats import as_html
from tests.workflows.made_checks import TEXT, draw, row

SHAPE = shapely.box(180, 130, 220, 170)


@pytest.fixture
def made(tmp_path):
    """A gray image of 400 × 300 px at 0.5 µm, with a black square of 40 px in its middle."""
    pixels = np.full((300, 400, 3), 200, np.uint8)
    pixels[130:170, 180:220] = 0
    file = tmp_path / "s1.png"
    Image.fromarray(pixels).save(file)
    project = create_project(tmp_path / "p", TEXT)
    for name, path in (("s1", file), ("gone", tmp_path / "gone.png")):
        entry = SlideEntry(
            name, name * 32, str(path), "ready", width=400, height=300, mpp=Mpp(0.5, 0.5, "user")
        )
        project.store.save_slide(entry, ())
    draw(project, row("a", SHAPE))
    return project


def finding(image="s1", annotation=None, box=(180, 130, 40, 40)):
    about = {"annotation": annotation} if annotation else {}
    place = Place(*map(float, box)) if box else None
    told = {"image": image, **about}
    return Finding("CLN001", Severity.WARNING, f"slide {image}", "m", "", place, told)


def seen(jpeg):
    image = Image.open(io.BytesIO(jpeg))
    assert image.size == (168, 168)
    return np.asarray(image).astype(int)


def test_a_place_is_shown_in_the_middle_with_its_outline(made) -> None:
    """40 px of 0.5 µm are 20 µm of 34 shown: 99 of 168 px."""
    for one in (finding(annotation="a"), finding()):
        pixels = seen(crops_of(made, [one])[0])
        assert pixels[84, 84].max() < 20
        assert np.abs(pixels[5:20, 5:160] - 200).max() < 12
        line = pixels[84, 30:40]  # its left edge lies at 84 - 49
        warm = line[:, 0] - line[:, 2]
        assert warm.max() > 60
        assert 30 + int(warm.argmax()) in (34, 35, 36)


def test_small_places_are_shown_with_30_um_around(made) -> None:
    pixels = seen(crops_of(made, [finding(box=(198, 148, 4, 4))])[0])
    dark = pixels[84].max(axis=1) < 60
    assert 100 <= dark.sum() <= 112  # 20 of 30 µm: 112 px, less the lines


def test_what_cannot_be_shown_is_left_out(made) -> None:
    others = [finding(box=None), finding("gone"), finding("unknown"), finding()]
    assert list(crops_of(made, others)) == [3]


def test_there_is_a_limit_for_each_rule_on_a_slide(made, monkeypatch) -> None:
    monkeypatch.setattr(check_crops, "EACH", 2)
    assert list(crops_of(made, [finding() for _ in range(5)])) == [0, 1]
    monkeypatch.setattr(check_crops, "MOST", 1)
    assert list(crops_of(made, [finding() for _ in range(5)])) == [0]


def test_the_page_shows_them(made, tmp_path) -> None:
    found = Checked((finding(annotation="a"), finding("gone")))
    as_html(found, "t", tmp_path / "with.html", crops_of(made, found.findings))
    as_html(found, "t", tmp_path / "without.html")
    assert (tmp_path / "with.html").read_text().count('<img class="crop"') == 1
    assert '<img class="crop"' not in (tmp_path / "without.html").read_text()
