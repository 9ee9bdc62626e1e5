"""Planted faults: one module per family of rules, each fault with a graded strength.

    make_tables → Tables ── FAULTS[name].plant(tables, strength, seed) → Planted(tables, changes)

The faults need no pixels. Strength 0 gives the tables back as they are; with one seed, a greater
strength plants all that a smaller one does, and more. `changes` lists every row that was changed,
added or removed. Faults may follow one another.
"""

from curatome.phantom.faults import (
    balance,
    completeness,
    coordinates,
    duplicates,
    guideline,
    labels,
    leakage,
    outlining,
    vocabulary,
)
from curatome.phantom.faults.clean import CleanDesign, make_tables
from curatome.phantom.faults.tables import CHANGES, IMAGES, Fault, Planted, Tables

_FAMILIES = (
    leakage,
    duplicates,
    guideline,
    coordinates,
    vocabulary,
    balance,
    labels,
    completeness,
    outlining,
)

FAULTS: dict[str, Fault] = {fault.name: fault for family in _FAMILIES for fault in family.FAULTS}

__all__ = [
    "CHANGES",
    "FAULTS",
    "IMAGES",
    "CleanDesign",
    "Fault",
    "Planted",
    "Tables",
    "make_tables",
]
