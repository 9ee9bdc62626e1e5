"""Content hashes of a source's images: its child's side of `curatome sources add`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curatome.errors import SourceError
from curatome.hashes import bytes_hash
from curatome.jobs import progress, stage
from curatome.sources.listing import Entry, ImageBytes


def hash_images(root: Path, entries: Sequence[Entry], column: str) -> list[tuple[str, int, str]]:
    """BLAKE2b-128 and size of each image file, or what is wrong with it.

    Run in a supervised child: Parquet files are foreign.

    Args:
        root: the source's folder.
        entries: its images.
        column: the column of a Parquet file that holds images.
    """
    reader = ImageBytes(root, column)
    found = []
    for entry in entries:
        stage(f"hash {entry.place}")
        try:
            data = reader.read(entry)
            found.append((bytes_hash(data), len(data), ""))
        except (SourceError, OSError) as error:
            found.append(("", 0, str(error)))
        progress(images=1)
    return found
