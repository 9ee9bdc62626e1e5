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

CELLS = TableSpec(
    "cells",
    (
        Column("cell", _TEXT, "the cell's id, unique within its slide"),
        Column("slide", _TEXT, "first 16 digits of the slide's content hash"),
        Column("x", _REAL, "middle of the shape's bounds", "level-0 px"),
        Column("y", _REAL, "middle of the shape's bounds", "level-0 px"),
        Column("shape", pa.binary(), "outline, box or point, WKB", "level-0 px"),
        Column("left", _REAL, "left edge of the crop", "level-0 px"),
        Column("top", _REAL, "top edge of the crop", "level-0 px"),
        Column("width", _REAL, "extent of the crop on the slide", "level-0 px"),
        Column("height", _REAL, "extent of the crop on the slide", "level-0 px"),
        Column("side_px", pa.int32(), "edge of the crop", "px"),
        Column("side_um", _REAL, "edge of the field of view, left to right", "µm"),
        Column("mpp_x", _REAL, "true scale of the stored pixels", "µm/px"),
        Column("mpp_y", _REAL, "true scale of the stored pixels", "µm/px"),
        Column("enlargement", _SHORT, "1 where pixels were reduced or kept, above 1 if enlarged"),
        Column("ground", _TEXT, "what surrounds the cell, context or white"),
        Column("inside_fraction", _SHORT, "part of the crop on the slide", "fraction of its area"),
        Column("shown_fraction", _SHORT, "part of the shape's bounds that the crop holds"),
        Column("drawn_again", _TEXT, "the cell that this is another drawing of", nullable=True),
        Column("copy_of", _TEXT, "slide/cell with the same pixels, turned or not", nullable=True),
        Column("shard", _TEXT, "tar file, relative to the table"),
        Column("offset", pa.int64(), "first byte of the image in the shard", "bytes"),
        Column("length", pa.int64(), "length of the image", "bytes"),
        Column("hash", _TEXT, "BLAKE2b-128 of the encoded image"),
        Column("mask_offset", pa.int64(), "first byte of the mask, a 1-bit PNG", "bytes", True),
        Column("mask_length", pa.int64(), "length of the mask", "bytes", True),
        Column("turned_hash", _TEXT, "hash of the pixels that rotations and flips share"),
    ),
)

_TEXTS = pa.list_(pa.field("item", pa.string(), nullable=False))

ANNOTATIONS = TableSpec(
    "annotations",
    (
        Column("annotation", _TEXT, "UUID that survives export and re-import"),
        Column("image", _TEXT, "slide or image that it lies on", nullable=True),
        Column("kind", _TEXT, "how to read the geometry, of annotations.model.KINDS"),
        Column("geometry", pa.binary(), "WKB; none for a whole image", "level-0 px", True),
        Column("mask", pa.binary(), "1-bit PNG over the geometry's bounds", nullable=True),
        Column("nucleus", pa.binary(), "a cell's nucleus, WKB", "level-0 px", nullable=True),
        Column("labels", _TEXTS, "one class, several labels, or none"),
        Column("cannot_judge", pa.bool_(), "the reader saw it and could not say"),
        Column("confidence", _REAL, "0 to 1, the reader's or a model's", nullable=True),
        Column("reader", _TEXT, "who says so", nullable=True),
        Column("read", pa.int16(), "1, or 2 and more when a reader reads again"),
        Column("guideline", _TEXT, "version it was made under", nullable=True),
        Column("time", pa.timestamp("us", "UTC"), "when it was made", nullable=True),
        Column("tool", _TEXT, "what it was made with", nullable=True),
        Column("basis", _TEXT, "imported, drawn, proposed or adjudicated"),
        Column("parents", _TEXTS, "annotations that it was made from"),
        Column("name", _TEXT, "the object's own name", nullable=True),
        Column("foreign", _TEXT, "its id in the file it came from", nullable=True),
        Column("properties", _TEXT, "measurements and all else the file says, JSON"),
    ),
)

