from __future__ import annotations

import numpy as np
import pytest

from curatome.phantom.readers import Guideline, Reader, Shift

CLASSES = ("a", "b", "c")


def test_an_even_reader_treats_all_classes_alike():
    reader = Reader.even("ada", CLASSES, 0.1, 0.2)
    assert reader.miss == (0.1,) * 3
    assert np.asarray(reader.confusion) == pytest.approx(np.full((3, 3), 0.1) + 0.7 * np.eye(3))
    assert Reader.even("ada", ("a",), 0.1, 0.2).confusion == ((1.0,),)


def test_a_shift_moves_the_log_odds_of_its_two_classes():
    reader = Reader.even("ada", CLASSES, 0.1, 0.2)
    rules = (Guideline("1"), Guideline("2", 5.0, Shift("a", "b", 0.9)))
    kind = np.array([0, 0, 1, 2])
    before, after = (reader.labels(kind, np.full(4, m), rules) for m in (4.9, 5.0))
    assert before == pytest.approx(np.asarray(reader.confusion)[kind])
    assert after.sum(axis=1) == pytest.approx(np.ones(4))
    change = np.log(after / before)
    assert change[:, 1] - change[:, 0] == pytest.approx(np.full(4, 0.9))
    assert change[:, 1] - change[:, 2] == pytest.approx(np.full(4, 0.45))


def test_guidelines_hold_from_their_month_and_the_first_from_the_beginning():
    rules = (Guideline("1", 1.0), Guideline("2", 3.0), Guideline("3", 6.0))
    months = np.array([0.0, 2.9, 3.0, 4.9, 5.0, 6.0, 7.9, 8.0])
    prompt = Reader.even("ada", CLASSES, 0.1, 0.2)
    late = Reader.even("ben", CLASSES, 0.1, 0.2, lag_months=2.0)
    assert prompt.rule(months, rules).tolist() == [0, 0, 1, 1, 1, 2, 2, 2]
    assert late.rule(months, rules).tolist() == [0, 0, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"miss": (0.1, 0.1)}, "must fit 3 classes"),
        ({"miss": (0.1, 0.1, 1.1)}, "miss must lie"),
        ({"confusion": ((1, 0, 0), (0, 1, 0), (0, 0, 0.9))}, "add up to 1"),
        ({"false_labels": (1.0,)}, "false_labels"),
        ({"anchoring": 1.2}, "anchoring must lie"),
        ({"repeat_noise": -0.1}, "repeat_noise must lie"),
        ({"miss_slope": 7.0}, "slopes must lie"),
    ],
)
def test_impossible_readers_are_refused_by_name(wrong, says):
    own = {"miss": (0.1,) * 3, "confusion": ((1, 0, 0), (0, 1, 0), (0, 0, 1))} | wrong
    with pytest.raises(ValueError, match=f"reader ada: .*{says}|reader ada: {says}"):
        Reader("ada", CLASSES, **own)
