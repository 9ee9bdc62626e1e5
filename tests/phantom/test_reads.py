"""What was planted in readers is found again in their tables, within the error of sampling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from curatome.phantom.logit_normal import association
from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Drift, Guideline, Reader, Shift
from curatome.phantom.reading import read
from curatome.phantom.reads import JUDGEMENTS, READS, Session
from tests.phantom.statistics import bound, log_odds_ratio, logistic, share_z

DESIGN = ObjectDesign(cases=400, objects_per_slide=100, size_um=(3000.0, 3000.0))
CLASSES = DESIGN.classes
MISS = (0.05, 0.20, 0.10, 0.35)
CONFUSION = (
    (0.90, 0.02, 0.06, 0.02),
    (0.01, 0.95, 0.04, 0.00),
    (0.08, 0.07, 0.85, 0.00),
    (0.25, 0.05, 0.00, 0.70),
)
READER = Reader("ada", CLASSES, MISS, CONFUSION)


@pytest.fixture(scope="module")
def objects():
    return make_objects(DESIGN, 11)


def columns(table):
    return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}


def joined(reads):
    """Judgements of true objects, with the label that each was given (None: missed)."""
    marks, truth = columns(reads.table()), columns(reads.truth())
    own = truth["class"] != None  # noqa: E711 - an array
    truth = {name: values[own] for name, values in truth.items()}
    label = np.full(len(truth["item"]), None, object)
    found = ~truth["missed"].astype(bool)
    label[found] = marks["label"][truth["read"][found].astype(int)]
    return truth | {"label": label}


def test_tables_keep_their_contract(objects):
    one = read(objects, replace(READER, false_per_mm2=1.0), 1)
    assert one.table().schema.equals(READS.schema)
    assert one.truth().schema.equals(JUDGEMENTS.schema)
    marks = columns(one.table())
    assert np.array_equal(marks["read"], np.arange(len(marks["read"])))
    found = marks["item"][~np.isnan(marks["item"].astype(float))]
    assert len(np.unique(found)) == len(found)


def test_the_seed_and_the_name_decide_a_read(objects):
    one = read(objects, READER, 1)
    assert one.table().equals(read(objects, READER, 1).table())
    assert one.truth().equals(read(objects, READER, 1).truth())
    for other in (read(objects, READER, 2), read(objects, replace(READER, name="ben"), 1)):
        assert not one.table().equals(other.table())


@pytest.mark.parametrize(("miss_slope", "label_slope"), [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)])
def test_planted_miss_rates_and_confusions_are_recovered(objects, miss_slope, label_slope):
    reader = replace(READER, miss_slope=miss_slope, label_slope=label_slope)
    seen = joined(read(objects, reader, 4))
    z = []
    for k, name in enumerate(CLASSES):
        own = seen["class"] == name
        z.append(share_z(seen["missed"][own].astype(bool), MISS[k]))
        label = seen["label"][own & (seen["label"] != None)]  # noqa: E711 - an array
        for j, other in enumerate(CLASSES):
            if CONFUSION[k][j] > 0:
                z.append(share_z(label == other, CONFUSION[k][j]))
            else:
                assert not (label == other).any()
    assert len(z) == 17
    assert np.abs(z).max() < bound(17)
    # The bound is of use: rates a fifth off would not pass it.
    missed = seen["missed"][seen["class"] == "lymphocyte"].astype(bool)
    assert abs(share_z(missed, 0.2 * 1.2)) > bound(17)


def test_the_truth_says_each_object_s_own_chance(objects):
    """Misses among objects of like probability are as frequent as that probability."""
    reader = replace(READER, miss_slope=2.0, label_slope=1.5)
    seen = joined(read(objects, reader, 4))
    p, missed = seen["miss_probability"], seen["missed"].astype(float)
    for low, high in ((0, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, 1)):
        some = (p >= low) & (p < high)
        spread = np.sqrt((p[some] * (1 - p[some])).sum())
        assert abs((missed[some] - p[some]).sum()) < bound(4) * spread
    confident = columns(read(objects, reader, 4).table())
    right = confident["label"] == np.asarray(CLASSES)[objects.kind[confident["item"].astype(int)]]
    c = confident["confidence"]
    assert abs((right - c).sum()) < bound(1) * np.sqrt((c * (1 - c)).sum())


def test_overconfident_readers_say_more_than_they_know(objects):
    sober = columns(read(objects, replace(READER, label_slope=1.0), 4).table())["confidence"]
    sure = replace(READER, label_slope=1.0, overconfidence=1.0)
    bold = columns(read(objects, sure, 4).table())["confidence"]
    assert (bold >= sober)[sober >= 0.5].all()
    assert bold.mean() > sober.mean() + 0.02


@pytest.mark.parametrize("slopes", [(0.0, 0.0), (0.0, 2.0), (1.0, 1.0), (2.0, 1.2), (3.0, 3.0)])
def test_misses_of_two_readers_go_together_as_their_slopes_say(objects, slopes):
    rates = (0.15, 0.25)
    missed = [
        joined(read(objects, Reader.even(name, CLASSES, rate, 0.1, miss_slope=slope), 7))["missed"]
        for name, rate, slope in zip(("ada", "ben"), rates, slopes, strict=True)
    ]
    value, error = log_odds_ratio(*(m.astype(int) for m in missed))
    planted = association(rates, slopes)
    assert abs(value - np.log(planted.odds_ratio)) < bound(5) * error
    found = np.corrcoef(*(m.astype(float) for m in missed))[0, 1]
    assert abs(found - planted.correlation) < 0.03
    assert error < 0.05


def test_wrong_labels_of_two_readers_go_together_as_their_slopes_say(objects):
    readers = [Reader.even(n, CLASSES, 0.0, 0.2, label_slope=1.5) for n in ("ada", "ben")]
    seen = [joined(read(objects, reader, 7)) for reader in readers]
    value, error = log_odds_ratio(*((s["label"] != s["class"]).astype(int) for s in seen))
    assert abs(value - np.log(association((0.2, 0.2), (1.5, 1.5)).odds_ratio)) < bound(1) * error


def test_drift_of_the_miss_rate_is_recovered(objects):
    drift = Drift(miss=0.12)
    reader = Reader.even("ada", CLASSES, 0.1, 0.1, miss_slope=1.5, drift=drift)
    seen = joined(read(objects, reader, 3, Session(months=12.0)))
    assert 0 <= seen["months"].min() < 0.1
    assert 11.9 < seen["months"].max() <= 12
    values, errors = logistic([np.ones(len(objects)), seen["months"]], seen["missed"].astype(bool))
    assert abs(values[0] - np.log(0.1 / 0.9)) < bound(2) * errors[0]
    assert abs(values[1] - 0.12) < bound(2) * errors[1]
    assert errors[1] < 0.01


def _border(seen, late):
    """Log odds of tumor against stromal by class, and their change with a further column."""
    two = np.isin(seen["label"].astype(str), ["tumor", "stromal"])
    some = [(seen["class"][two] == name).astype(float) for name in CLASSES]
    return logistic([*some, late[two].astype(float)], seen["label"][two] == "tumor")


EVEN = Reader.even("ada", CLASSES, 0.1, 0.3)


def test_drift_of_the_border_between_classes_is_recovered(objects):
    drift = Drift(shift=Shift("stromal", "tumor", 0.08))
    reader = replace(EVEN, drift=drift, label_slope=1.0)
    seen = joined(read(objects, reader, 3, Session(months=12.0)))
    values, errors = _border(seen, seen["months"])
    assert abs(values[-1] - 0.08) < bound(1) * errors[-1]
    assert errors[-1] < 0.01


@pytest.mark.parametrize(("adoption", "lag"), [(1.0, 0.0), (0.5, 0.0), (0.0, 0.0), (1.0, 2.0)])
def test_a_new_guideline_moves_the_border_as_far_as_the_reader_follows(objects, adoption, lag):
    rule = Guideline("2", month=3.0, shift=Shift("stromal", "tumor", 1.0))
    session = Session(months=8.0, guidelines=(Guideline("1"), rule))
    reads = read(objects, replace(EVEN, adoption=adoption, lag_months=lag), 3, session)
    seen = joined(reads)
    values, errors = _border(seen, seen["months"] >= 3 + lag)
    assert abs(values[-1] - adoption) < bound(4) * errors[-1]
    marks = columns(reads.table())
    later = marks["time"] >= marks["time"].min() + np.timedelta64(int(3 * 30.4375 * 86400), "s")
    assert np.mean((marks["guideline"] == "2") == later) > 0.999


def test_margins_follow_habit_drift_and_guideline(objects):
    rule = Guideline("2", month=3.0, margin_um=1.0)
    reader = replace(EVEN, drift=Drift(margin_um=0.2), adoption=0.5)
    reader = replace(reader, habit=replace(reader.habit, margin_um=2.0))
    truth = columns(read(objects, reader, 3, Session(guidelines=(Guideline("1"), rule))).truth())
    planted = 2.0 + 0.2 * truth["months"] + 0.5 * (truth["months"] >= 3)
    assert truth["margin_um"] == pytest.approx(planted)


def test_false_positives_are_as_many_as_planted_and_lie_anywhere(objects):
    shares = (0.5, 0.3, 0.2, 0.0)
    reader = replace(READER, false_per_mm2=1.5, false_labels=shares)
    reads = read(objects, reader, 9)
    marks, truth = columns(reads.table()), columns(reads.truth())
    false = np.isnan(marks["item"].astype(float))
    planted = 1.5 * 9 * 400
    assert abs(false.sum() - planted) < bound(5) * np.sqrt(planted)
    z = [share_z(marks["label"][false] == c, p) for c, p in zip(CLASSES, shares, strict=True) if p]
    z += [(marks[a][false].mean() - 1500) / (3000 / np.sqrt(12 * false.sum())) for a in ("x_um",)]
    assert np.abs(z).max() < bound(5)
    assert not (marks["label"][false] == "mitosis").any()
    assert sorted(truth["read"][truth["class"] == None]) == list(np.flatnonzero(false))  # noqa: E711


def test_marks_scatter_about_the_object_as_planted(objects):
    marks = columns(read(objects, replace(READER, location_um=1.5), 9).table())
    item = marks["item"].astype(int)
    for axis, true in (("x_um", objects.x), ("y_um", objects.y)):
        off = marks[axis] - true[item]
        assert abs(off.mean()) < bound(4) * 1.5 / np.sqrt(len(off))
        assert abs(off.std() - 1.5) < bound(4) * 1.5 / np.sqrt(2 * len(off))


def test_unscreened_fields_are_not_read():
    objects = make_objects(replace(DESIGN, cases=20, unscreened=0.4), 1)
    reads = read(objects, replace(READER, false_per_mm2=1.0), 1)
    marks, truth = columns(reads.table()), columns(reads.truth())
    assert marks["x_um"].max() < 1800
    items = truth["item"][truth["class"] != None].astype(int)  # noqa: E711 - an array
    assert np.array_equal(items, np.flatnonzero(objects.screened))


def _twice(objects, noise):
    reader = Reader.even("ada", CLASSES, 0.2, 0.2, miss_slope=1.5, repeat_noise=noise)
    first, again = (read(objects, reader, 5, Session(n, 6.0 * (n - 1))) for n in (1, 2))
    return joined(first), joined(again)


def test_a_reader_without_noise_repeats_every_word(objects):
    first, again = _twice(objects, 0.0)
    assert np.array_equal(first["label"], again["label"])
    assert (again["months"] >= 6).all()


def test_a_reader_of_pure_noise_repeats_like_another_reader(objects):
    first, again = _twice(objects, 1.0)
    value, error = log_odds_ratio(first["missed"].astype(int), again["missed"].astype(int))
    assert abs(value - np.log(association((0.2, 0.2), (1.5, 1.5)).odds_ratio)) < bound(1) * error


def test_repeats_agree_the_less_the_noisier_and_keep_their_rates(objects):
    agreement = []
    for noise in (0.0, 0.3, 0.6, 1.0):
        first, again = _twice(objects, noise)
        agreement.append(np.mean(first["label"] == again["label"]))
        assert abs(share_z(again["missed"].astype(bool), 0.2)) < bound(4)
    assert agreement == sorted(agreement, reverse=True)
    assert agreement[0] - agreement[-1] > 0.2


def test_further_reads_change_nothing_in_the_first(objects):
    alone = read(objects, READER, 5).table()
    read(objects, READER, 5, Session(2, 6.0))
    assert read(objects, READER, 5, Session(1)).table().equals(alone)


def test_other_classes_are_refused(objects):
    with pytest.raises(ValueError, match="reader bob knows"):
        read(objects, Reader.even("bob", ("a", "b"), 0.1, 0.1), 1)
