"""CSV: a table of each split, beside its images."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path
from typing import Any

from curatome.dataset.export.base import Entry, Export, Job, lose_shapes, write_image
from curatome.durable import new_file

_FIRST = ("file", "item", "labels", "known")


class CsvFiles:
    """The format."""

    name = "csv"
    title = "CSV"
    layout = "SPLIT.csv and SPLIT/NAME.jpg (or .png)"
    note = "Several labels are joined by `;`; `known` are classes whose absence is certain."

    def write(self, job: Job, folder: Path) -> None:
        """See `Export`."""
        lose_shapes(job, self.title)
        for split in job.splits:
            with new_file(folder / f"{split}.csv") as stream:
                text = codecs.getwriter("utf-8")(stream)
                writer: Any = None
                for entry in job.entries(split):
                    row = _row(split, entry)
                    if writer is None:
                        writer = csv.DictWriter(text, list(row), lineterminator="\n")
                        writer.writeheader()
                    writer.writerow(row)
                    write_image(folder / split / entry.file, entry.data)


def _row(split: str, entry: Entry) -> dict[str, Any]:
    plain = entry.plain()
    known = {name: value for name, value in plain.items() if name not in _FIRST}
    return {
        "file": f"{split}/{entry.file}",
        "item": entry.item,
        "labels": ";".join(entry.labels),
        "known": ";".join(entry.known),
        **known,
    }


EXPORT: Export = CsvFiles()
