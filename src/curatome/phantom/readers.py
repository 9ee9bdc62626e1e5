"""Readers with planted habits: what they miss and mistake, how they draw, drift and are led."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from curatome.phantom.logit_normal import STEEPEST

Floats = NDArray[np.float64]


def _within(name: str, values: tuple[float, ...]) -> None:
    if not all(0 <= value <= 1 for value in values):
        raise ValueError(f"{name} must lie between 0 and 1. Got {values}.")


@dataclass(frozen=True)
class Shift:
    """A border between two classes that moves: `toward` is chosen more often, `away` less.

    Whatever the true class, the log odds of the label `toward` against `away` rise by `log_odds`,
    and those of every other label lie between.
    """

    away: str
    toward: str
    log_odds: float


@dataclass(frozen=True)
class Guideline:
    """A version of the guideline.

    Attributes:
        version: its name.
        month: when it came into force, months after the study began.
        shift: how it moves a border between classes against the reader's own confusion matrix.
        margin_um: by how much outlines should be wider than without it, µm.
    """

    version: str
    month: float = 0.0
    shift: Shift | None = None
    margin_um: float = 0.0


@dataclass(frozen=True)
class Drift:
    """What changes with each month of the study.

    Attributes:
        miss: log odds of the miss rate, per month.
        shift: how a border between classes moves, per month.
        margin_um: how outlines widen, µm per month.
    """

    miss: float = 0.0
    shift: Shift | None = None
    margin_um: float = 0.0


@dataclass(frozen=True)
class Habit:
    """How somebody draws outlines. Lengths are µm; every rate is 0 to 1.

    Attributes:
        margin_um: how far outside the true border the line runs; negative is inside.
        margin_sd_um: how that varies between outlines.
        shift_um: by how much all outlines lie to the right and below.
        shift_sd_um: how that varies between outlines, along each axis.
        scale: by which factor outlines are larger, about their middle.
        roughness_um: standard deviation of the line's wobble across itself.
        wobble_um: length of the wobble's shortest wave.
        cut_rate: how many outlines lack a piece behind a straight line.
        merge_rate: how many pairs of neighbors become one outline.
        merge_reach_um: how far apart neighbors may be for that.
        split_rate: how many objects are drawn as two.
    """

    margin_um: float = 0.0
    margin_sd_um: float = 0.0
    shift_um: tuple[float, float] = (0.0, 0.0)
    shift_sd_um: float = 0.0
    scale: float = 1.0
    roughness_um: float = 0.0
    wobble_um: float = 4.0
    cut_rate: float = 0.0
    merge_rate: float = 0.0
    merge_reach_um: float = 2.0
    split_rate: float = 0.0

    def __post_init__(self) -> None:
        _within("rates", (self.cut_rate, self.merge_rate, self.split_rate))
        if self.scale <= 0 or self.wobble_um <= 0:
            raise ValueError("scale and wobble_um must be positive.")


@dataclass(frozen=True)
class Reader:
    """Somebody, or a model, who looks for objects and names them.

    Rates hold over all objects of a class at month 0; by how hard the single object is they
    differ as the slopes say, which makes readers' mistakes depend on each other.

    Attributes:
        name: the reader's name; with the seed it decides all chance.
        classes: names of the classes, in the order of the objects.
        miss: share of each class that is missed.
        confusion: for each true class that is found, the share of each label.
        false_per_mm2: false positives per mm² searched.
        false_labels: share of each label among them; all alike if empty.
        miss_slope: log odds of a miss per standard deviation of difficulty; 0 is independence.
        label_slope: log odds of a wrong label per standard deviation of ambiguity.
        location_um: standard deviation of a mark's place along each axis.
        habit: how outlines are drawn.
        drift: what changes with each month.
        adoption: 0 to 1; how much of a guideline's change the reader takes up.
        lag_months: how long the reader goes on as before after a new guideline.
        repeat_noise: 0 to 1; share of chance that is new at a second read. At 0 a second read
            repeats the first, at 1 both are as if by two people of equal habits.
        anchoring: how often the reader takes over a proposal that is shown, right or wrong.
        overlooking: how often the reader does not look where no proposal is shown.
        overconfidence: 0 gives confidences that are true probabilities of the label; their log
            odds are multiplied by 1 + this.
    """

    name: str
    classes: tuple[str, ...]
    miss: tuple[float, ...]
    confusion: tuple[tuple[float, ...], ...]
    false_per_mm2: float = 0.0
    false_labels: tuple[float, ...] = ()
    miss_slope: float = 0.0
    label_slope: float = 0.0
    location_um: float = 0.0
    habit: Habit = field(default=Habit())
    drift: Drift = field(default=Drift())
    adoption: float = 1.0
    lag_months: float = 0.0
    repeat_noise: float = 0.5
    anchoring: float = 0.0
    overlooking: float = 0.0
    overconfidence: float = 0.0

    def __post_init__(self) -> None:
        count = len(self.classes)
        table = np.asarray(self.confusion, float)
        if len(self.miss) != count or table.shape != (count, count):
            raise ValueError(f"reader {self.name}: miss and confusion must fit {count} classes.")
        if table.min() < 0 or not np.allclose(table.sum(axis=1), 1, atol=1e-9):
            raise ValueError(f"reader {self.name}: rows of confusion must add up to 1.")
        if self.false_labels and len(self.false_labels) != count:
            raise ValueError(f"reader {self.name}: false_labels must fit {count} classes.")
        for name in ("adoption", "repeat_noise", "anchoring", "overlooking"):
            _within(f"reader {self.name}: {name}", (getattr(self, name),))
        _within(f"reader {self.name}: miss", self.miss)
        if not all(0 <= slope <= STEEPEST for slope in (self.miss_slope, self.label_slope)):
            raise ValueError(f"reader {self.name}: slopes must lie between 0 and {STEEPEST:g}.")

    @classmethod
    def even(
        cls, name: str, classes: tuple[str, ...], miss: float, error: float, **others: Any
    ) -> Reader:
        """A reader who treats all classes alike.

        Args:
            name: the reader's name.
            classes: names of the classes.
            miss: share that is missed.
            error: share of the found that gets a wrong label, each of them as often.
            **others: further attributes.
        """
        count = len(classes)
        table = np.full((count, count), error / max(1, count - 1))
        np.fill_diagonal(table, 1 - error if count > 1 else 1.0)
        rows = tuple(tuple(row) for row in table.tolist())
        return cls(name, classes, (miss,) * count, rows, **others)

    def miss_log_odds(self, kind: NDArray[np.int64], months: Floats) -> Floats:
        """Log odds of the mean miss rate of a class (N,) at a time (N,)."""
        with np.errstate(divide="ignore"):
            out: Floats = logit(np.asarray(self.miss))[kind] + self.drift.miss * months
        return out

    def labels(
        self, kind: NDArray[np.int64], months: Floats, guidelines: tuple[Guideline, ...]
    ) -> Floats:
        """(N, K): mean share of each label for a class (N,) at a time (N,)."""
        tilt = np.stack([self._tilt(g.shift) for g in guidelines]) * self.adoption
        lean = tilt[self.rule(months, guidelines)]
        lean = lean + months[:, None] * self._tilt(self.drift.shift)
        grown = np.asarray(self.confusion)[kind] * np.exp(lean)
        out: Floats = grown / grown.sum(axis=1, keepdims=True)
        return out

    def margins(self, months: Floats, guidelines: tuple[Guideline, ...]) -> Floats:
        """How far outside the true border outlines run on average at a time (N,), µm."""
        asked = np.array([g.margin_um for g in guidelines]) * self.adoption
        rule = asked[self.rule(months, guidelines)]
        return self.habit.margin_um + rule + self.drift.margin_um * months

    def rule(self, months: Floats, guidelines: tuple[Guideline, ...]) -> NDArray[np.int64]:
        """Index of the guideline that the reader follows at a time (N,)."""
        first, *later = [g.month for g in guidelines]
        starts = np.array([first, *(month + self.lag_months for month in later)])
        return np.maximum(0, np.searchsorted(starts, months, side="right") - 1)

    def _tilt(self, shift: Shift | None) -> Floats:
        out = np.zeros(len(self.classes))
        if shift is not None:
            out[self.classes.index(shift.toward)] += shift.log_odds / 2
            out[self.classes.index(shift.away)] -= shift.log_odds / 2
        return out
