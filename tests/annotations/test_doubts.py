"""Recall and false alarms of the reading of doubtful files, over cohorts with planted faults.

A cohort is clusters of boxes on images of other than square shape, as readers leave them: most
images have one to four clusters, and some are annotated all over.
"""

import json

import numpy as np
import pytest

from curatome.annotations.doubts import (
    Ground,
    box_doubt,
    coordinate_doubts,
    level0,
    settled,
    size_doubt,
)
from curatome.annotations.formats.base import Frame, Options

COHORTS = 200
FRAME = Frame("a", "a.svs", 40_000, 30_000, 0.25, 0.25, (1.0, 4.0, 16.0))


def cohort(seed, shapes, images=1, everywhere=False):
    """(N, 4) bounds of boxes inside of their images, and the ground under them."""
    rng = np.random.default_rng([seed, shapes, images])
    frames = []
    for number in range(images):
        width, height = rng.integers(10_000, 100_000, 2)
        mpp = float(rng.choice([0.2265, 0.25, 0.46, 0.5]))
        frames.append(
            Frame(str(number), f"{number}.svs", int(width), int(height), mpp, mpp, (1.0, 4.0, 16.0))
        )
    index = np.arange(shapes) % images
    size = np.array([(frame.width, frame.height) for frame in frames], float)
    if everywhere:
        middle = rng.uniform(0, 1, (shapes, 2)) * size[index]
    else:
        centers = rng.uniform(0, 1, (images, 4, 2)) * size[:, None]
        chosen = rng.integers(0, rng.integers(1, 5, images)[index])
        middle = centers[index, chosen] + rng.normal(0, 1_000, (shapes, 2))
    half = np.exp(rng.normal(3.2, 0.5, (shapes, 2)))
    middle = np.clip(middle, half, size[index] - half)
    return np.hstack([middle - half, middle + half]), Ground.of(frames, index)


def as_sizes(bounds):
    return np.hstack([bounds[:, :2], bounds[:, 2:] - bounds[:, :2]])


def share(shapes, misread, about, **options):
    """Share of the cohorts in which a doubt about the right thing is raised."""
    found = []
    for seed in range(COHORTS):
        bounds, ground = cohort(seed, shapes, **options)
        doubts = coordinate_doubts(misread(bounds, ground), ground, Options())
        found.append([doubt.about for doubt in doubts] == [about])
    return float(np.mean(found))


@pytest.mark.parametrize(("shapes", "recall"), [(1, 0.6), (3, 0.8), (10, 0.97), (100, 1.0)])
def test_corners_in_a_format_of_sizes_are_found(shapes, recall):
    found = [box_doubt(*cohort(seed, shapes)) for seed in range(COHORTS)]
    assert all(one is None or one.assumed == "x1y1x2y2" for one in found)
    assert np.mean([one is not None for one in found]) >= recall


@pytest.mark.parametrize("shapes", [1, 10, 1_000])
def test_sizes_in_a_format_of_corners_are_found(shapes):
    for seed in range(COHORTS):
        bounds, ground = cohort(seed, shapes)
        found = box_doubt(as_sizes(bounds), ground, "x1y1x2y2")
        if (bounds[:, 2:] > 2 * bounds[:, :2]).any():
            continue  # at the very corner sizes pass for corners
        assert found is not None
        assert found.assumed == "xywh"


@pytest.mark.parametrize("shapes", [1, 3, 10, 100, 1_000])
def test_boxes_as_defined_raise_no_doubt(shapes):
    for seed in range(COHORTS):
        bounds, ground = cohort(seed, shapes)
        assert box_doubt(as_sizes(bounds), ground) is None
        assert box_doubt(bounds, ground, "x1y1x2y2") is None


def test_large_regions_as_sizes_raise_no_doubt():
    rng = np.random.default_rng(7)
    frame = Frame("a", "a.png", 1_000, 800)
    alarms = 0
    for _ in range(1_000):
        count = int(rng.integers(1, 30))
        size = rng.uniform(300, 700, (count, 2))
        corner = rng.uniform(0, 1, (count, 2)) * (np.array([1_000, 800]) - size)
        ground = Ground.of([frame], [0] * count)
        alarms += box_doubt(np.hstack([corner, size]), ground) is not None
    assert alarms <= 5


def test_boxes_at_the_corner_that_fill_the_image_raise_no_doubt():
    ground = Ground.of([Frame("a", "a.png", 500, 400)], [0] * 50)
    assert box_doubt(np.tile([0.0, 0.0, 500.0, 400.0], (50, 1)), ground) is None


def test_corners_are_told_by_their_size_where_the_image_is_unknown():
    bounds, _ = cohort(3, 40)
    found = box_doubt(bounds, Ground.of([], [-1] * 40))
    assert found is not None
    assert "every one of them" in found.evidence


def as_is(bounds, _ground):
    return bounds


def swapped(bounds, _ground):
    return bounds[:, [1, 0, 3, 2]]


