"""The columns, types and units of every table that passes between stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from curatome.errors import TableError


@dataclass(frozen=True)
class Column:
    """One column: its name, Arrow type, what it holds and in which unit."""

    name: str
    type: pa.DataType
    description: str
    unit: str = ""
    nullable: bool = False


@dataclass(frozen=True)
class TableSpec:
    """The contract of a table."""

    name: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with description and unit as metadata of each field."""
        return pa.schema(
            [
                pa.field(
                    c.name,
                    c.type,
                    nullable=c.nullable,
                    metadata={"description": c.description, "unit": c.unit},
                )
                for c in self.columns
            ],
            metadata={"curatome.table": self.name},
        )

    def from_rows(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Rows as a table of this contract.

        Raises:
            TableError: a row misses a column or holds a value of another type.
        """
        return self.from_columns({c.name: [row.get(c.name) for row in rows] for c in self.columns})

    def from_columns(self, columns: Mapping[str, Any]) -> pa.Table:
        """Columns (lists or arrays of one length) as a table of this contract.

        Raises:
            TableError: a column is missing, of another type, or null where it may not be.
        """
        arrays = []
        for column in self.columns:
            if column.name not in columns:
                raise TableError(f"table {self.name}: column {column.name} is missing.")
            try:
                array = pa.array(columns[column.name], type=column.type)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise TableError(f"table {self.name}, column {column.name}: {error}.") from error
            if array.null_count and not column.nullable:
                row = array.is_null().index(True).as_py()
                raise TableError(f"table {self.name}, column {column.name}, row {row}: no value.")
            arrays.append(array)
        return pa.Table.from_arrays(arrays, schema=self.schema)


_TEXT, _REAL, _SHORT = pa.string(), pa.float64(), pa.float32()

SLIDES = TableSpec(
    "slides",
    (
        Column("slide", _TEXT, "first 16 digits of the content hash"),
        Column("sha256", _TEXT, "content hash over all files of the slide"),
        Column("path", _TEXT, "where the slide was last seen"),
        Column("state", _TEXT, "ready, held, refused or unreadable"),
        Column("case", _TEXT, "patient or block the slide belongs to", nullable=True),
        Column("block", _TEXT, "tissue block", nullable=True),
        Column("site", _TEXT, "institution", nullable=True),
        Column("scanner", _TEXT, "scanner, from the table or the file", nullable=True),
        Column("stain", _TEXT, "stain", nullable=True),
        Column("format", _TEXT, "file format as the reader names it", nullable=True),
        Column("width", pa.int64(), "width of level 0", "level-0 px", nullable=True),
        Column("height", pa.int64(), "height of level 0", "level-0 px", nullable=True),
        Column("mpp_x", _REAL, "resolved scale, left to right", "µm/px", nullable=True),
        Column("mpp_y", _REAL, "resolved scale, top to bottom", "µm/px", nullable=True),
        Column("mpp_source", _TEXT, "file, table or user", nullable=True),
        Column("objective_power", _REAL, "nominal magnification", "×", nullable=True),
    ),
)

TILES = TableSpec(
    "tiles",
    (
        Column("tile_id", _TEXT, "slide_scale_x_y with x, y in pixels of the scale's own grid"),
        Column("slide", _TEXT, "first 16 digits of the slide's content hash"),
        Column("case", _TEXT, "patient or block", nullable=True),
        Column("scale", _TEXT, "name of the scale in curatome.toml"),
        Column("x", _REAL, "left edge", "level-0 px"),
        Column("y", _REAL, "top edge", "level-0 px"),
        Column("width", _REAL, "extent on the slide", "level-0 px"),
        Column("height", _REAL, "extent on the slide", "level-0 px"),
        Column("side_px", pa.int32(), "edge of the stored image", "px"),
        Column("side_um", _REAL, "edge of the field of view, left to right", "µm"),
        Column("mpp_x", _REAL, "true scale of the stored pixels", "µm/px"),
        Column("mpp_y", _REAL, "true scale of the stored pixels", "µm/px"),
        Column("level", pa.int16(), "level of the slide that was read"),
        Column("enlargement", _SHORT, "1 where pixels were reduced or kept, above 1 if enlarged"),
        Column("tissue_fraction", _SHORT, "tissue within the tile", "fraction of its area"),
        Column("inside_fraction", _SHORT, "part that lies on the slide", "fraction of its area"),
        Column("parent", _TEXT, "tile_id of the tile that contains it", nullable=True),
        Column("shard", _TEXT, "tar file, relative to the build folder", nullable=True),
        Column("offset", pa.int64(), "first byte of the image in the shard", "bytes", True),
        Column("length", pa.int64(), "length of the image", "bytes", True),
        Column("hash", _TEXT, "BLAKE2b-128 of the encoded image", nullable=True),
        Column("native", pa.bool_(), "the scanner's own bytes, copied without decoding"),
    ),
)

FINDINGS = TableSpec(
    "findings",
    (
        Column("fingerprint", _TEXT, "stable between runs"),
        Column("code", _TEXT, "rule, ACQ002"),
        Column("severity", _TEXT, "note, warning or error"),
        Column("subject", _TEXT, "what it is about"),
        Column("message", _TEXT, "what is wrong"),
        Column("remedy", _TEXT, "what to do"),
        Column("x", _REAL, "left edge of the place", "level-0 px", nullable=True),
        Column("y", _REAL, "top edge of the place", "level-0 px", nullable=True),
        Column("width", _REAL, "width of the place", "level-0 px", nullable=True),
        Column("height", _REAL, "height of the place", "level-0 px", nullable=True),
        Column("evidence", _TEXT, "numbers behind it, as JSON"),
    ),
)
