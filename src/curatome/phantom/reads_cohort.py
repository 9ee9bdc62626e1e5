"""A cohort of reads without pixels: objects, readers, repeats, and a model that proposes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from curatome.phantom.objects import ObjectDesign, Objects, make_objects
from curatome.phantom.readers import Reader
from curatome.phantom.reading import read
from curatome.phantom.reads import Reads, Session


@dataclass(frozen=True)
class ReadsDesign:
    """Who reads what.

    Attributes:
        objects: how objects are made.
        readers: who reads, each in every session.
        sessions: when; further ones are repeats.
        model: proposes to all readers, and is a reader of its own.
        shown_share: share of the slides, drawn at random, on which its proposals are shown.
    """

    objects: ObjectDesign
    readers: tuple[Reader, ...]
    sessions: tuple[Session, ...] = field(default=(Session(),))
    model: Reader | None = None
    shown_share: float = 1.0


@dataclass(frozen=True)
class ReadsCohort:
    """What there is, what was read, and the truth about it.

    Attributes:
        objects: table `objects.OBJECTS`.
        reads: table `reads.READS`, the model's reads among them.
        judgements: table `reads.JUDGEMENTS`.
    """

    objects: pa.Table
    reads: pa.Table
    judgements: pa.Table


def read_all(objects: Objects, design: ReadsDesign, seed: int) -> list[Reads]:
    """All reads of a design, the model's first."""
    proposals = None if design.model is None else read(objects, design.model, seed)
    sessions = design.sessions
    if proposals is not None and design.shown_share < 1:
        rng = np.random.default_rng([seed, 0x5E])
        some = tuple((rng.random(len(objects.slides)) < design.shown_share).tolist())
        sessions = tuple(replace(s, shown=some) for s in sessions)
    reads = [
        read(objects, reader, seed, session, proposals)
        for reader in design.readers
        for session in sessions
    ]
    return reads if proposals is None else [proposals, *reads]


def make_reads_cohort(design: ReadsDesign, seed: int) -> ReadsCohort:
    """Make and read a cohort.

    Args:
        design: who reads what.
        seed: decides everything.

    Raises:
        ValueError: a reader knows other classes than the objects have.
    """
    objects = make_objects(design.objects, seed)
    reads = read_all(objects, design, seed)
    return ReadsCohort(
        objects.table(),
        pa.concat_tables([r.table() for r in reads]),
        pa.concat_tables([r.truth() for r in reads]),
    )