def in_um(bounds, ground):
    return bounds * np.tile(ground.mpp, 2)


def on_level(bounds, ground):
    return bounds / ground.downsamples[:, [2]]


def of_another(bounds, ground):
    return bounds * 2.5


@pytest.mark.parametrize(
    ("misread", "about", "recall"),
    [
        # images, shapes, everywhere, recall
        (swapped, "axes", [(1, 1, False, 0.2), (1, 30, True, 0.85), (8, 80, False, 0.97)]),
        (in_um, "unit", [(1, 100, True, 0.45), (8, 80, False, 0.95), (8, 400, True, 1.0)]),
        (on_level, "level", [(1, 30, True, 1.0), (3, 30, False, 0.7), (8, 80, False, 1.0)]),
        (of_another, "image", [(1, 1, False, 0.5), (1, 30, True, 0.9), (8, 80, False, 0.95)]),
    ],
    ids=["axes", "unit", "level", "image"],
)
def test_planted_misreadings_are_found(misread, about, recall):
    for images, shapes, everywhere, least in recall:
        found = share(shapes, misread, about, images=images, everywhere=everywhere)
        assert found >= least, (images, shapes, found)


@pytest.mark.parametrize("images", [1, 3, 8])
@pytest.mark.parametrize("shapes", [10, 100, 1_000])
def test_shapes_as_defined_raise_no_doubt(shapes, images):
    for everywhere in (False, True):
        alarms = 0
        for seed in range(COHORTS):
            bounds, ground = cohort(seed, shapes, images, everywhere)
            alarms += bool(coordinate_doubts(bounds, ground, Options()))
        assert alarms <= 1, f"{alarms} of {COHORTS}"


@pytest.mark.parametrize("misread", [swapped, in_um, on_level])
def test_the_assumed_reading_gives_level_0_back(misread):
    bounds, ground = cohort(11, 400, 1, everywhere=True)
    frame = Frame("0", "0.svs", *ground.sizes[0].astype(int), *ground.mpp[0], (1.0, 4.0, 16.0))
    numbers = misread(bounds, ground)
    options = settled(coordinate_doubts(numbers, ground, Options()), Options())
    assert np.allclose(level0(numbers[:, :2], frame, options), bounds[:, :2])


def test_what_the_user_says_is_not_doubted():
    bounds, ground = cohort(11, 400, 1, everywhere=True)
    said = {
        swapped: Options(swap_axes=True),
        in_um: Options(unit="um"),
        on_level: Options(downsample=16.0),
    }
    for misread, options in said.items():
        assert coordinate_doubts(misread(bounds, ground), ground, options) == ()


def test_micrometers_of_an_unknown_scale_are_refused():
    with pytest.raises(ValueError, match=r"scale of a\.png is not known"):
        level0(np.zeros((1, 2)), Frame("a", "a.png", 10, 10), Options(unit="um"))


def test_a_stated_size_tells_the_level():
    found = size_doubt((2_500, 1_875), FRAME)
    assert (found.about, found.assumed) == ("level", "downsample 16")
    assert settled([found], Options()).downsample == 16.0


def test_a_stated_size_tells_axes_and_image():
    assert size_doubt((40_000, 30_000), FRAME) is None
    assert size_doubt((30_000, 40_000), FRAME).about == "axes"
    found = size_doubt((1_024, 1_024), FRAME)
    assert found.about == "image"
    assert "1,024 × 1,024" in found.evidence
    assert "40,000 × 30,000" in found.evidence


def test_broken_and_missing_numbers_are_left_out():
    ground = Ground.of([FRAME], [0, 0, -1])
    bounds = np.array([[0, 0, np.nan, 1], [1, 1, 2, 2], [1e9, 1e9, 2e9, 2e9]])
    assert coordinate_doubts(bounds, ground, Options()) == ()
    assert coordinate_doubts(bounds[:0], Ground.of([FRAME], []), Options()) == ()
    assert box_doubt(bounds[:0], Ground.of([FRAME], [])) is None


def test_midog_has_corners_and_274_boxes_leave_their_image(data):
    text = (data / "annotations" / "coco" / "MIDOG++.json").read_text(encoding="utf-8")
    held = json.loads(text)
    images = {image["id"]: number for number, image in enumerate(held["images"])}
    frames = [Frame(str(i["id"]), i["file_name"], i["width"], i["height"]) for i in held["images"]]
    ground = Ground.of(frames, [images[one["image_id"]] for one in held["annotations"]])
    numbers = np.array([one["bbox"] for one in held["annotations"]], float)
    found = box_doubt(numbers, ground)
    assert (found.about, found.assumed, found.instead) == ("box", "x1y1x2y2", "xywh")
    assert "26,012 of 26,286 boxes" in found.evidence  # all but 274
    assert box_doubt(numbers, ground, "x1y1x2y2") is None
    assert coordinate_doubts(numbers, ground, Options()) == ()
