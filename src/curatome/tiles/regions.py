"""One unit of a source: some hundred region images, from their files to a finished shard."""

from __future__ import annotations

import errno
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curatome.durable import new_file, write_file
from curatome.errors import CuratomeError, SourceError, UnreadableSlide
from curatome.hashes import bytes_hash, settings_hash
from curatome.jobs import progress, stage
from curatome.location import Location, joined
from curatome.protocol import BuildSettings
from curatome.slides.readers import SlideReader, open_slide
from curatome.slides.readers.errors import DECODE_ERRORS
from curatome.slides.readers.image import open_image
from curatome.slides.scale import HIGHEST_MPP, LOWEST_MPP
from curatome.sources.listing import Entry, ImageBytes
from curatome.tables import REGIONS
from curatome.tiles.encode import EXTENSION, ToSrgb, encode
from curatome.tiles.rois import (
    SIDE_PX,
    Crop,
    KnownScale,
    Sorted,
    Square,
    cut_regions,
    sort_image,
    squares_of,
)
from curatome.tiles.shards import ShardWriter, new_shard

ENGINE = 1
"""Raised whenever the same images would give other regions or shards."""

_PLAIN = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".jp2"}


@dataclass(frozen=True)
class Item:
    """An image to be standardized.

    Attributes:
        entry: where it lies and what the listing says of it.
        image: BLAKE2b-128 of its bytes.
        known: what is known of its scale.
    """

    entry: Entry
    image: str
    known: KnownScale


@dataclass(frozen=True)
class RegionUnit:
    """Work of some seconds: images of one source, and how they are made.

    Attributes:
        source: name of the source.
        number: position of the unit within the source.
        items: the images.
        column: the column of a Parquet file that holds images.
        crop: the middle of an image, or a grid.
        build: the protocol's settings of builds.
    """

    source: str
    number: int
    items: tuple[Item, ...]
    column: str
    crop: Crop
    build: BuildSettings

    @property
    def key(self) -> str:
        """What the unit is known by: its images' content and all that the result depends on."""
        settings = self.build.model_dump(include={"codec", "quality", "chroma", "icc"})
        items = [[asdict(item.entry), item.image, asdict(item.known)] for item in self.items]
        inputs = settings_hash([ENGINE, self.source, self.crop, settings, items])
        return f"{self.source}-{self.number:05d}-{inputs[:12]}"


@dataclass(frozen=True)
class Problem:
    """An image of a unit that gave no region.

    Attributes:
        place: where the image lies.
        code: of the finding.
        message: what is wrong.
    """

    place: str
    code: str
    message: str


@dataclass
class _Made:
    """What has come of a unit so far."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    bytes: int = 0


class NoScale(CuratomeError):  # noqa: N818
    """Nothing says which scale an image is of."""


def parts_folder(build: Path) -> Path:
    """Where the rows and the problems of all units lie."""
    return build / "regions" / "parts"


def part_path(build: Path, key: str) -> Path:
    """The rows of a unit; its presence says that the unit is done."""
    return parts_folder(build) / f"{key}.parquet"


def problems_path(build: Path, key: str) -> Path:
    """The images of a unit that gave no region."""
    return parts_folder(build) / f"{key}.json"


def read_problems(build: Path, key: str) -> list[Problem]:
    """The images of a finished unit that gave no region."""
    return [Problem(**row) for row in json.loads(problems_path(build, key).read_bytes())]


def problems_text(problems: Sequence[Problem]) -> str:
    """The images of a unit that gave no region, as they are kept."""
    return json.dumps([asdict(problem) for problem in problems], indent=1)


def shard_name(scale: str, unit: RegionUnit) -> str:
    """A shard's path relative to the build folder. It never mixes sources or scales."""
    return f"regions/shards/{scale}/{unit.key}.tar"


def build_regions(
    build: Path,
    root: Path,
    unit: RegionUnit,
    broken: Mapping[str, str] | None = None,
    shards: Location | None = None,
) -> dict[str, int]:
    """Make the regions of one unit: shards, problems, then the part that makes them count.

    An image that cannot be read becomes a problem; the others go on.

    Args:
        build: the build folder.
        root: the source's folder.
        unit: what to make.
        broken: images, by place, that have ended an earlier child, and what became of it.
        shards: the folder that shards lie under, if it is not the build folder.

    Returns:
        How many `images` were read, `regions` and `bytes` written, and images `failed`.

    Raises:
        StorageError: a shard cannot be stored.
    """
    made = _Made()
    folder = build if shards is None else shards
    reader = ImageBytes(root, unit.column)
    with ExitStack() as stack:
        writers: dict[str, ShardWriter] = {}
        for item in unit.items:
            place = item.entry.place
            stage(f"read {place}")
            try:
                if broken and place in broken:
                    raise UnreadableSlide(broken[place])
                pixels = _read(reader, item)
                _add(folder, unit, item, pixels, (made, writers, stack))
            except NoScale as error:
                made.problems.append(Problem(place, "SRC007", str(error)))
            except (CuratomeError, *DECODE_ERRORS) as error:
                _refuse_disk(error)
                made.problems.append(Problem(place, "SRC005", str(error)))
            progress(images=1)
        stage("write shards")
        for writer in writers.values():
            writer.finish()
    stage("write manifest part")
    write_file(problems_path(build, unit.key), problems_text(made.problems))
    with new_file(part_path(build, unit.key)) as stream:
        pq.write_table(REGIONS.from_rows(made.rows), stream, compression="zstd")
    return {
        "images": len(unit.items),
        "regions": len(made.rows),
        "bytes": made.bytes,
        "failed": len(made.problems),
    }


