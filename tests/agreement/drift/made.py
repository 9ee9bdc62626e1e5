"""Readers of the phantom over a year, with and without planted drift."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curatome.agreement.drift import quantities
from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Drift, Guideline, Reader, Shift
from curatome.phantom.reading import read
from curatome.phantom.reads import Session

CLASSES = ("tumor", "stromal")
DESIGN = ObjectDesign(
    cases=60, objects_per_slide=30, classes=CLASSES, frequencies=(0.6, 0.4), case_spread=0.1
)
YEAR = Session(months=12.0)
CHANGED = Session(
    months=12.0,
    guidelines=(Guideline("1"), Guideline("2", 5.0, Shift("stromal", "tumor", 2.0), 1.5)),
)


def table(seed, session=YEAR, drift=None, design=DESIGN, name="ann"):
    """Annotations with the true class as consensus and the margin of each outline."""
    objects = make_objects(design, seed)
    reader = Reader.even(name, CLASSES, 0.05, 0.15, drift=drift or Drift())
    reads = read(objects, reader, seed, session)
    out = reads.table()
    items = np.asarray(out["item"])
    months = reads.marks.months
    noise = np.random.default_rng([seed, 7]).normal(0, 0.5, len(items))
    margin = reader.margins(months, session.guidelines) + noise
    truth = np.array(CLASSES)[objects.kind[items]]
    return (
        out.select(["reader", "case", "label", "time", "guideline"])
        .append_column("consensus", pa.array(truth))
        .append_column("margin_um", pa.array(margin))
    )


def columns(made, quantity):
    """Values, cases and times of a table."""
    values = quantities(made)[quantity]
    times = made["time"].cast(pa.timestamp("us")).to_numpy()
    return values, np.array(made["case"].to_pylist()), times
