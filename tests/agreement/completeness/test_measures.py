"""Measures of completeness: what they say, of whom, and what false marks do to them."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.agreement.completeness import captures, completeness, missed
from curatome.agreement.completeness.missed import Missed, added, design_effect, widened
from curatome.agreement.completeness.two_reads import interval
from curatome.errors import TableError
from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Reader
from curatome.phantom.reading import read
from tests.agreement.completeness.made import cohort, reader, sized


def two(first, second, both, **others):
    """Captures with so many objects found by the first alone, the second alone, both."""
    rows = [[1, 0]] * first + [[0, 1]] * second + [[1, 1]] * both
    return captures(rows, ("ann", "joe"), **others)


def by_name(measures):
    return {(one.name, one.subject): one for one in measures}


def test_measures_say_one_thing():
    found = by_name(completeness(two(30, 20, 150)))
    low, high = interval((30, 20, 150))
    unseen = found["missed", "all"]
    assert unseen.value == pytest.approx(30 * 20 / 151)
    assert (unseen.low, unseen.high) == (low, high)
    assert found["objects", "all"].high == 200 + high
    whole = found["completeness", "all"]
    assert whole.value == pytest.approx(200 / (200 + 600 / 151))
    assert (whole.low, whole.high) == (200 / (200 + high), 200 / (200 + low))
    assert found["completeness", "reader ann"].value == pytest.approx(180 / (200 + 600 / 151))
    assert found["completeness", "reader joe"].value < found["completeness", "reader ann"].value
    assert whole.n == 200
    assert "independent" in whole.method


def test_what_nothing_bounds_has_no_upper_end():
    found = by_name(completeness(two(7, 8, 0)))
    assert found["missed", "all"].high is None
    assert found["missed", "all"].low > 0
    assert found["completeness", "all"].low == 0


def test_classes_are_judged_apart():
    """Each class is read independently; together they would look dependent."""
    easy, hard = two(10, 10, 980), two(200, 200, 200)
    together = captures(np.concatenate([easy.found, hard.found]), ("ann", "joe"))
    found = by_name(completeness(together, ["easy"] * 1000 + ["hard"] * 600))
    expected = 100 / 981 + 200 * 200 / 201
    assert found["missed", "all"].value == pytest.approx(expected)
    assert found["missed", "class hard"].value == pytest.approx(200 * 200 / 201)
    assert found["completeness", "reader ann, class hard"].n == 600
    assert missed(together).value < expected / 3
    whole = found["missed", "all"]
    assert whole.low < expected < whole.high
    assert "sum over 2" in whole.method


def test_sum_of_parts_by_hand():
    none = np.zeros(3)
    whole = added([Missed(10, 7, 14, none, "a"), Missed(20, 16, 23, none, "b")])
    assert (whole.value, whole.low, whole.high) == (30, 30 - 5, 30 + 5)


def test_design_effect_of_copied_cases():
    """Every object in k copies, all in one case: a variance k times as large."""
    rng = np.random.default_rng(1)
    single = rng.multinomial(1, [0.15, 0.15, 0.7], 4000).astype(float)
    gradient = np.array([1 / 600, 1 / 600, -1 / 2800])
    assert design_effect(single, gradient) == pytest.approx(1, abs=1e-3)
    assert design_effect(8 * single, gradient) == pytest.approx(8, rel=1e-3)


def test_a_design_effect_widens_to_both_sides():
    found = Missed(20.0, 10.0, 35.0, np.array([0.01, 0.01, -0.002]), "")
    wide = widened(found, 5 * np.random.default_rng(1).multinomial(1, [0.2, 0.2, 0.6], 300))
    assert wide.low < found.low
    assert wide.high > found.high
    assert wide.value == found.value


def false_marks(seed):
    """Two readers with false marks, among them as captures: flags, and whether real."""
    readers = [reader(n, 0.2, false_per_mm2=4.0) for n in ("ann", "joe")]
    objects = make_objects(sized(20, 50), seed)
    reads = [read(objects, one, seed) for one in readers]
    found = np.stack([one.judged.label >= 0 for one in reads], axis=1)
    false = [int((one.marks.item < 0).sum()) for one in reads]
    alone = [[k == j for j in range(2)] for k in range(2) for _ in range(false[k])]
    flags = np.concatenate([found, np.array(alone)])
    real = np.arange(len(flags)) < len(objects)
    some = flags.any(axis=1)
    return flags[some], real[some], int((~found.any(axis=1)).sum())


def test_false_marks_must_not_count():
    """All marks: far too many missed. Confirmed ones, or a judged sample as weight: right."""
    errors = {"all": [], "confirmed": [], "weighted": []}
    for seed in range(30):
        flags, real, truth = false_marks(seed)
        once = flags.sum(axis=1) == 1
        judged = np.flatnonzero(once)[::2]
        weight = np.where(once, real[judged].mean(), 1.0)
        estimates = {
            "all": captures(flags, ("ann", "joe")),
            "confirmed": captures(flags[real], ("ann", "joe")),
            "weighted": captures(flags, ("ann", "joe"), weight=weight),
        }
        for name, seen in estimates.items():
            errors[name].append(missed(seen).value - truth)
    means = {name: np.mean(values) for name, values in errors.items()}
    assert means["all"] > 20  # of about 40 that are missed
    assert abs(means["confirmed"]) < 4
    assert abs(means["weighted"]) < 4


def test_weights_are_told():
    assert "weighted" in missed(two(5, 5, 20, weight=[0.5] * 30)).method
    assert "design effect" in missed(two(5, 5, 20, cases=[0, 1] * 15)).method


def test_groups_without_an_answer_are_left_out():
    rows = [[1, 0, 0]] * 3 + [[1, 1, 0], [1, 1, 1], [0, 1, 1], [1, 0, 1], [0, 0, 1]] * 20
    seen = captures(rows, ("a", "b", "c"))
    found = by_name(completeness(seen, ["rare"] * 3 + ["usual"] * 100, kind="domain"))
    assert ("missed", "domain usual") in found
    assert ("missed", "domain rare") not in found
    assert ("missed", "all") not in found


@pytest.mark.parametrize(
    ("model", "message"), [("petersen", "is none of"), ("loglinear", "three readers")]
)
def test_models_that_cannot_be(model, message):
    with pytest.raises(TableError, match=message):
        missed(two(5, 5, 20), model)


def test_chapman_is_for_two():
    seen, _ = cohort([reader(str(k), 0.2) for k in range(3)], 1)
    with pytest.raises(TableError, match="for two readers"):
        missed(seen, "chapman")
    assert missed(seen.pooled(["0", "1"], "people"), "chapman").value > 0


@pytest.mark.acceptance
def test_covers_the_sum_of_classes():
    classes = ("tumor", "mitosis", "lymphocyte")
    design = ObjectDesign(
        cases=20, objects_per_slide=50, classes=classes, frequencies=(0.5, 0.2, 0.3)
    )
    table = np.eye(3).tolist()
    readers = [
        Reader(name, classes, miss, tuple(map(tuple, table)))
        for name, miss in (("ann", (0.1, 0.4, 0.3)), ("joe", (0.2, 0.5, 0.2)))
    ]
    hits = 0
    for seed in range(1000):
        objects = make_objects(design, seed)
        found = np.stack([read(objects, one, seed).judged.label >= 0 for one in readers], axis=1)
        some = found.any(axis=1)
        seen = captures(found[some], ("ann", "joe"))
        names = np.array(classes)[objects.kind[some]]
        whole = by_name(completeness(seen, names))["missed", "all"]
        hits += whole.low <= int((~some).sum()) <= whole.high
    assert 930 <= hits <= 970