def probe_region(root: Path, item: Item, column: str) -> None:
    """Read one image and nothing else: which one of a unit ends its child?"""
    stage(f"read {item.entry.place}")
    _read(ImageBytes(root, column), item).close()


def _refuse_disk(error: Exception) -> None:
    # A full disk is no image's fault: it ends the unit.
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise error


def _read(reader: ImageBytes, item: Item) -> SlideReader:
    entry, data = item.entry, reader.read(item.entry)
    if bytes_hash(data) != item.image:
        raise SourceError("it has changed since the source was added. Add the source again.")
    if entry.row is None:
        return _open(reader.root / entry.path)
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(data)
        copy.flush()
        try:
            return _open(Path(copy.name), plain=True)
        except CuratomeError as error:
            raise type(error)(str(error).replace(Path(copy.name).name, "it")) from error


def _open(path: Path, plain: bool = False) -> SlideReader:
    opened = open_image(path) if plain or path.suffix.lower() in _PLAIN else None
    return opened or open_slide(path)


def _add(
    folder: Location,
    unit: RegionUnit,
    item: Item,
    image: SlideReader,
    into: tuple[_Made, dict[str, ShardWriter], ExitStack],
) -> None:
    """Cut, encode and store an image's regions."""
    made, shards, stack = into
    facts = image.facts
    known = _with_file(item.known, facts.mpp)
    chosen = sort_image(facts.width, facts.height, known)
    if chosen is None:
        image.close()
        raise NoScale("neither its µm per pixel nor a declared scale is known")
    try:
        pixels = image.read(0, 0.0, 0.0, float(facts.width), float(facts.height)).pixels
    finally:
        image.close()
    convert = ToSrgb(facts.icc_profile) if unit.build.icc == "srgb" and facts.icc_profile else None
    if chosen.scale not in shards:
        place = joined(folder, shard_name(chosen.scale, unit))
        shards[chosen.scale] = ShardWriter(stack.enter_context(new_shard(place)))
    squares = squares_of(facts.width, facts.height, unit.crop, chosen.scale, known.mpp)
    for square, cut in cut_regions(pixels, squares):
        data = encode(convert(cut) if convert else cut, unit.build)
        name = region_id(unit.source, item.image, square)
        offset = shards[chosen.scale].add(f"{name}.{EXTENSION[unit.build.codec]}", data)
        row = _row(unit, item, (facts.width, facts.height), known, chosen)
        made.rows.append(
            {
                **row,
                **_placed(square, known),
                "region": name,
                "shard": shard_name(chosen.scale, unit),
                "offset": offset,
                "length": len(data),
                "hash": bytes_hash(data),
            }
        )
        made.bytes += len(data)
        progress(bytes=len(data))


def region_id(source: str, image: str, square: Square) -> str:
    """A region's name: unique, as no two images of a source with other content share a hash."""
    return f"{source}_{image}_{square.column}_{square.row}"


def _with_file(known: KnownScale, recorded: tuple[float, float] | None) -> KnownScale:
    """What the file itself records counts where nobody else says anything, if it is plausible."""
    if known.mpp is not None or known.declared is not None or recorded is None:
        return known
    x, y = recorded
    plausible = all(LOWEST_MPP <= value <= HIGHEST_MPP for value in recorded)
    if not plausible or abs(x - y) > 0.01 * min(x, y):
        return known
    return KnownScale((x + y) / 2, "file")


def _row(
    unit: RegionUnit, item: Item, size: tuple[int, int], known: KnownScale, chosen: Sorted
) -> dict[str, Any]:
    entry = item.entry
    return {
        "image": item.image,
        "source": unit.source,
        "part": entry.part,
        "class": entry.label,
        "case": entry.case,
        "split": entry.split,
        "path": entry.path,
        "row": entry.row,
        "width": size[0],
        "height": size[1],
        "mpp": known.mpp,
        "mpp_source": known.source,
        "scale": chosen.scale,
        "reason": chosen.reason,
        "duplicate_of": None,
    }


def _placed(square: Square, known: KnownScale) -> dict[str, Any]:
    side_um = None if known.mpp is None else square.side * known.mpp
    return {
        "x": square.x,
        "y": square.y,
        "side": square.side,
        "side_px": SIDE_PX,
        "side_um": side_um,
        "enlargement": square.enlargement,
    }
