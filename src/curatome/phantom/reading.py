"""A reader looks through a cohort: what is marked, called what, when, and what is missed.

Chance comes from the seed and the reader's name alone, so that a further reader, or a further
read, changes nothing in those that are there.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtr

from curatome.phantom.logit_normal import intercepts
from curatome.phantom.objects import Floats, Objects
from curatome.phantom.readers import Reader
from curatome.phantom.reads import Flags, Judged, Marks, Reads, Session

_DEFAULT = Session()


def read(
    objects: Objects,
    reader: Reader,
    seed: int,
    session: Session = _DEFAULT,
    proposals: Reads | None = None,
) -> Reads:
    """Let a reader read a cohort.

    Args:
        objects: what there is.
        reader: who reads.
        seed: with the reader's name and the number of the session it decides all chance.
        session: when, which repeat, under which guidelines.
        proposals: a model's read of the same objects, shown where the session says.

    Raises:
        ValueError: the reader knows other classes than the objects have.
    """
    if reader.classes != objects.classes:
        raise ValueError(f"reader {reader.name} knows {reader.classes}, not {objects.classes}.")
    name = zlib.crc32(reader.name.encode())
    rng = np.random.default_rng([seed, name, session.number])
    months = _times(rng, objects, session)
    own = _own(objects, reader, (seed, name, session), months)
    shown = np.zeros(len(objects.slides), bool)
    if proposals is not None:
        shown[:] = True if session.shown is None else session.shown
    judged, confidence = _judge(objects, reader, own)
    places = reader.location_um * rng.standard_normal((2, len(objects)))
    places += np.stack([objects.x, objects.y])
    false = _false_marks(objects, reader, session, rng)
    if proposals is not None:
        led = _led(objects, reader, proposals, shown, rng)
        taken = led & (proposals.judged.label >= 0)
        label = np.where(led, proposals.judged.label, judged.label)
        judged = Judged(judged.months, judged.miss, judged.error, label, led)
        _take_places(proposals, taken, places, confidence)
        false = _joined([false, _accepted(proposals, reader, shown, (rng, session))])
    item = np.flatnonzero(objects.screened & (judged.label >= 0))
    true = Marks(
        item,
        objects.slide[item],
        judged.label[item],
        places[0, item],
        places[1, item],
        months[item],
        confidence[item],
        judged.led[item],
    )
    return Reads(objects, reader, session, _joined([true, false]), judged, shown)


def _joined(parts: list[Marks]) -> Marks:
    names = list(vars(parts[0]))
    return Marks(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _times(rng: np.random.Generator, objects: Objects, session: Session) -> Floats:
    """Slides are read one after another in random order, the objects of each in any order."""
    slides = len(objects.slides)
    turn = rng.permutation(slides)[objects.slide]
    out: Floats = session.start + session.months * (turn + rng.random(len(objects))) / slides
    return out


@dataclass(frozen=True, eq=False)
class _Own:
    """A reader's own view of each object, before chance and proposals have their say."""

    months: Floats
    miss: Floats
    labels: Floats
    error: Floats
    chance: Floats
    """(2, N) uniform values behind a miss and behind a label, partly common to all reads."""


def _own(objects: Objects, reader: Reader, who: tuple[int, int, Session], months: Floats) -> _Own:
    seed, name, session = who
    log_odds = reader.miss_log_odds(objects.kind, months)
    miss = intercepts(log_odds, reader.miss_slope) + reader.miss_slope * objects.difficulty
    labels = reader.labels(objects.kind, months, session.guidelines)
    right = labels[np.arange(len(objects)), objects.kind]
    with np.errstate(divide="ignore"):
        wrong = intercepts(logit(1 - right), reader.label_slope)
    shape = (2, len(objects))
    lasting = np.random.default_rng([seed, name, 0]).standard_normal(shape)
    fresh = np.random.default_rng([seed, name, session.number, 1]).standard_normal(shape)
    mixed = np.sqrt(1 - reader.repeat_noise) * lasting + np.sqrt(reader.repeat_noise) * fresh
    error = expit(wrong + reader.label_slope * objects.ambiguity)
    return _Own(months, expit(miss), labels, error, ndtr(mixed))


def _judge(objects: Objects, reader: Reader, own: _Own) -> tuple[Judged, Floats]:
    """What the reader says without proposals, and how surely: (N,) confidence of each label."""
    missed, wrong = own.chance[0] < own.miss, own.chance[1] < own.error
    others = own.labels.copy()
    others[np.arange(len(objects)), objects.kind] = 0.0
    steps = np.cumsum(others, axis=1)
    # Below the chance of an error, the same uniform value says which error it is.
    place = own.chance[1] / np.where(own.error > 0, own.error, 1) * steps[:, -1]
    mistake = (place[:, None] >= steps[:, :-1]).sum(axis=1)
    label = np.where(missed, -1, np.where(wrong, mistake, objects.kind))
    with np.errstate(divide="ignore"):
        confidence = expit(logit(1 - own.error) * (1 + reader.overconfidence))
    led = np.zeros(len(objects), bool)
    return Judged(own.months, own.miss, own.error, label, led), confidence


def _false_marks(
    objects: Objects, reader: Reader, session: Session, rng: np.random.Generator
) -> Marks:
    """Marks where nothing is, as a Poisson process over what is searched."""
    area = objects.size_um.prod(axis=1) / 1e6
    slide = np.repeat(np.arange(len(area)), rng.poisson(reader.false_per_mm2 * area))
    count, shares = len(slide), np.asarray(reader.false_labels or (1.0,) * len(reader.classes))
    x, y = (objects.size_um[slide] * rng.random((count, 2))).T
    return Marks(
        np.full(count, -1),
        slide,
        rng.choice(len(shares), count, p=shares / shares.sum()),
        x,
        y,
        session.start + session.months * rng.random(count),
        rng.beta(2.0, 2.0, count),
        np.zeros(count, bool),
    )


def _led(
    objects: Objects, reader: Reader, proposals: Reads, shown: Flags, rng: np.random.Generator
) -> Flags:
    """(N,) where the reader follows what is proposed, or does not look where nothing is."""
    often = np.where(proposals.judged.label >= 0, reader.anchoring, reader.overlooking)
    out: Flags = shown[objects.slide] & (rng.random(len(objects)) < often)
    return out


def _take_places(proposals: Reads, taken: Flags, places: Floats, confidence: Floats) -> None:
    """A proposal that is taken over keeps its place and confidence; changes both in place."""
    marks = proposals.marks
    keep = (marks.item >= 0) & taken[marks.item]
    item = marks.item[keep]
    places[0, item], places[1, item] = marks.x[keep], marks.y[keep]
    confidence[item] = marks.confidence[keep]


def _accepted(
    proposals: Reads, reader: Reader, shown: Flags, when: tuple[np.random.Generator, Session]
) -> Marks:
    """False positives of the model that the reader takes over."""
    marks, (rng, session) = proposals.marks, when
    taken = (marks.item < 0) & shown[marks.slide]
    taken &= rng.random(len(taken)) < reader.anchoring
    count = int(taken.sum())
    columns = {name: values[taken] for name, values in vars(marks).items()}
    columns["months"] = session.start + session.months * rng.random(count)
    columns["led"] = np.ones(count, bool)
    return Marks(**columns)
