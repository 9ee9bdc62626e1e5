"""What each fault does, measured on the tables without its record."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict

import numpy as np
import pytest
import shapely
from scipy.stats.contingency import association

from curatome.phantom.faults import FAULTS, CleanDesign, make_tables
from curatome.phantom.faults.duplicates import TURNS, redrawn
from curatome.phantom.faults.vocabulary import spellings
from curatome.phantom.objects import ObjectDesign
from curatome.phantom.readers import Habit


def plant(clean, name, strength, **options):
    return FAULTS[name].plant(clean, strength, 1, **options).tables


def column(table, name):
    return table[name].to_numpy(zero_copy_only=False)


def straddling(images, key):
    """Values of a column whose images lie in more than one split."""
    splits = defaultdict(set)
    for value, split in zip(images[key].to_pylist(), images["split"].to_pylist(), strict=True):
        splits[value].add(split)
    return {value for value, found in splits.items() if len(found) > 1}


def shapes(tables):
    return shapely.from_wkb(np.array(tables.annotations["geometry"].to_pylist(), object))


def scales(tables):
    mpp = dict(zip(column(tables.images, "slide"), column(tables.images, "mpp"), strict=True))
    return np.array([mpp[s] for s in tables.annotations["image"].to_pylist()])


def test_the_clean_tables_are_clean(clean):
    images = clean.images
    for key in ("case", "slide", "image", "hash", "turned_hash"):
        assert straddling(images, key) == set()
    assert len(set(images["hash"].to_pylist())) == images.num_rows == 160
    assert set(images["split"].to_pylist()) == {"train", "val", "test"}
    outlines, slide = shapes(clean), column(clean.annotations, "image")
    scale = scales(clean)
    assert shapely.is_valid(outlines).all()
    for name in np.unique(slide):
        own = outlines[slide == name]
        size = 1000 / scale[slide == name][0]
        assert shapely.contains_properly(shapely.box(0, 0, size, size), own).all()
        left, right = shapely.STRtree(own).query(own, predicate="intersects")
        assert (left == right).all()
        tiles = [
            shapely.box(r["x"], r["y"], r["x"] + r["width"], r["y"] + r["height"])
            for r in images.to_pylist()
            if r["slide"] == name
        ]
        assert shapely.union_all(tiles).area == pytest.approx(sum(t.area for t in tiles))
    assert set(clean.annotations["guideline"].to_pylist()) == {"2.0"}
    assert set(clean.annotations["kind"].to_pylist()) == {"box", "polygon"}


def test_objects_that_do_not_fit_their_field_are_refused():
    crowded = ObjectDesign(cases=1, objects_per_slide=400, size_um=(100.0, 100.0))
    with pytest.raises(ValueError, match="slide C001-1 has no room"):
        make_tables(CleanDesign(crowded), 1)


def test_case_leaks_keep_slides_whole(clean):
    images = plant(clean, "leak_case", 0.25).images
    assert len(straddling(images, "case")) == 5
    assert straddling(images, "slide") == set()


def test_slide_leaks(clean):
    images = plant(clean, "leak_slide", 0.25).images
    assert len(straddling(images, "slide")) == 10
    assert straddling(images, "hash") == set()


def test_image_leaks_are_copies_under_another_name(clean):
    images = plant(clean, "leak_image", 0.25).images
    assert len(straddling(images, "hash")) == 40
    assert len(set(images["file"].to_pylist())) == 200


def test_overlapping_tiles_lie_in_two_splits(clean):
    images = plant(clean, "leak_overlap", 0.25).images
    assert straddling(images, "hash") == straddling(images, "turned_hash") == set()
    rows = images.to_pylist()
    for new in rows[160:]:
        box = shapely.box(new["x"], new["y"], new["x"] + new["width"], new["y"] + new["height"])
        shares = [
            shapely.box(o["x"], o["y"], o["x"] + o["width"], o["y"] + o["height"])
            .intersection(box)
            .area
            / box.area
            for o in rows[:160]
            if o["slide"] == new["slide"] and o["split"] != new["split"]
        ]
        assert max(shares) == pytest.approx(0.5)
    assert len(rows) == 200


def test_near_duplicates_share_no_name_and_no_hash(clean):
    images = plant(clean, "leak_near", 0.25).images
    for key in ("case", "slide", "hash", "turned_hash", "file"):
        assert straddling(images, key) == set()
    assert images.num_rows == 200


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("relabeled", [False, True])
def test_duplicates_share_a_hash_and_stay_in_their_split(clean, turned, relabeled):
    name = "duplicate" + "_turned" * turned + "_relabeled" * relabeled
    name = "duplicate_image" if name == "duplicate" else name
    images = plant(clean, name, 0.25).images
    of = Counter(images["turned_hash"].to_pylist())
    assert sum(many == 2 for many in of.values()) == 40
    same = Counter(images["hash"].to_pylist())
    assert sum(many == 2 for many in same.values()) == (0 if turned else 40)
    labels = defaultdict(set)
    for row in images.to_pylist():
        labels[row["turned_hash"]].add(row["label"])
    assert sum(len(found) > 1 for found in labels.values()) == (40 if relabeled else 0)
    assert straddling(images, "turned_hash") == set()


def test_turns_are_the_eight_ways_to_lay_an_image():
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    turns = [redrawn(pixels, f"turn {t}") for t in range(TURNS)]
    assert np.array_equal(turns[0], pixels)
    assert len({(t.shape, t.tobytes()) for t in turns}) == 8
    assert all(np.array_equal(np.sort(t, None), np.sort(pixels, None)) for t in turns)
    near = redrawn(pixels, "near")
    assert near.dtype == np.uint8
    assert 0 < np.abs(near.astype(int) - pixels).max() <= 6
    for wrong in ("turn 8", "turn", "far"):
        with pytest.raises(ValueError, match="how must be"):
            redrawn(pixels, wrong)


def test_stale_annotations_are_older_and_of_the_older_version(clean):
    annotations = plant(clean, "stale_guideline", 0.25).annotations
    stale = column(annotations, "guideline") == "1.0"
    times = np.array(annotations["time"].to_pylist())
    assert stale.sum() == 200
    assert times[stale].max() < times[~stale].min()
    before = np.array(clean.annotations["time"].to_pylist())
    assert set(before[stale] - times[stale]) == {datetime.timedelta(days=365)}


def test_coordinates_are_misread_by_the_slide(clean):
    old, scale = shapes(clean), scales(clean)
    x, y = shapely.get_coordinates(shapely.centroid(old)).T
    for name, wrong in (
        ("wrong_level", (x / 4, y / 4)),
        ("wrong_unit", (x * scale, y * scale)),
        ("swapped_axes", (y, x)),
    ):
        new = shapes(plant(clean, name, 1.0))
        assert shapely.get_coordinates(shapely.centroid(new)) == pytest.approx(np.stack(wrong, 1))
        tables = plant(clean, name, 0.25)
        changed = shapes(tables) != old
        per_slide = Counter(column(tables.annotations, "image")[changed])
        assert len(per_slide) == 10
        assert set(per_slide.values()) == {20}
        assert shapely.is_valid(shapes(tables)).all()


def test_boxes_are_misread_in_either_direction(clean):
    box = column(clean.annotations, "kind") == "box"
    x0, y0, x1, y1 = shapely.bounds(shapes(clean)[box]).T
    corners = shapely.bounds(shapes(plant(clean, "box_size_as_corner", 1.0))[box])
    w, h = x1 - x0, y1 - y0
    least, most = np.minimum, np.maximum
    expected = np.stack([least(x0, w), least(y0, h), most(x0, w), most(y0, h)], axis=1)
    assert corners == pytest.approx(expected)
    sizes = shapely.bounds(shapes(plant(clean, "box_corner_as_size", 1.0))[box])
    assert sizes == pytest.approx(np.stack([x0, y0, x0 + x1, y0 + y1], axis=1))
    assert (shapes(plant(clean, "box_corner_as_size", 1.0))[~box] == shapes(clean)[~box]).all()


def test_spellings_are_those_that_people_write():
    found = spellings("Hamamatsu XR")
    assert {"HAMAMATSU XR", "Hamamatsu_XR", "Hamamatsu XR ", "HamamatsuXR"} <= set(found)
    assert "Hamamatsu XR" not in found
    assert any(len(w) == 13 and w.replace("ss", "s").replace("tt", "t") for w in found)
    assert all(w.strip() for w in spellings("a"))


def test_misspelled_words_are_new_and_few_letters_off(clean):
    tables = plant(clean, "label_spelling", 0.25)
    old = [one[0] for one in clean.annotations["labels"].to_pylist()]
    new = [one[0] for one in tables.annotations["labels"].to_pylist()]
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 200
    assert all(b == a or b not in set(old) for a, b in zip(old, new, strict=True))
    for name in ("scanner", "site"):
        tables = plant(clean, f"{name}_spelling", 0.25)
        wrong = column(tables.images, name) != column(clean.images, name)
        per_slide = defaultdict(set)
        for slide, word in zip(
            column(tables.images, "slide")[wrong], column(tables.images, name)[wrong], strict=True
        ):
            per_slide[slide].add(word)
        assert len(per_slide) == 10
        assert all(len(words) == 1 for words in per_slide.values())


def test_a_misspelled_word_is_no_other_word_of_the_table():
    classes = ("tumor", "TUMOR", "Tumor", "stroma")
    tables = make_tables(CleanDesign(ObjectDesign(classes=classes)), 1)
    wrong = {
        one[0] for one in plant(tables, "label_spelling", 1.0).annotations["labels"].to_pylist()
    }
    assert len(wrong) > 10
    assert not wrong & set(classes)


def test_a_class_becomes_rare(clean):
    def counts(tables):
        return Counter(one[0] for one in tables.annotations["labels"].to_pylist())

    before, after = counts(clean), counts(plant(clean, "rare_class", 0.9))
    assert after["tumor"] == before["tumor"] - round(0.9 * before["tumor"])
    assert {k: v for k, v in after.items() if k != "tumor"} == {
        k: v for k, v in before.items() if k != "tumor"
    }
    one = counts(plant(clean, "rare_class", 1.0, label="mitosis"))
    assert one["mitosis"] == 0
    assert one["tumor"] == before["tumor"]


def test_confounding_grows_to_certainty(clean):
    def cramer(tables):
        label, site = (column(tables.images, c) for c in ("label", "site"))
        rows = [[np.sum((label == a) & (site == b)) for b in set(site)] for a in set(label)]
        return association(np.array(rows), method="cramer")

    found = [cramer(plant(clean, "confounded_site", s)) for s in (0, 0.3, 0.6, 1.0)]
    assert found == sorted(found)
    assert found[0] < 0.4
    assert found[-1] == pytest.approx(1.0)
    for key in ("site", "scanner"):
        by_case = defaultdict(set)
        images = plant(clean, "confounded_site", 0.5).images
        for case, value in zip(column(images, "case"), column(images, key), strict=True):
            by_case[case].add(value)
        assert all(len(values) == 1 for values in by_case.values())


def test_wrong_labels_are_of_the_known_classes(clean):
    def first(tables):
        return np.array([one[0] for one in tables.annotations["labels"].to_pylist()])

    old, new = first(clean), first(plant(clean, "random_label", 0.25))
    assert (old != new).sum() == 200
    assert set(new) == set(old)
    assert len(set(zip(old[old != new], new[old != new], strict=True))) > 6
    confused = first(plant(clean, "confused_label", 1.0))
    pairs = set(zip(old, confused, strict=True))
    assert pairs == {
        ("tumor", "stromal"), ("stromal", "tumor"), ("mitosis", "tumor"), ("lymphocyte", "stromal"),
    }  # fmt: skip
    some = first(plant(clean, "confused_label", 1.0, alike={"mitosis": "tumor"}))
    assert (some != old).sum() == (old == "mitosis").sum()
    labels = column(plant(clean, "image_label", 0.25).images, "label")
    assert (labels != column(clean.images, "label")).sum() == 40


def test_two_classes_lie_on_one_object(clean):
    tables = plant(clean, "overlapping_classes", 0.1)
    outlines, rows = shapes(tables), tables.annotations.to_pylist()
    assert len(rows) == 880
    for k in range(800, 880):
        near = [
            j
            for j in range(800)
            if rows[j]["image"] == rows[k]["image"] and outlines[j].intersects(outlines[k])
        ]
        assert len(near) == 1
        assert rows[near[0]]["labels"] != rows[k]["labels"]
        iou = outlines[near[0]].intersection(outlines[k]).area
        assert iou / outlines[near[0]].union(outlines[k]).area > 0.75


def test_missed_objects_and_unscreened_fields_are_gone(clean):
    assert plant(clean, "missed_objects", 0.25).annotations.num_rows == 600
    tables = plant(clean, "unscreened_fields", 0.4)
    place = shapely.get_x(shapely.centroid(shapes(tables))) * scales(tables)
    slide = column(tables.annotations, "image")
    empty = [s for s in np.unique(slide) if place[slide == s].max() < 600]
    assert len(empty) == 20
    full = ~np.isin(slide, empty)
    assert full.sum() == 20 * 20


def test_lines_run_beside_the_object_by_the_planted_lengths(clean):
    old, scale = shapes(clean), scales(clean)
    kind = column(clean.annotations, "kind")
    for name, length in (("loose_outlines", 2.0), ("tight_outlines", -1.0)):
        new = shapes(plant(clean, name, 1.0))
        far = shapely.hausdorff_distance(shapely.boundary(new), shapely.boundary(old)) * scale
        assert far[kind == "box"] == pytest.approx(0)
        assert np.median(far[kind == "polygon"]) == pytest.approx(abs(length), rel=0.15)
        bigger = shapely.area(new) > shapely.area(old)
        assert (bigger[kind == "polygon"] == (length > 0)).all()
    new = shapes(plant(clean, "shifted_outlines", 1.0))
    moved = shapely.get_coordinates(shapely.centroid(new)) - shapely.get_coordinates(
        shapely.centroid(old)
    )
    planted = np.stack([np.where(kind == "polygon", 3.0, 0.0) / scale, 0 * scale], axis=1)
    assert moved == pytest.approx(planted, abs=1e-6)
    for name in ("rough_outlines", "cut_outlines"):
        new = shapes(plant(clean, name, 0.5))
        assert shapely.is_valid(new).all()
        changed = (new != old).sum()
        assert changed == round(0.5 * (kind == "polygon").sum())


def test_an_outline_that_a_habit_would_shrink_to_nothing_stays(clean):
    habit = Habit(margin_um=-4.5)
    old, new = shapes(clean), shapes(plant(clean, "tight_outlines", 1.0, habit=habit))
    polygon = column(clean.annotations, "kind") == "polygon"
    same = new == old
    assert 20 < same[polygon].sum() < polygon.sum() - 20
    moved = shapely.distance(shapely.centroid(new), shapely.centroid(old)) * scales(clean)
    assert moved.max() < 2.0
    assert shapely.covers(old, new).all()


def test_two_neighbors_lie_in_one_outline(clean):
    """Strength 1: whoever had a neighbor in reach is merged, and its outline holds both."""
    tables = plant(clean, "merged_outlines", 1.0)
    before = dict(zip(clean.annotations["annotation"].to_pylist(), shapes(clean), strict=True))
    after = dict(zip(tables.annotations["annotation"].to_pylist(), shapes(tables), strict=True))
    slide = dict(zip(before, clean.annotations["image"].to_pylist(), strict=True))
    grown = [key for key in after if not after[key].equals(before[key])]
    gone = before.keys() - after.keys()
    assert len(grown) == len(gone) > 50
    for key in grown:
        held = [k for k in gone if slide[k] == slide[key] and after[key].covers(before[k].centroid)]
        assert len(held) >= 1
        assert after[key].buffer(1e-6).covers(before[key])
    kinds = dict(zip(before, clean.annotations["kind"].to_pylist(), strict=True))
    left = [k for k in after if kinds[k] == "polygon" and k not in set(grown)]
    apart = [
        before[a].distance(before[b]) * scale_of(clean, slide[a])
        for i, a in enumerate(left)
        for b in left[:i]
        if slide[a] == slide[b]
    ]
    assert min(apart) > 120.0
    near = plant(clean, "merged_outlines", 1.0, reach_um=60.0)
    assert 0 < 800 - near.annotations.num_rows < len(gone)


def scale_of(tables, slide):
    return next(row["mpp"] for row in tables.images.to_pylist() if row["slide"] == slide)


def test_one_object_is_drawn_as_two(clean):
    tables = plant(clean, "split_outlines", 0.25)
    polygons = (column(clean.annotations, "kind") == "polygon").sum()
    added = tables.annotations.slice(800).to_pylist()
    assert len(added) == round(0.25 * polygons)
    old, new = shapes(clean), shapes(tables)
    cut = np.flatnonzero(~shapely.equals(old, new[:800]))
    assert len(cut) == len(added)
    for k, (row, half) in enumerate(zip(added, new[800:], strict=True)):
        whole = cut[k]
        assert row["labels"] == clean.annotations["labels"][int(whole)].as_py()
        assert row["image"] == clean.annotations["image"][int(whole)].as_py()
        # Both halves lie within the object and share nothing; between them a slit is open.
        assert old[whole].buffer(1e-6).covers(shapely.union(half, new[whole]))
        assert not half.intersects(new[whole])
        lost = 1 - (half.area + new[whole].area) / old[whole].area
        assert 0 < lost < 0.2
