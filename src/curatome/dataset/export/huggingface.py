"""Hugging Face datasets: Parquet files with images in them, and a card that says which is what.

The features are in the metadata of every file, as `datasets` writes them itself
(https://huggingface.co/docs/datasets/about_dataset_features).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.dataset.export.base import Entry, Export, Job, lose_shapes
from curatome.durable import new_file, write_file
from curatome.errors import VersionError
from curatome.tables import ITEMS

_GROUP = 256  # rows of a row group: what one look-up reads
_BYTES = 1 << 29
_LEFT = ("labels", "split", "shard", "offset", "length")
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TYPES = {pa.string(): "string", pa.float64(): "float64", pa.int32(): "int32"}
_SPLIT = re.compile(r"\w+(\.\w+)*")


class HuggingFace:
    """The format."""

    name = "huggingface"
    title = "Hugging Face datasets"
    layout = "data/SPLIT-00000.parquet, README.md with the splits"
    note = (
        "`labels` and `known` are lists of ClassLabel; `known` are classes whose absence is sure."
    )

    def write(self, job: Job, folder: Path) -> None:
        """See `Export`."""
        wrong = [name for name in job.splits if _SPLIT.fullmatch(name) is None]
        if wrong:
            raise VersionError(
                f'{self.title} cannot call a split "{wrong[0]}". Use letters, digits and "_".'
            )
        lose_shapes(job, self.title)
        schema = _schema(job.classes)
        for split in job.splits:
            entries, number = job.entries(split), 0
            while (first := next(entries, None)) is not None:
                path = folder / "data" / f"{split}-{number:05d}.parquet"
                _write_file(path, schema, (first, entries), job.classes)
                number += 1
        write_file(folder / "README.md", _card(list(job.splits)))


def _columns() -> list[pa.Field]:
    return [one for one in ITEMS.schema if one.name not in _LEFT]


def _schema(classes: tuple[str, ...]) -> pa.Schema:
    lists = [pa.field(name, pa.list_(pa.int64())) for name in ("labels", "known")]
    plain = [pa.field(one.name, one.type) for one in _columns()]
    label: dict[str, Any] = {"dtype": "int64", "_type": "Value"}
    if classes:
        label = {"names": list(classes), "_type": "ClassLabel"}
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    features |= {one.name: {"feature": label, "_type": "List"} for one in lists}
    features |= {one.name: {"dtype": _TYPES[one.type], "_type": "Value"} for one in plain}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([pa.field("image", _IMAGE), *lists, *plain], metadata=metadata)


def _write_file(
    path: Path, schema: pa.Schema, source: tuple[Entry, Iterator[Entry]], classes: tuple[str, ...]
) -> None:
    """One file, full or the last."""
    number = {name: at for at, name in enumerate(classes)}
    first, rest = source
    held, size = [first, *islice(rest, _GROUP - 1)], 0
    with (
        new_file(path) as stream,
        pq.ParquetWriter(stream, schema, compression="zstd", use_dictionary=False) as writer,
    ):
        while held:
            rows = [_row(one, number) for one in held]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            size += sum(len(one.data) for one in held)
            held = list(islice(rest, _GROUP)) if size < _BYTES else []


def _row(entry: Entry, number: dict[str, int]) -> dict[str, Any]:
    return {
        **{one.name: entry.row[one.name] for one in _columns()},
        "image": {"bytes": entry.data, "path": entry.file},
        "labels": [number[name] for name in entry.labels],
        "known": [number[name] for name in entry.known],
    }


def _card(splits: list[str]) -> str:
    files = "".join(f'  - split: {one}\n    path: "data/{one}-*.parquet"\n' for one in splits)
    return f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n"


EXPORT: Export = HuggingFace()
