from __future__ import annotations

import csv
import hashlib

import numpy as np
import openslide
import pyarrow.parquet as pq
import pytest
import shapely

from curatome.phantom import labels, make_cohort, make_scene, staining, truth
from curatome.phantom.cohort import write_designed_cohort
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort
from curatome.phantom.nuclei import CLASSES
from tests.phantom.conftest import slide_path


def _digests(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    calls = []
    for name, seed in (("a", 2), ("b", 2), ("c", 3)):
        make_cohort(tmp_path / name, seed, 2, 300.0, lambda *done: calls.append(done))
    a, b, c = (_digests(tmp_path / name) for name in "abc")
    assert a == b
    assert len(a) == 10
    assert all(a[file] != c[file] for file in a if file.endswith(".svs"))
    assert calls == [(1, 2), (2, 2)] * 3


def test_openslide_opens_every_slide_at_its_scale(cohort):
    for plan in cohort.plans:
        path = str(slide_path(cohort, plan.name))
        assert openslide.OpenSlide.detect_format(path) == "aperio"
        with openslide.OpenSlide(path) as slide:
            assert slide.dimensions == (plan.width, plan.height)
            mpp = slide.properties.get("openslide.mpp-x")
            assert (mpp is not None) == plan.mpp_in_file
            if mpp is not None:
                assert float(mpp) == pytest.approx(plan.mpp)
            power = {"aria": "20", "boreal": "20", "cirrus": "40"}[plan.scanner]
            assert slide.properties["openslide.objective-power"] == power
    assert sum(not plan.mpp_in_file for plan in cohort.plans) == 1


def test_user_tables_lead_to_the_slides(cohort):
    with (cohort.folder / "slides.csv").open(newline="") as stream:
        slides = list(csv.DictReader(stream))
    with (cohort.folder / "cases.csv").open(newline="") as stream:
        cases = list(csv.DictReader(stream))
    assert list(slides[0]) == ["path", "case", "block", "site", "scanner", "stain", "mpp"]
    assert list(cases[0]) == ["case", "diagnosis", "age", "sex", "body_site"]
    assert all((cohort.folder / row["path"]).is_file() for row in slides)
    assert {row["case"] for row in slides} == {row["case"] for row in cases}
    held = {f"slides/{p.name}.svs" for p in cohort.plans if not p.mpp_in_file}
    assert all(row["mpp"] == "" for row in slides if row["path"] in held)
    assert sum(row["mpp"] != "" for row in slides) == 1


def test_truth_on_disk_is_the_truth_returned(cohort):
    specs = {
        "slides": truth.SLIDES,
        "regions": truth.REGIONS,
        "nuclei": truth.NUCLEI,
        "artifacts": truth.ARTIFACTS,
        "positivity": staining.POSITIVITY,
        "labels": labels.LABELS,
    }
    for name, spec in specs.items():
        table = pq.read_table(cohort.folder / "truth" / f"{name}.parquet")
        assert table.equals(getattr(cohort, name))
        assert table.schema.equals(spec.schema)


def test_regions_fill_the_tissue_without_overlap(cohort):
    for row in cohort.slides.to_pylist():
        own = [r for r in cohort.regions.to_pylist() if r["slide"] == row["slide"]]
        outline = shapely.make_valid(shapely.from_wkb(row["outline"]))
        shapes = [shapely.from_wkb(r["polygon"]) for r in own]
        assert all(outline.buffer(0.5).covers(shape) for shape in shapes)
        assert sum(s.area for s in shapes) == pytest.approx(outline.area, rel=1e-3)
        for r, shape in zip(own, shapes, strict=True):
            assert r["area_um2"] == pytest.approx(shape.area * row["mpp"] ** 2)
        assert row["tissue_area_um2"] == pytest.approx(outline.area * row["mpp"] ** 2)


def test_planned_lesions_are_there(cohort):
    """Where there is room: on this cohort's resections each planned class appears."""
    for plan in cohort.plans:
        found = {r["class"] for r in cohort.regions.to_pylist() if r["slide"] == plan.name}
        assert "stroma" in found
        if plan.tissue == "resection":
            assert {name for name, _, _ in plan.lesions} <= found


def test_nuclei_lie_in_tissue_and_in_the_region_of_their_class(cohort):
    nuclei = cohort.nuclei.to_pylist()
    for row in cohort.slides.to_pylist():
        outline = shapely.make_valid(shapely.from_wkb(row["outline"]))
        own = [n for n in nuclei if n["slide"] == row["slide"]]
        points = np.array([(n["x_um"], n["y_um"]) for n in own]) / row["mpp"]
        assert shapely.contains_xy(outline, points).all()
        glands = [
            shapely.from_wkb(r["polygon"])
            for r in cohort.regions.to_pylist()
            if r["slide"] == row["slide"] and r["class"] == "gland"
        ]
        epithelial = np.array([n["class"] == "epithelial" for n in own])
        if glands:
            union = shapely.union_all(glands)
            assert shapely.contains_xy(union, points[epithelial]).all()
        else:
            assert not epithelial.any()
    assert {n["class"] for n in nuclei} <= set(CLASSES)
    assert all(n["long_um"] >= n["short_um"] > 0 for n in nuclei)
    assert all(0 <= n["angle"] < np.pi for n in nuclei)


def test_the_biopsy_is_nearly_empty(cohort):
    rows = cohort.slides.to_pylist()
    share = {
        r["tissue"]: r["tissue_area_um2"] / (r["width"] * r["height"] * r["mpp"] ** 2) for r in rows
    }
    assert share["biopsy"] < 0.15
    assert share["resection"] > 0.4


def test_artifacts_are_those_planned(cohort):
    found = sorted((a["slide"], a["kind"]) for a in cohort.artifacts.to_pylist())
    assert found == sorted((p.name, kind) for p in cohort.plans for kind in p.artifacts)
    assert found


def test_level_one_of_a_slide_is_the_average_of_level_zero(cohort):
    plan = cohort.plans[0]
    with openslide.OpenSlide(str(slide_path(cohort, plan.name))) as slide:
        fine = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3].astype(float)
        width, height = slide.level_dimensions[1]
        got = np.asarray(slide.read_region((0, 0), 1, (width, height)))[..., :3].astype(float)
    mean = fine[: 4 * height, : 4 * width].reshape(height, 4, width, 4, 3).mean(axis=(1, 3))
    assert np.abs(got - mean).mean() < 4
    assert np.abs((got - mean).mean(axis=(0, 1))).max() < 0.7


