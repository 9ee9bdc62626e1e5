"""Cohorts without faults: no rule finds anything above note level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import shapely

from curatome.annotations.exhaustive import EXHAUSTIVE
from curatome.findings import Severity
from curatome.phantom.faults import CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.rules.engine import lacking
from curatome.rules.registry import all_rules
from tests.rules.clean.pictures import HAND, field, redrawn
from tests.rules.datasets import near_of, protocol_of
from tests.rules.made import image_by_image
from tests.rules.painted import painted
from tests.rules.promised import given
from tests.rules.promised.reads import regions
from tests.rules.promised.sections import section

pytestmark = pytest.mark.acceptance

GRAZED_UM2 = 25.0
CLASSES = [{"name": "tumor"}, {"name": "lymphocyte"}]
SEEDS = (8001, 8002, 8003)
"""On 3001, 5001, 6001 and 7001 on it was seen what rules still found: they are no longer new."""
GUIDELINE = {
    "version": "2.0",
    "changelog": [
        {"version": f"{k}.0", "date": f"202{k}-01-01", "change": "sharper"} for k in (1, 2)
    ],
}


def loud(inputs, expected=(), left_out=frozenset()) -> list[str]:
    """Findings above note level of all rules that have what they need.

    Args:
        inputs: of the cohort.
        expected: rules that must be among them.
        left_out: annotations whose findings do not count.
    """
    looking = [rule for rule in all_rules() if lacking(rule, inputs) is None]
    assert set(expected) <= {rule.code for rule in looking}
    found = [one for rule in looking for one in image_by_image(rule, inputs)]
    found = [one for one in found if one.evidence.get("annotation") not in left_out]
    return [f"{one.code} {one.message}" for one in found if one.severity > Severity.NOTE]


def sound(inputs):
    """The same, each annotation made under the guideline in force, of classes that are known."""
    table = inputs.annotations
    at = table.schema.get_field_index("guideline")
    version = pa.array([GUIDELINE["version"]] * len(table), pa.string())
    named = table.set_column(at, table.schema.field(at), version)
    protocol = protocol_of(guideline=GUIDELINE, classes=[])
    return replace(inputs, annotations=named, protocol=protocol)


def apart(shapes):
    """Outlines without what an earlier one holds already; the largest piece of each."""
    out = shapes.copy()
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    for k in np.unique(one[other < one]).tolist():
        earlier = shapes[other[(one == k) & (other < k)]]
        rest = shapely.difference(shapes[k], shapely.union_all(earlier))
        out[k] = max(shapely.get_parts(rest), key=lambda part: part.area, default=shapely.Polygon())
    return out


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dataset_with_all_its_parts(seed) -> None:
    """20 cases, 400 painted objects, tiles with splits, five slides exhaustive for tumors.

    The two classes look different, as COR001 asks for.
    """
    objects = ObjectDesign(
        cases=20, slides_per_case=1, objects_per_slide=20, size_um=(500.0, 500.0),
        classes=("tumor", "lymphocyte"), frequencies=(0.5, 0.5),
    )  # fmt: skip
    tables = make_tables(CleanDesign(objects), seed)
    alike = tables.images["image"][:2].to_pylist()
    inputs = given(
        tables,
        protocol=protocol_of(guideline=GUIDELINE, classes=CLASSES),
        near=near_of([tuple(alike)]),
        exhaustive=regions(tables, ("tumor",)).slice(0, 5),
        pixels=painted(tables, seed),
    )
    assert loud(inputs, {"COR001", "CMP001", "LEK005", "BAL001", "ACQ021", "DRF003"}) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_nuclei_that_a_careful_reader_outlined(seed) -> None:
    """All nuclei of a phantom's field but for those that the section has only grazed.

    Of two that lie on each other, the reader gives each place to one. Outlines that lost a part of
    their nucleus so are not looked at: that they cut it is true.
    """
    held = field(seed, 900.0, most=10**6)
    kept = shapely.area(held.shapes) >= GRAZED_UM2
    shapes, classes = held.shapes[kept], np.array(held.classes)[kept]
    before = redrawn(shapes, HAND, seed)
    drawn = apart(before)
    there = shapely.area(drawn) >= GRAZED_UM2
    whole = shapely.area(drawn)[there] > 0.99 * shapely.area(before)[there]
    inputs = sound(held.inputs(drawn[there], classes[there].tolist()))
    cut = {f"a{k}" for k in np.flatnonzero(~whole)}
    assert loud(inputs, {"CLN001", "CLN002", "CLN003", "ACQ022", "SIZ002"}, cut) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tumor_that_was_outlined(seed) -> None:
    """The tumor of a phantom's section, and nothing else said of the rest."""
    held = section(seed)
    inputs = sound(held.inputs([held.tumor]))
    assert loud(inputs, {"CLN005", "CLN006", "SIZ001"}) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_tissue_that_was_outlined_as_a_whole(seed) -> None:
    """Every piece of a section's tissue has a class, in a slide declared exhaustive."""
    held = section(seed)
    whole = {"region": "r", "image": "s", "kind": "whole", "geometry": None,
             "classes": ["tumor"], "reader": "ann"}  # fmt: skip
    parts = shapely.get_parts(held.tissue).tolist()
    inputs = sound(held.inputs(parts, exhaustive=EXHAUSTIVE.from_rows([whole])))
    protocol = protocol_of(
        dataset={"title": "t", "task": "segmentation"}, classes=[{"name": "tumor"}],
        guideline=GUIDELINE,
    )  # fmt: skip
    assert loud(replace(inputs, protocol=protocol), {"CMP002", "CMP003", "CLN006"}) == []
