"""How copies of sources are read: one module per kind of layout, one line each in `ADAPTERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from curatome.sources.adapters.folders import list_folders
from curatome.sources.adapters.parquet import list_parquet
from curatome.sources.adapters.table import list_table
from curatome.sources.listing import Listing, SourceFiles
from curatome.sources.model import Layout

Adapter = Callable[[SourceFiles, Layout], Listing]
"""Lists the images of a copy without decoding any; an empty listing if it is of another layout."""

ADAPTERS: Mapping[str, Adapter] = {
    "folders": list_folders,
    "csv": list_table,
    "parquet": list_parquet,
}


def list_source(files: SourceFiles, layout: Layout) -> Listing:
    """The images of a copy.

    Raises:
        SourceError: a listing cannot be read.
    """
    return ADAPTERS[layout.adapter](files, layout)