def test_tables_need_no_pixels(cohort):
    again = truth.truth_tables(
        [make_scene(plan) for plan in cohort.plans],
        {plan.name: f"slides/{plan.name}.svs" for plan in cohort.plans},
    )
    assert again["nuclei"].equals(cohort.nuclei)
    assert again["regions"].equals(cohort.regions)


def test_a_designed_cohort_can_be_written(tmp_path):
    design = CohortDesign(cases=2, slides_per_case=(0, 1), ihc=1.0, aliases=1, biopsies=0.0)
    planned = design_cohort(design, 5)
    written = write_designed_cohort(tmp_path, planned, 300.0)
    with (tmp_path / "slides.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["stain"] for row in rows] == ["H&E", "DAB"] * 3
    assert "alias" not in (tmp_path / "cases.csv").read_text()
    truth_of = {n: pq.read_table(tmp_path / f"truth/{n}.parquet") for n in ("cases", "planned")}
    assert truth_of["cases"].equals(planned.cases)
    assert truth_of["planned"].equals(planned.slides)
    assert set(written.positivity["slide"].to_pylist()) == {
        row["slide"] for row in planned.slides.to_pylist() if row["stain"] == "DAB"
    }
    for plan in written.plans:
        with openslide.OpenSlide(str(slide_path(written, plan.name))) as slide:
            # The file says four decimals, and the scale is the scanner's of that day.
            assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(plan.mpp, abs=6e-5)
            assert slide.dimensions == (plan.width, plan.height)