CONSENSUS = TableSpec(
    "consensus",
    (
        Column("item", _TEXT, "what was judged"),
        Column("label", _TEXT, "what was decided, none where nothing was", nullable=True),
        Column("posterior", _REAL, "probability of the label, or its share of votes", "", True),
        Column("readers", pa.int32(), "how many votes count"),
        Column("agreeing", pa.int32(), "how many of them gave that label"),
        Column("dissenters", _TEXTS, "who judged it and did not"),
        Column("decided_by", _TEXT, "majority, judge, a tie rule, a model, … or what is lacking"),
    ),
)

FUSED = TableSpec(
    "fused",
    (
        Column("item", pa.int64(), "number of the object"),
        Column("geometry", pa.binary(), "WKB; none where nothing is left", "level-0 px", True),
        Column("confidence", _REAL, "0 to 1: how many readers marked it, and how sure"),
        Column("overlap", _REAL, "mean IoU of the readers' shapes with the fused one"),
        Column("readers", pa.int32(), "how many looked there"),
        Column("agreeing", pa.int32(), "how many marked it"),
        Column("dissenters", _TEXTS, "who looked there and did not"),
        Column("decided_by", _TEXT, "how the shape was made"),
    ),
)

LABEL_ERRORS = TableSpec(
    "label_errors",
    (
        Column("rank", pa.int64(), "1 for the most suspicious label"),
        Column("item", _TEXT, "what is labelled"),
        Column("label", _TEXT, "the label it has"),
        Column("suggested", _TEXT, "the label that the model thinks likelier, or the same"),
        Column("score", _REAL, "suspicion, 0 to 1: half is as likely as the other label"),
        Column("self_confidence", _REAL, "probability of its own label, out of fold"),
        Column("suspect", pa.bool_(), "whether confident learning takes it for wrong"),
    ),
)

ITEMS = TableSpec(
    "items",
    (
        Column("item", _TEXT, "id, unique in the dataset"),
        Column("kind", _TEXT, "tile, region, cell or image"),
        Column("source", _TEXT, "dataset that it comes from", nullable=True),
        Column("slide", _TEXT, "slide or image that it was cut from", nullable=True),
        Column("case", _TEXT, "patient or block", nullable=True),
        Column("site", _TEXT, "institution", nullable=True),
        Column("scanner", _TEXT, "scanner", nullable=True),
        Column("stain", _TEXT, "stain", nullable=True),
        Column("scale", _TEXT, "name of the scale", nullable=True),
        Column("labels", _TEXTS, "one class, several labels, or none"),
        Column("split", _TEXT, "name of the split", nullable=True),
        Column("x", _REAL, "left edge", "level-0 px", nullable=True),
        Column("y", _REAL, "top edge", "level-0 px", nullable=True),
        Column("width", _REAL, "extent on the slide", "level-0 px", nullable=True),
        Column("height", _REAL, "extent on the slide", "level-0 px", nullable=True),
        Column("side_px", pa.int32(), "edge of the stored image", "px", nullable=True),
        Column("mpp_x", _REAL, "true scale of the stored pixels", "µm/px", nullable=True),
        Column("mpp_y", _REAL, "true scale of the stored pixels", "µm/px", nullable=True),
        Column("shard", _TEXT, "tar file that holds its image", nullable=True),
        Column("offset", pa.int64(), "first byte of the image in the shard", "bytes", True),
        Column("length", pa.int64(), "length of the image", "bytes", True),
        Column("hash", _TEXT, "content hash of the encoded image", nullable=True),
    ),
)

CASES = TableSpec(
    "cases",
    (
        Column("case", _TEXT, "patient or block"),
        Column("fields", _TEXT, "what was declared of it, JSON with sorted keys"),
    ),
)

MEASURES = TableSpec(
    "measures",
    (
        Column("name", _TEXT, "what was measured, semantic_accuracy"),
        Column("subject", _TEXT, "what it is about, class tumor"),
        Column("value", _REAL, "the estimate"),
        Column("low", _REAL, "lower end of the interval", nullable=True),
        Column("high", _REAL, "upper end of the interval", nullable=True),
        Column("level", _REAL, "level of the interval", "fraction"),
        Column("n", pa.int64(), "items behind it", nullable=True),
        Column("clusters", pa.int64(), "cases they come from", nullable=True),
        Column("unit", _TEXT, "unit of the value"),
        Column("method", _TEXT, "how value and interval were found"),
    ),
)

