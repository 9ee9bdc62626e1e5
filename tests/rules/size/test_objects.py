from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.findings import Severity
from curatome.phantom.faults import CleanDesign, make_tables
from curatome.rules.rule import Inputs
from curatome.rules.size.objects import FIELD, ODD, robust_z
from tests.rules.datasets import (
    annotations_of,
    looked,
    loud,
    phantom_inputs,
    protocol_of,
    slides_of,
)


def sized(diameters_um, mpp=0.25, image="s", label="lymphocyte", name="a"):
    """Rows of discs on one image."""
    return [
        {
            "annotation": f"{name}{k}",
            "image": image,
            "labels": [label],
            "shape": shapely.Point(500, 500).buffer(d / 2 / mpp),
        }
        for k, d in enumerate(diameters_um)
    ]


def usual(count=60, median=8.0, seed=1):
    """Diameters whose logarithm varies by a tenth."""
    return median * np.exp(0.1 * np.random.default_rng(seed).standard_normal(count))


def test_robust_z_of_normal_values_is_their_z():
    values = 5 + 2 * np.random.default_rng(2).standard_normal(100_001)
    assert robust_z(values) == pytest.approx((values - 5) / 2, abs=0.1)


def test_robust_z_by_hand():
    """Medians of the distances below and above 10 are 1 and 2, both with the middle itself."""
    z = robust_z(np.array([8.0, 9.0, 10.0, 12.0, 40.0]))
    assert z == pytest.approx([-2 * 0.67449, -0.67449, 0, 0.67449, 15 * 0.67449], abs=1e-4)


def test_values_that_are_all_alike_have_no_z():
    assert (robust_z(np.array([3.0, 3.0, 3.0, 3.0, 7.0])) == 0).all()


def test_an_outline_round_a_cluster_is_out_of_line():
    rows = sized([*usual(), 40.0])
    inputs = Inputs(
        protocol_of(), slides=slides_of([{"slide": "s"}]), annotations=annotations_of(rows)
    )
    (found,) = looked(ODD, inputs)
    assert found.subject == "annotation a60"
    assert "times larger than usual: 1,2" in found.message  # π 20² = 1,257 µm²
    assert found.evidence["unit"] == "µm²"


def test_usual_sizes_and_small_classes_are_not():
    rows = sized(usual(400)) + sized([8, 8.2, 7.9, 40], label="mitosis", name="m")
    inputs = Inputs(
        protocol_of(), slides=slides_of([{"slide": "s"}]), annotations=annotations_of(rows)
    )
    assert not looked(ODD, inputs)


def test_sizes_are_compared_in_micrometers():
    """The same cells on scanners of 0.25 and 0.5 µm/px; without a scale, each image by itself."""
    rows = sized(usual(), 0.25, "s") + sized(usual(seed=3), 0.5, "t", name="b")
    table = annotations_of(rows)
    slides = slides_of([{"slide": "s"}, {"slide": "t", "mpp_x": 0.5, "mpp_y": 0.5}])
    assert not looked(ODD, Inputs(protocol_of(), slides=slides, annotations=table))
    assert not looked(ODD, Inputs(protocol_of(), annotations=table))
    wrong = slides_of([{"slide": "s"}, {"slide": "t", "mpp_x": 5.0, "mpp_y": 5.0}])
    few = annotations_of(sized(usual(), 0.25, "s") + sized(usual(5), 0.5, "t", name="b"))
    assert len(looked(ODD, Inputs(protocol_of(), slides=wrong, annotations=few))) == 5


def of_one_image(rows):
    slides = slides_of([{"slide": "s"}])
    return Inputs(protocol_of(), slides=slides, annotations=annotations_of(rows))


@pytest.mark.parametrize("seed", [1001, 1002, 1003])
def test_a_clean_cohort_has_no_findings(seed):
    tables = make_tables(CleanDesign(), seed)
    assert not loud((ODD, FIELD), phantom_inputs(tables))


def fields(side_um, task, scales=({"name": "S", "mpp": 0.5, "side_px": 96},)):
    rows = sized([side_um] * 8, label="tumor")
    protocol = protocol_of(dataset={"title": "t", "task": task}, scales=list(scales))
    return Inputs(protocol, slides=slides_of([{"slide": "s"}]), annotations=annotations_of(rows))


def test_a_field_smaller_than_the_object():
    (found,) = looked(FIELD, fields(300.0, "detection"))
    assert found.severity == Severity.WARNING
    assert "The field of scale S, 48 µm, cannot hold 100% of the 8 annotations" in found.message
    assert "no other scale" in found.message


def test_a_field_that_another_scale_makes_good_is_a_note():
    scales = [{"name": n, "mpp": 0.5, "side_px": px} for n, px in (("S", 96), ("L", 1000))]
    (found,) = looked(FIELD, fields(300.0, "detection", scales))
    assert found.severity == Severity.NOTE
    assert found.subject == "scale S"


def test_parts_of_tissue_need_not_fit():
    (found,) = looked(FIELD, fields(300.0, "segmentation"))
    assert found.severity == Severity.NOTE


def test_a_field_that_holds_the_objects():
    assert not looked(FIELD, fields(40.0, "detection"))
