"""The manifest of a build: one row per tile, one file, written when everything in it exists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.durable import new_file, write_file
from curatome.hashes import settings_hash
from curatome.project import Project, SlideEntry
from curatome.tables import SLIDES, TILES
from curatome.tiles.record import ENGINE, SlideRecord, part_path
from curatome.tiles.shards import with_shards
from curatome.tiles.state import reading, with_state, written_states

ROWS_PER_GROUP = 200_000


def manifest_path(build: Path) -> Path:
    """The table of all tiles."""
    return build / "tiles.parquet"


def write_manifest(project: Project, records: Mapping[str, SlideRecord]) -> bool:
    """Write `tiles.parquet`, `slides.parquet` and `build.json` if they would be other than now.

    Rows are sorted by slide and unit, so a dataset has one manifest, however it came about.

    Args:
        project: the project.
        records: the slides that are done, by key.

    Returns:
        Whether anything was written.

    Raises:
        BuildError: a part is damaged.
    """
    entries = {entry.slide: entry for entry in project.store.slides()}
    cases = {key: entries[record.slide].case for key, record in records.items()}
    slides = SLIDES.from_rows([slide_row(entry) for entry in entries.values()])
    inputs = [ENGINE, sorted(cases.items()), project.protocol.build_key_material()]
    stored = [project.shards] if isinstance(project.shards, str) else []
    state = settings_hash([*inputs, slides.to_pylist(), *stored])
    # All three are asked: an interrupted run may have written the first ones of another state.
    if set(written_states(project.build).values()) == {state}:
        return False
    with new_file(project.build / "slides.parquet") as stream:
        table = slides.cast(with_state(slides.schema, state))
        pq.write_table(table, stream, compression="zstd")
    write_file(project.build / "build.json", _summary(project, records, state))
    schema = with_state(with_shards(TILES.schema, project.shards), state)
    with (
        new_file(manifest_path(project.build)) as stream,
        pq.ParquetWriter(stream, schema, compression="zstd") as writer,
    ):
        for table in _groups(project.build, records, cases):
            writer.write_table(table.cast(schema), row_group_size=ROWS_PER_GROUP)
    return True


def _groups(
    build: Path, records: Mapping[str, SlideRecord], cases: Mapping[str, str | None]
) -> Iterator[pa.Table]:
    """Rows of all parts in tables of about `ROWS_PER_GROUP` rows."""
    held: list[pa.Table] = []
    for key in sorted(records):
        for unit in range(records[key].units):
            path = part_path(build, key, unit)
            with reading(path):
                part = pq.read_table(path)
            case = pa.array([cases[key]] * len(part), pa.string())
            held.append(part.set_column(part.schema.get_field_index("case"), "case", case))
            if sum(map(len, held)) >= ROWS_PER_GROUP:
                yield pa.concat_tables(held).combine_chunks()
                held = []
    if held:
        yield pa.concat_tables(held).combine_chunks()


def slide_row(entry: SlideEntry) -> dict[str, object]:
    """A slide as a row of `tables.SLIDES`."""
    mpp = entry.mpp
    return {
        "slide": entry.slide,
        "sha256": entry.sha256,
        "path": entry.path,
        "state": entry.state,
        "case": entry.case,
        **{name: entry.declared.get(name) for name in ("block", "site", "stain")},
        "scanner": entry.scanner,
        "format": entry.format,
        "width": entry.width,
        "height": entry.height,
        "mpp_x": mpp.x if mpp else None,
        "mpp_y": mpp.y if mpp else None,
        "mpp_source": mpp.source if mpp else None,
        "objective_power": entry.objective_power,
    }


def _summary(project: Project, records: Mapping[str, SlideRecord], state: str) -> str:
    """The run record: all that the dataset's bytes follow from."""
    content = {
        "state": state,
        "engine": ENGINE,
        "protocol": project.protocol.build_key_material(),
        "slides": {key: records[key].model_dump(mode="json") for key in sorted(records)},
    }
    return json.dumps(content, indent=1, sort_keys=True)
