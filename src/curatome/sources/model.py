"""What is known of a dataset of images, as its TOML file says it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import pydantic

from curatome.protocol.settings import Integer, Key, Name, Number, Settings

RegionScale = Literal["L", "M", "S"]
Count = Annotated[Integer, pydantic.Field(ge=0)]
Mpp = Annotated[Number, pydantic.Field(gt=0)]

_GROUPS = {"class", "case", "split", "part"}


def _compiled(text: str) -> str:
    try:
        groups = set(re.compile(text).groupindex)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}.") from error
    if groups - _GROUPS:
        names = ", ".join(sorted(groups - _GROUPS))
        raise ValueError(f"groups may be named class, case, split and part, not {names}.")
    return text


Regex = Annotated[str, pydantic.AfterValidator(_compiled)]


class Counts(Settings):
    """How many images the dataset's authors say there are.

    Attributes:
        total: of all images.
        classes: by class.
        splits: by split.
        parts: by part, a magnification or a size that the layout tells apart.
    """

    total: Count | None = None
    classes: dict[Key, Count] = pydantic.Field(default_factory=dict)
    splits: dict[Key, Count] = pydantic.Field(default_factory=dict)
    parts: dict[Key, Count] = pydantic.Field(default_factory=dict)


class Layout(Settings):
    """Where in a copy the images lie, and how the adapter learns about them.

    Attributes:
        adapter: `folders`, `csv` or `parquet`.
        pattern: for folders, a regular expression on the path below the copy's folder, with that
            folder's own name in front, that may begin at any folder; its groups `class`, `case`,
            `split` and `part` say what they hold. For Parquet the same on the file's path.
        ignore: a regular expression on paths that belong to the dataset but are not read.
        table: for CSV, the listing's path from the dataset's folder.
        files: for Parquet, a glob from the dataset's folder.
        image: for CSV, the image's path from the dataset's folder with the row's columns in
            braces, `images/{name}.png`; for Parquet, the column that holds the image.
        class_column: column of the class.
        label_columns: instead of one class, columns that hold 1 where the label applies.
        case_column: column of the case or group.
        split_column: column of the split.
        mpp_column: column of µm per pixel.
        classes: names for values of the class as they are written, `{ "0" = "normal" }`.
        class_names: classes that there must be, where nobody says how many images they have.
    """

    adapter: Literal["folders", "csv", "parquet"]
    pattern: Regex = ""
    ignore: Regex = ""
    table: str = ""
    files: str = ""
    image: str = ""
    class_column: str = ""
    label_columns: tuple[Name, ...] = ()
    case_column: str = ""
    split_column: str = ""
    mpp_column: str = ""
    classes: dict[Key, Name] = pydantic.Field(default_factory=dict)
    class_names: tuple[Name, ...] = ()

    @pydantic.model_validator(mode="after")
    def _adapter_has_what_it_needs(self) -> Layout:
        needed = {"folders": ("pattern",), "csv": ("table", "image"), "parquet": ("files", "image")}
        missing = [name for name in needed[self.adapter] if not getattr(self, name)]
        if missing:
            raise ValueError(f"the adapter {self.adapter} needs {' and '.join(missing)}.")
        return self


class ScaleRule(Settings):
    """How images are sorted into the scales L, M and S.

    Attributes:
        mpp: µm per pixel of all images, where it is published.
        declared: the scale where no µm per pixel is known.
        parts: the scale of each part, where no µm per pixel is known.
        why: where the declared scales come from.
    """

    mpp: Mpp | None = None
    declared: RegionScale | None = None
    parts: dict[Key, RegionScale] = pydantic.Field(default_factory=dict)
    why: str = ""


class Cite(Settings):
    """Where something in this file is described.

    Attributes:
        for_: what it says: layout, counts, mpp, license, scale.
        url: where.
        note: what must be known beside it.
    """

    for_: tuple[Name, ...] = pydantic.Field(alias="for")
    url: Name
    note: str = ""


class CpiaPart(Settings):
    """What CPIA made of the dataset (arXiv 2310.17902, later version).

    Attributes:
        storage_part: WSIs or ROIs.
        scale: XL, L, M or S.
        name: of the sub-dataset.
        images: number of images there.
    """

    storage_part: Literal["WSIs", "ROIs"]
    scale: Literal["XL", "L", "M", "S"]
    name: Name
    images: Count


class Source(Settings):
    """One dataset.

    Attributes:
        name: what it is called on the command line and in tables: lower case, digits, hyphens.
        title: its full title.
        kind: `regions`, images without a pyramid, or `slides`, which `curatome add` registers.
        license: an SPDX identifier or the authors' words; empty if none was found.
        organ: organ or tissue.
        disease: what is seen.
        stain: `H&E`, `Papanicolaou`.
        dyeing: the dyeing method in CPIA's words.
        field: histopathology or cytopathology.
        year: of publication.
        link: where it is published.
        literature: the article, as DOI or arXiv number.
        objective: nominal magnification as the authors say it.
        counts: what there should be.
        layout: where it lies.
        scale: how it is sorted.
        cpia: what CPIA made of it; nothing if it is no part of CPIA.
        cites: where layout, counts and scale are described.
    """

    name: str = pydantic.Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    title: Name
    kind: Literal["regions", "slides"] = "regions"
    license: str = ""
    organ: str = ""
    disease: str = ""
    stain: str = ""
    dyeing: str = ""
    field: Literal["histopathology", "cytopathology", ""] = ""
    year: Integer | None = None
    link: str = ""
    literature: str = ""
    objective: str = ""
    counts: Counts = Counts()
    layout: Layout
    scale: ScaleRule = ScaleRule()
    cpia: tuple[CpiaPart, ...] = ()
    cites: tuple[Cite, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that there must be."""
        return tuple(dict.fromkeys([*self.counts.classes, *self.layout.class_names]))

    @property
    def cpia_part(self) -> str:
        """CPIA's storage parts and scales of it, `ROIs L, ROIs M`."""
        return ", ".join(dict.fromkeys(f"{part.storage_part} {part.scale}" for part in self.cpia))