SHARDS = TableSpec(
    "shards",
    (
        Column("shard", _TEXT, "tar file, relative to the folder of shards"),
        Column("bytes", pa.int64(), "its size", "bytes"),
        Column("sha256", _TEXT, "hash of the whole file"),
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

REGIONS = TableSpec(
    "regions",
    (
        Column("region", _TEXT, "source_image_column_row; empty for a duplicate", nullable=True),
        Column("image", _TEXT, "BLAKE2b-128 of the image file"),
        Column("source", _TEXT, "the dataset it comes from"),
        Column("part", _TEXT, "magnification or size that the source tells apart", nullable=True),
        Column("class", _TEXT, "class, or several joined by ;", nullable=True),
        Column("case", _TEXT, "patient, block or group", nullable=True),
        Column("split", _TEXT, "as the source's authors split it", nullable=True),
        Column("path", _TEXT, "file below the source's folder"),
        Column("row", pa.int64(), "row of a Parquet file that holds the image", nullable=True),
        Column("width", pa.int32(), "of the image", "px"),
        Column("height", pa.int32(), "of the image", "px"),
        Column("mpp", _REAL, "scale of the image", "µm/px", nullable=True),
        Column("mpp_source", _TEXT, "user, table, registry or file", nullable=True),
        Column("scale", _TEXT, "L, M or S"),
        Column("reason", _TEXT, "why this scale"),
        Column("x", _REAL, "left edge of the crop", "px of the image"),
        Column("y", _REAL, "top edge of the crop", "px of the image"),
        Column("side", _REAL, "edge of the crop", "px of the image"),
        Column("side_px", pa.int32(), "edge of the stored region", "px"),
        Column("side_um", _REAL, "edge of the field of view", "µm", nullable=True),
        Column("enlargement", _SHORT, "1 where pixels were reduced or kept, above 1 if enlarged"),
        Column("shard", _TEXT, "tar file, relative to the build folder", nullable=True),
        Column("offset", pa.int64(), "first byte of the region in the shard", "bytes", True),
        Column("length", pa.int64(), "length of the region", "bytes", True),
        Column("hash", _TEXT, "BLAKE2b-128 of the encoded region", nullable=True),
        Column("duplicate_of", _TEXT, "place of the same image that was kept", nullable=True),
    ),
)

SOURCES = TableSpec(
    "sources",
    (
        Column("source", _TEXT, "name of the dataset"),
        Column("title", _TEXT, "its full title"),
        Column("organ", _TEXT, "organ or tissue", nullable=True),
        Column("disease", _TEXT, "what is seen", nullable=True),
        Column("number", pa.int64(), "standardized regions of it"),
        Column("storage_part", _TEXT, "folders of its shards in this build"),
        Column("dyeing_method", _TEXT, "stain", nullable=True),
        Column("field", _TEXT, "histopathology or cytopathology", nullable=True),
        Column("year", pa.int32(), "of publication", nullable=True),
        Column("link", _TEXT, "where it is published", nullable=True),
        Column("literature", _TEXT, "the article", nullable=True),
        Column("license", _TEXT, "as published", nullable=True),
        Column("images", pa.int64(), "images that were added"),
        Column("duplicates", pa.int64(), "images with the content of another one"),
        Column("failed", pa.int64(), "images that gave no region"),
        Column("published", pa.int64(), "images its authors count", nullable=True),
        Column("cpia_part", _TEXT, "where CPIA has it: storage part and scale", nullable=True),
    ),
)

NEAR_DUPLICATES = TableSpec(
    "near_duplicates",
    (
        Column("first", _TEXT, "tile, cell or image"),
        Column("second", _TEXT, "a later one that looks like it"),
        Column("distance", pa.int16(), "in which their perceptual hashes differ", "bits"),
        Column("symmetry", pa.int8(), "turn of the first that looks like the second, 0 to 7"),
        Column("similarity", _SHORT, "correlation of what the hashes cannot see, -1 to 1"),
    ),
)
