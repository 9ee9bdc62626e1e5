"""Region images of a withdrawn case: gone from sources, units, shards and manifests.

The images that shared a shard with them stay where they are; only the shard's bytes of the case
were overwritten before. A unit without some of its images goes by another name, so its rows are
written anew under that one. What a source lists is written last: killed in between, the same call
finds what is left to do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.versions.log import frozen_shards
from curatome.durable import new_file, write_file
from curatome.errors import MissingObject
from curatome.location import joined
from curatome.objects import objects_below, remove_objects
from curatome.project import Project
from curatome.tiles.regions import (
    RegionUnit,
    part_path,
    parts_folder,
    problems_path,
    problems_text,
    read_problems,
    shard_name,
)
from curatome.workflows.added import (
    AddedSource,
    added_names,
    duplicates_of,
    load_added,
    save_added,
)
from curatome.workflows.case_images import built_places
from curatome.workflows.region_manifest import done_source, regions_path, write_region_manifest
from curatome.workflows.region_units import units_of, without
from curatome.workflows.sources import duplicate_findings

_SCALES = ("L", "M", "S")
_OF_COPIES = ("SRC006", "SRC008")


def purge_regions(project: Project, versions: Path, images: Collection[str]) -> None:
    """Remove images from all that a project keeps of its sources; their files are not touched.

    Args:
        project: the project, locked.
        versions: the folder of versions.
        images: each as `source/hash`.
    """
    gone = set(images)
    left = [load_added(project, name) for name in added_names(project)]
    after = [without(added, _positions(added, gone)) for added in left]
    changed = [pair for pair in zip(left, after, strict=True) if pair[0] is not pair[1]]
    _filter_manifest(regions_path(project.build), gone)
    for before, rest in changed:
        _rename_units(project, units_of(project, before), units_of(project, rest), gone)
        _correct_findings(project, before, rest)
    _remove_parts(project.build, gone)
    _remove_shards(
        project, versions, [unit for one, _ in changed for unit in units_of(project, one)]
    )
    for _, rest in changed:
        save_added(project, rest)
    units = {one.source.name: units_of(project, one) for one in after}
    done = all(part_path(project.build, u.key).exists() for group in units.values() for u in group)
    if after and done and regions_path(project.build).exists():
        write_region_manifest(project, [done_source(one, units[one.source.name]) for one in after])


def _positions(added: AddedSource, gone: Collection[str]) -> set[int]:
    name = added.source.name
    return {index for index, image in enumerate(added.images) if f"{name}/{image}" in gone}


def _rename_units(
    project: Project, before: Sequence[RegionUnit], after: Sequence[RegionUnit], gone: set[str]
) -> None:
    """Write the rows of units that lost images under the names that these units have now."""
    build, now = project.build, {unit.number: unit for unit in after}
    for unit in before:
        again, part = now.get(unit.number), part_path(project.build, unit.key)
        if (again is not None and again.key == unit.key) or not part.exists():
            continue
        if again is not None:
            places = {item.entry.place for item in again.items}
            kept = [one for one in read_problems(build, unit.key) if one.place in places]
            write_file(problems_path(build, again.key), problems_text(kept))
            rows = pq.read_table(part)
            with new_file(part_path(build, again.key)) as stream:
                pq.write_table(
                    rows.filter(pc.invert(_among(rows, gone))), stream, compression="zstd"
                )
        _remove_part(part)


def _remove_parts(build: Path, gone: set[str]) -> None:
    """Remove what units of former sources and settings have of the images: nobody needs it."""
    for path in sorted(parts_folder(build).glob("[!.]*.parquet")):
        rows = pq.read_table(path, columns=["source", "image"])
        if pc.any(_among(rows, gone)).as_py():
            _remove_part(path)


def _remove_part(path: Path) -> None:
    path.unlink()
    path.with_suffix(".json").unlink(missing_ok=True)


def _remove_shards(project: Project, versions: Path, units: Sequence[RegionUnit]) -> None:
    """Remove shards that nothing refers to: of units that were not finished, or just removed."""
    needed = frozen_shards(versions)
    for batch in built_places(project):
        needed.update(pc.unique(batch.column("shard")).to_pylist())
    for path in sorted((project.build / "regions" / "shards").glob("*/*.tar")):
        if str(path.relative_to(project.root)) not in needed:
            path.unlink()
    if isinstance(project.shards, str) and units:
        # Another project's shards may lie there too: only those of units of this one.
        names = {shard_name(scale, unit) for scale in _SCALES for unit in units}
        mine = {str(joined(project.shards, name)) for name in names}
        remove_objects(sorted((mine & set(_stored(project.shards))) - needed))


def _stored(place: str) -> Iterator[str]:
    try:
        yield from objects_below(str(joined(place, "regions/")))
    except MissingObject:
        return


def _filter_manifest(path: Path, gone: set[str]) -> None:
    """Write the table of regions again without the images, if it holds any."""
    if not path.exists():
        return
    names = ["source", "image"]
    batches = pq.ParquetFile(path).iter_batches(columns=names)
    if not any(pc.any(_among(batch, gone)).as_py() for batch in batches):
        return
    file = pq.ParquetFile(path)
    with (
        new_file(path) as stream,
        pq.ParquetWriter(stream, file.schema_arrow, compression="zstd") as writer,
    ):
        for batch in file.iter_batches():
            writer.write_batch(batch.filter(pc.invert(_among(batch, gone))))


def _among(rows: pa.Table | pa.RecordBatch, gone: set[str]) -> pa.Array:
    """Which rows are of the images."""
    names = pc.binary_join_element_wise(rows.column("source"), rows.column("image"), "/")
    return pc.is_in(names, pa.array(gone, pa.string()))


def _correct_findings(project: Project, before: AddedSource, after: AddedSource) -> None:
    """Findings of a source without those about images that are gone."""
    name = before.source.name
    places = {one.place for one in before.entries} - {one.place for one in after.entries}
    for part in ("add", "build"):
        origin = f"sources:{name}:{part}"
        kept = [
            one
            for one in project.store.findings(origin)
            if one.code not in _OF_COPIES and one.key not in places
        ]
        if part == "add":
            kept += duplicate_findings(after, duplicates_of(after))
        project.store.save_findings(origin, kept)
