"""The sources of a project: what `.curatome/sources` keeps of each, and what it says of scales."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.durable import new_file, write_file
from curatome.errors import ProjectError
from curatome.project import Project
from curatome.sources import Entry, Source
from curatome.tiles.rois import Crop, KnownScale

_COLUMNS = {
    "path": pa.string(),
    "row": pa.int64(),
    "label": pa.string(),
    "case": pa.string(),
    "split": pa.string(),
    "part": pa.string(),
    "mpp": pa.float64(),
}


@dataclass(frozen=True)
class Wishes:
    """What a person says about a source beside its description.

    Attributes:
        mpp: µm per pixel of all its images.
        scale: L, M or S for all of them.
        crop: the middle of each image, or a grid of its scale's field of view.
    """

    mpp: float | None = None
    scale: str | None = None
    crop: Crop = "center"


@dataclass(frozen=True)
class AddedSource:
    """A source of a project.

    Attributes:
        source: what is known of it.
        root: its folder.
        wishes: what a person says about it.
        entries: its images.
        images: their BLAKE2b-128, in the same order.
        sizes: of their files in bytes, in the same order.
        units: numbers of the units of work that they belong to, in the same order, once images
            were taken out, so that the others keep theirs; empty before.
    """

    source: Source
    root: Path
    wishes: Wishes
    entries: tuple[Entry, ...]
    images: tuple[str, ...]
    sizes: tuple[int, ...]
    units: tuple[int, ...] = ()

    @property
    def column(self) -> str:
        """The column of a Parquet file that holds images."""
        return self.source.layout.image if self.source.layout.adapter == "parquet" else ""


def added_names(project: Project) -> list[str]:
    """Names of the project's sources."""
    return sorted(path.stem for path in sources_folder(project).glob("*.json"))


def added_counts(project: Project) -> dict[str, int]:
    """Images of each of the project's sources."""
    folder = sources_folder(project)
    return {
        name: pq.read_metadata(folder / f"{name}.parquet").num_rows for name in added_names(project)
    }


def load_added(project: Project, name: str) -> AddedSource:
    """A source of the project.

    Raises:
        ProjectError: what is kept about it cannot be read.
    """
    path = sources_folder(project) / f"{name}.json"
    try:
        content = json.loads(path.read_bytes())
        rows = pq.read_table(path.with_suffix(".parquet")).to_pylist()
        return AddedSource(
            source=Source.model_validate(content["source"]),
            root=project.absolute(content["root"]),
            wishes=Wishes(**content["wishes"]),
            images=tuple(row.pop("image") for row in rows),
            sizes=tuple(row.pop("size") for row in rows),
            units=tuple(row.pop("unit") for row in rows if "unit" in row),
            entries=tuple(Entry(**row) for row in rows),
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise ProjectError(
            f"{path} cannot be read ({error}). Add the source again with `curatome sources add`."
        ) from error


def duplicates_of(added: AddedSource) -> dict[int, int]:
    """For every image with the content of an earlier one, by position, the earlier one's."""
    first: dict[str, int] = {}
    return {
        index: first[image]
        for index, image in enumerate(added.images)
        if first.setdefault(image, index) != index
    }


def known_scale(added: AddedSource, entry: Entry) -> KnownScale:
    """What is known of an image's scale: a person first, then the listing, then the registry."""
    rule, wishes = added.source.scale, added.wishes
    if wishes.mpp is not None:
        return KnownScale(wishes.mpp, "user")
    if wishes.scale is not None:
        return KnownScale(declared=wishes.scale, why="by the user")
    declared = rule.parts.get(entry.part or "", rule.declared)
    if entry.mpp is not None:
        return KnownScale(entry.mpp, "table", declared, rule.why)
    if rule.mpp is not None:
        return KnownScale(rule.mpp, "registry", declared, rule.why)
    return KnownScale(declared=declared, why=rule.why)


def sources_folder(project: Project) -> Path:
    """Where a project keeps its sources."""
    return project.root / ".curatome" / "sources"


def save_added(project: Project, added: AddedSource) -> None:
    """Keep a source; the file that names it is written last."""
    folder, name = sources_folder(project), added.source.name
    columns = {
        field: pa.array([getattr(entry, field) for entry in added.entries], kind)
        for field, kind in _COLUMNS.items()
    }
    columns["image"] = pa.array(added.images, pa.string())
    columns["size"] = pa.array(added.sizes, pa.int64())
    if added.units:
        columns["unit"] = pa.array(added.units, pa.int64())
    with new_file(folder / f"{name}.parquet") as stream:
        pq.write_table(pa.table(columns), stream, compression="zstd")
    content = {
        "source": added.source.model_dump(mode="json", by_alias=True),
        "root": project.relative(added.root),
        "wishes": vars(added.wishes),
    }
    write_file(folder / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False))
