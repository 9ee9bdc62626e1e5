from __future__ import annotations

import numpy as np
import openslide

from curatome.phantom import plan_cohort
from curatome.phantom.labels import LABELS, make_label
from curatome.phantom.stamp import stamped
from tests.phantom.conftest import slide_path


def test_the_stamp_covers_nothing_and_its_mark_frames_it():
    for plan in plan_cohort(3, 36):
        label = make_label(plan)
        after = stamped(label)
        changed = (after.pixels != label.pixels).any(axis=2)
        rows, columns = np.nonzero(changed)
        left, top, width, height = after.marks[-1].box
        assert (columns.min(), rows.min()) == (left, top)
        assert (columns.max() + 1, rows.max() + 1) == (left + width, top + height)
        for mark in label.marks:
            x, y, w, h = mark.box
            assert x >= left + width or x + w <= left or y >= top + height or y + h <= top


def test_slides_on_disk_name_their_patients_and_say_that_they_are_synthetic(cohort):
    rows = LABELS.from_rows(cohort.labels.to_pylist()).to_pylist()
    for plan in cohort.plans:
        own = [row for row in rows if row["slide"] == plan.name]
        for image in ("label", "macro"):
            texts = {row["text"] for row in own if row["image"] == image}
            assert {"SYNTHETIC", plan.stain} < texts
        with openslide.OpenSlide(str(slide_path(cohort, plan.name))) as slide:
            said = slide.properties
            label = np.asarray(slide.associated_images["label"].convert("RGB")).astype(int)
            for row in own:
                if row["image"] == "metadata":
                    assert said[f"aperio.{row['field']}"] == row["text"]
        written = stamped(make_label(plan)).pixels
        assert label.shape == written.shape
        assert np.abs(label - written).mean() < 6
