"""GeoParquet: its metadata by the specification, foreign files, broken files."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from curatome.annotations.formats import Options
from curatome.annotations.formats.geoparquet import FORMAT
from curatome.errors import AnnotationError

from .exchange import FRAMES, exchange, row, table


def test_the_metadata_is_that_of_the_specification(tmp_path):
    before = table(row(1, "point", shapely.Point(1, 2)), row(2, "box", shapely.box(3, 4, 5, 6)))
    losses, reading = exchange(FORMAT, before, tmp_path / "a.parquet")
    assert losses == []
    assert reading.table.equals(before)
    geo = json.loads(pq.read_schema(tmp_path / "a.parquet").metadata[b"geo"])
    assert geo == {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point", "Polygon"],
                                 "crs": None, "bbox": [1, 2, 5, 6]}},
    }  # fmt: skip


def write(path, shape, encoding="WKB"):
    geo = {"primary_column": "geom", "columns": {"geom": {"encoding": encoding}}}
    foreign = pa.table({"geom": [shape], "class": ["tumor"], "area": [12.5]})
    pq.write_table(foreign.replace_schema_metadata({"geo": json.dumps(geo)}), path)


def test_files_of_other_programs(tmp_path):
    path = tmp_path / "b.parquet"
    write(path, shapely.to_wkb(shapely.box(1, 2, 3, 4)))
    assert FORMAT.recognize(path, b"PAR1")
    (one,) = FORMAT.read(path, FRAMES, Options()).table.to_pylist()
    assert (one["kind"], one["labels"], one["properties"]) == (
        "polygon", ["tumor"], '{"area": 12.5}'
    )  # fmt: skip


def test_broken_files_are_refused(tmp_path):
    path = tmp_path / "c.parquet"
    write(path, b"no WKB")
    with pytest.raises(AnnotationError, match="a value of geom is no WKB"):
        FORMAT.read(path, FRAMES, Options())
    write(path, shapely.to_wkb(shapely.Point(1e300, 0)))
    with pytest.raises(AnnotationError, match=r"c.parquet row 1: a coordinate"):
        FORMAT.read(path, FRAMES, Options())
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(AnnotationError, match="is broken or no Parquet file"):
        FORMAT.read(path, FRAMES, Options())
