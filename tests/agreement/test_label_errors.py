"""Planted wrong labels, folds that do not leak, and confident learning by hand."""

from __future__ import annotations

import builtins
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.metrics import average_precision_score

from curatome.agreement.label_errors import grouped_folds, label_errors, out_of_fold
from curatome.errors import CuratomeError, TableError
from curatome.tables import LABEL_ERRORS

NAMES = ("normal", "tumor", "mitosis")


def planted(seed, cases=40, per_case=50, wrong=0.05, spread=1.0):
    """Gaussian classes, shifted in each case, with some labels changed to another class."""
    rng = np.random.default_rng(seed)
    count = cases * per_case
    case = np.repeat(np.arange(cases), per_case)
    truth = rng.choice(3, count, p=(0.5, 0.3, 0.2))
    middles = rng.normal(0, 1.2, (3, 8))
    shifts = rng.normal(0, spread, (cases, 8))
    features = middles[truth] + shifts[case] + rng.normal(0, 0.7, (count, 8))
    changed = rng.random(count) < wrong
    labels = np.where(changed, (truth + rng.integers(1, 3, count)) % 3, truth)
    return features, labels, case, changed


def precision(features, labels, case, changed, **options):
    share = out_of_fold(features, labels, case, classes=3, **options)
    table = label_errors(labels, NAMES, share, np.arange(len(labels)))
    order = np.array(table["item"].to_pylist(), int)
    return average_precision_score(changed[order], table["score"].to_numpy()), table


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_errors_come_first(seed):
    features, labels, case, changed = planted(seed)
    found, table = precision(features, labels, case, changed)
    shuffled = np.random.default_rng(seed).random(len(labels))
    assert found > 0.5 > 5 * average_precision_score(changed, shuffled)
    suspect = changed[np.array(table["item"].to_pylist(), int)][table["suspect"].to_numpy()]
    assert suspect.mean() > 0.4  # of the suspects, against a twentieth of all


def test_confident_learning_by_hand():
    """Thresholds: normal (.9 + .8 + .2) / 3 = .633…, tumor (.7 + .6 + .3) / 3 = .533…

    Item 2 is called normal, reaches tumor's threshold only: a suspect. Item 5 is called tumor
    and reaches normal's: a suspect. Item 4 reaches its own.
    """
    share = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6], [0.7, 0.3]])
    table = label_errors([0, 0, 0, 1, 1, 1], NAMES[:2], share, list("abcdef"))
    assert table.schema.equals(LABEL_ERRORS.schema)
    assert table["rank"].to_pylist() == [1, 2, 3, 4, 5, 6]
    assert table["item"].to_pylist() == ["c", "f", "e", "d", "b", "a"]
    assert table["score"].to_pylist() == pytest.approx([0.8, 0.7, 0.4, 0.3, 0.2, 0.1])
    assert table["self_confidence"].to_pylist() == pytest.approx([0.2, 0.3, 0.6, 0.7, 0.8, 0.9])
    assert table["suspect"].to_pylist() == [True, True, False, False, False, False]
    assert table["label"].to_pylist()[:2] == ["normal", "tumor"]
    assert table["suggested"].to_pylist()[:3] == ["tumor", "normal", "tumor"]


class Spy(BaseEstimator):
    """Knows which rows it learned from, by their first feature, and tells when asked again."""

    seen: list = []  # noqa: RUF012 - shared on purpose: folds get copies

    def fit(self, features, codes):
        self.learned = set(features[:, 0].tolist())
        self.classes = np.unique(codes)
        return self

    def predict_proba(self, features):
        Spy.seen.append((self.learned, set(features[:, 0].tolist())))
        return np.full((len(features), len(self.classes)), 1 / len(self.classes))


