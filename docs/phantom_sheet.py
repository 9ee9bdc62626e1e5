"""Draws the contact sheet of the phantom, docs/phantom/: `make docs-pictures`.

    python -m docs.phantom_sheet                every sheet
    python -m docs.phantom_sheet tissue nuclei  some of them

The same source gives the same pictures. What must be on a sheet is listed by hand in docs/sheets/,
with words for the reader; a test compares these lists with the phantom's own.
"""

from __future__ import annotations

import sys

from docs.sheets import faults, histology, mishaps, reading

SHEETS = {
    "tissue": histology.tissue,
    "stains": histology.stains,
    "nuclei": histology.nuclei,
    "traits": histology.traits,
    "artifacts-section": mishaps.section_artifacts,
    "artifacts-glass": mishaps.glass_artifacts,
    "labels": mishaps.labels,
    "readers": reading.readers,
    "faults": faults.faults,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or SHEETS:
        SHEETS[name]()