def test_no_model_judges_a_case_that_it_saw():
    features, labels, case, _ = planted(4)
    features[:, 0] = case
    Spy.seen = []
    out_of_fold(features, labels, case, classes=3, model=Spy())
    assert len(Spy.seen) == 5
    for learned, judged in Spy.seen:
        assert not learned & judged
        assert learned | judged == set(range(40))
    assert set.union(*(judged for _, judged in Spy.seen)) == set(range(40))


def test_folds_that_split_cases_would_hide_cases_with_wrong_labels():
    """In some cases a reader called every tumor normal; a nearest neighbor knows the case again."""
    from sklearn.neighbors import KNeighborsClassifier

    features, labels, case, _ = planted(5, wrong=0.0, spread=2.0)
    changed = (labels == 1) & (case % 5 == 0)
    labels = np.where(changed, 0, labels)
    model = KNeighborsClassifier(5)
    grouped, _ = precision(features, labels, case, changed, model=model)
    leaked, _ = precision(features, labels, np.arange(len(labels)), changed, model=model)
    assert grouped > 1.5 * leaked


def test_folds_are_alike_in_their_classes():
    _, labels, case, _ = planted(6)
    fold = grouped_folds(labels, case, 4, seed=1)
    shares = [np.bincount(labels[fold == k], minlength=3) / (fold == k).sum() for k in range(4)]
    assert np.ptp(shares, axis=0).max() < 0.08
    assert np.array_equal(fold, grouped_folds(labels, case, 4, seed=1))
    assert not np.array_equal(fold, grouped_folds(labels, case, 4, seed=2))


def test_items_without_a_label_are_judged_and_teach_nothing():
    features, labels, case, _ = planted(7)
    labels[case == 3] = -1
    labels[7] = -1
    share = out_of_fold(features, labels, case, classes=3)
    assert share.sum(axis=1) == pytest.approx(1)
    table = label_errors(labels, NAMES, share, np.arange(len(labels)))
    assert table.num_rows == (labels >= 0).sum()


def test_a_class_that_nobody_uses_does_no_harm():
    features, labels, case, changed = planted(8)
    share = out_of_fold(features, labels * 2, case, classes=5)
    assert (share[:, [1, 3]] == 0).all()
    table = label_errors(labels * 2, list("abcde"), share, np.arange(len(labels)))
    assert set(table["suggested"].to_pylist()) == {"a", "c", "e"}
    plain = precision(features, labels, case, changed)[1]
    assert table["suspect"].to_pylist() == plain["suspect"].to_pylist()


def test_what_cannot_be_judged_is_refused():
    features, labels, case, _ = planted(9)
    with pytest.raises(TableError, match="50 folds of 40 cases"):
        out_of_fold(features, labels, case, classes=3, folds=50)
    with pytest.raises(TableError, match="class number 3 has all its cases in one fold"):
        out_of_fold(features, np.where(case == 1, 3, labels), case, classes=4)
    with pytest.raises(TableError, match="must be as many"):
        out_of_fold(features[1:], labels, case, classes=3)
    features[17, 2] = np.nan
    with pytest.raises(TableError, match="row 17: a value is not finite"):
        out_of_fold(features, labels, case, classes=3)
    with pytest.raises(TableError, match="do not fit 1 items of 3 classes"):
        label_errors([0], NAMES, np.ones((1, 2)), ["a"])
    with pytest.raises(TableError, match="probabilities of item b do not add up"):
        label_errors([0, 0], NAMES[:2], np.array([[0.5, 0.5], [0.5, 0.4]]), ["a", "b"])


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest, **named):
        if name.startswith("cleanlab"):
            raise ImportError("No module named 'cleanlab'")
        return real(name, *rest, **named)

    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(CuratomeError, match=r"pip install 'curatome\[labels\]'"):
        label_errors([0, 1], NAMES[:2], np.array([[0.5, 0.5], [0.5, 0.5]]), ["a", "b"])


def test_the_module_loads_neither_cleanlab_nor_pandas():
    code = (
        "import sys, curatome.agreement.label_errors, curatome.agreement.consensus.skill; "
        "print({'cleanlab', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
