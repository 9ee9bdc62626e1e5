"""The tables of `curatome.toml`: the dataset's standard operating procedure as data."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal, get_args

import pydantic

from curatome.errors import ProtocolError
from curatome.protocol.check import CheckSettings
from curatome.protocol.cohort import Cohort
from curatome.protocol.names import duplicate_names, parent_problem
from curatome.protocol.problems import Problem, refuse
from curatome.protocol.scales import CPIA_SCALES, Scale, scale_problems
from curatome.protocol.settings import Flag, Integer, Key, Name, Number, Settings

Task = Literal["detection", "segmentation", "cells", "classification", "pretraining"]
TASKS: tuple[str, ...] = get_args(Task)


class DatasetInfo(Settings):
    """What the dataset is.

    Attributes:
        title: its name.
        question: the question it is to answer.
        license: an SPDX identifier, `CC-BY-4.0`, or a text.
        description: what a reader of the datasheet should know first.
        task: what it is for; the name of the template it began as, or empty.
    """

    title: Name
    question: str = ""
    license: str = ""
    description: str = ""
    task: Literal[Task, ""] = ""


class ClassDefinition(Settings):
    """A class that readers annotate.

    Attributes:
        name: what it is called, in every table and export.
        definition: when something belongs to it, in words a second reader can follow.
        color: how it is drawn, `#rrggbb`.
        exhaustive: readers mark every instance, so an unmarked place is a negative.
        parent: the broader class it is a kind of.
    """

    name: Name
    definition: str = ""
    color: Annotated[
        str,
        pydantic.StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$", to_lower=True),
    ] = "#808080"
    exhaustive: Flag = False
    parent: Name | None = None


class GuidelineChange(Settings):
    """One entry of the guideline's changelog.

    Attributes:
        version: the guideline's version from then on.
        date: the day it came into force.
        change: what is different.
        renamed: old class = new class; several old ones with one new one are merged. What was
            annotated before takes the new name.
        split: old class = new classes; a reader must say which one each annotation is.
        redefined: classes whose definition changed; a reader must look at them again.
        added: classes that readers did not look for before.
        removed: classes that are no longer annotated; a reader must say what they are now.
    """

    version: Name
    date: date
    change: Name
    renamed: dict[str, Name] = pydantic.Field(default_factory=dict)
    split: dict[str, Annotated[tuple[Name, ...], pydantic.Field(min_length=2)]] = pydantic.Field(
        default_factory=dict
    )
    redefined: tuple[Name, ...] = ()
    added: tuple[Name, ...] = ()
    removed: tuple[Name, ...] = ()

    @pydantic.model_validator(mode="after")
    def _one_fate_each(self) -> GuidelineChange:
        fates = (("renamed", self.renamed), ("split", self.split), ("removed", self.removed))
        seen: dict[str, str] = {}
        problems = []
        for fate, names in fates:
            for name in names:
                if name in seen:
                    message = f'class "{name}" is both {seen[name]} and {fate}. Keep one of them.'
                    problems.append(Problem((fate,), message))
                seen[name] = fate
        problems += [
            Problem(("renamed",), f'class "{old}" is renamed to itself. Leave it out.')
            for old, new in self.renamed.items()
            if old == new
        ]
        refuse(problems)
        return self


class Guideline(Settings):
    """The annotation guideline that is in force.

    Attributes:
        version: recorded with every annotation.
        changelog: what changed when, in any order; its newest entry is the version in force.
    """

    version: Name = "1"
    changelog: tuple[GuidelineChange, ...] = ()

    @pydantic.model_validator(mode="after")
    def _version_is_the_newest(self) -> Guideline:
        versions = [entry.version for entry in self.changelog]
        refuse(
            [
                Problem(("changelog", index, "version"), f'version "{version}" is there twice.')
                for index, version in enumerate(versions)
                if version in versions[:index]
            ]
        )
        last = max((entry.date for entry in self.changelog), default=None)
        newest = [entry.version for entry in self.changelog if entry.date == last]
        if newest and self.version not in newest:
            message = (
                f'guideline version "{self.version}" is not the newest of its changelog, which is '
                f'"{newest[-1]}" of {last}. Set version = "{newest[-1]}", or add an entry.'
            )
            refuse([Problem(("version",), message)])
        return self


class ReadingPlan(Settings):
    """Who reads what, how often.

    Attributes:
        readers_per_item: how many readers see each item.
        blinded: a reader does not see what others marked.
        adjudication: how a disagreement is settled.
        repeat_fraction: part of the items that the same reader reads twice.
    """

    readers_per_item: Integer = pydantic.Field(default=1, ge=1)
    blinded: Flag = True
    adjudication: Literal["none", "third_reader", "consensus_meeting"] = "none"
    repeat_fraction: Number = pydantic.Field(default=0.0, ge=0, le=1)


class BuildSettings(Settings):
    """How tiles are made and stored.

    Attributes:
        output: encoded tiles in tar shards, or only where each tile lies.
        codec: how a tile is encoded.
        quality: JPEG quality, 1 to 100.
        chroma: JPEG chroma subsampling.
        icc: keep the scanner's colors, or convert them to sRGB by the slide's ICC profile.
        edge: drop tiles that reach beyond the slide, or pad them.
        pass_through: copy the slide's own compressed tiles where a scale coincides with one of
            its levels and grids. Exact and fast, but their quality is the scanner's: where some
            slides coincide and others do not, quality tells a model which scanner it looks at.
        mpp_tolerance: pixels within this fraction of a scale's MPP are taken as they are.
        max_enlargement: a scale that a slide must be enlarged for by more is not built of it.
    """

    output: Literal["shards", "coordinates"] = "shards"
    codec: Literal["jpeg", "png"] = "jpeg"
    quality: Integer = pydantic.Field(default=90, ge=1, le=100)
    chroma: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0"
    icc: Literal["keep", "srgb"] = "keep"
    edge: Literal["drop", "pad"] = "drop"
    pass_through: Flag = False
    mpp_tolerance: Number = pydantic.Field(default=0.0, ge=0, le=0.2)
    max_enlargement: Number = pydantic.Field(default=1.05, ge=1)


class Storage(Settings):
    """Where the dataset's shards lie; it changes nothing in them.

    Attributes:
        shards: a folder of an object store, `s3://bucket/dataset`; empty for the build folder.
    """

    shards: str = ""

    @pydantic.field_validator("shards")
    @classmethod
    def _is_a_store(cls, shards: str) -> str:
        folder = shards.strip().rstrip("/")
        if folder and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/].*", folder):
            message = f'shards must be the URL of a folder, "s3://bucket/dataset". Got "{shards}".'
            refuse([Problem((), message)])
        if folder.startswith(("http://", "https://", "file://")):
            message = (
                f'shards cannot be written to "{shards}". Name a folder of an object store, such '
                'as "s3://bucket/dataset", or leave it out for the build folder.'
            )
            refuse([Problem((), message)])
        return folder


class TissueSettings(Settings):
    """How tissue is told from glass.

    Attributes:
        mpp: scale of the mask, µm/px.
        sensitivity: above 1 finds paler tissue.
        min_area_um2: smaller pieces are ignored, µm².
        max_hole_um2: smaller holes are filled, µm².
        margin_um: the mask is widened by this much, µm.
    """

    mpp: Number = pydantic.Field(default=8.0, gt=0)
    sensitivity: Number = pydantic.Field(default=1.0, gt=0)
    min_area_um2: Number = pydantic.Field(default=500.0, ge=0)
    max_hole_um2: Number = pydantic.Field(default=15000.0, ge=0)
    margin_um: Number = pydantic.Field(default=0.0, ge=0)


class Split(Settings):
    """How cases are divided.

    Attributes:
        group: what is never divided.
        fractions: part of the cases for each split; they sum to 1.
        stratify: fields whose values are spread evenly.
        site_preserved: a site is in one split only.
        seed: of the random numbers.
    """

    group: Literal["case"] = "case"
    fractions: dict[Key, Annotated[Number, pydantic.Field(ge=0, le=1)]] = pydantic.Field(
        default_factory=lambda: {"train": 0.7, "val": 0.1, "test": 0.2}
    )
    stratify: tuple[Name, ...] = ()
    site_preserved: Flag = False
    seed: Integer = pydantic.Field(default=0, ge=0)

    @pydantic.model_validator(mode="after")
    def _fractions_sum_to_one(self) -> Split:
        total = sum(self.fractions.values())
        if abs(total - 1) > 1e-9:
            refuse(
                [Problem(("fractions",), f"the fractions must sum to 1. They sum to {total:g}.")]
            )
        return self


class Gate(Settings):
    """A bound that a measure must keep for a release.

    Attributes:
        measure: name of the measure, `semantic_accuracy`.
        min: it may not be smaller.
        max: it may not be larger.
        subject: what it is about, `class tumor`; empty for every subject.
    """

    measure: Name
    min: Number | None = None
    max: Number | None = None
    subject: str = ""

    @pydantic.model_validator(mode="after")
    def _bounds_leave_room(self) -> Gate:
        if self.min is None and self.max is None:
            refuse([Problem((), f'gate "{self.measure}" has no bound. Give min, max or both.')])
        elif self.min is not None and self.max is not None and self.min > self.max:
            message = f'gate "{self.measure}": min {self.min:g} is above max {self.max:g}.'
            refuse([Problem(("min",), message)])
        return self


class Protocol(Settings):
    """The whole of `curatome.toml`; only the dataset's title has no default.

    Its mappings are not to be changed, though Python would let one.
    """

    dataset: DatasetInfo
    classes: tuple[ClassDefinition, ...] = ()
    guideline: Guideline = Guideline()
    cohort: Cohort = pydantic.Field(default_factory=Cohort)
    reading: ReadingPlan = ReadingPlan()
    scales: tuple[Scale, ...] = CPIA_SCALES
    build: BuildSettings = BuildSettings()
    storage: Storage = Storage()
    tissue: TissueSettings = TissueSettings()
    split: Split = pydantic.Field(default_factory=Split)
    gates: tuple[Gate, ...] = ()
    check: CheckSettings = pydantic.Field(default_factory=CheckSettings)

    @pydantic.field_validator("classes")
    @classmethod
    def _classes_agree(cls, classes: tuple[ClassDefinition, ...]) -> tuple[ClassDefinition, ...]:
        problems = duplicate_names("class", [one.name for one in classes])
        parents = {one.name: one.parent for one in classes}
        for index, one in enumerate(classes):
            message = parent_problem("class", one.name, parents) if one.parent else ""
            if message:
                problems.append(Problem((index, "parent"), message))
        refuse(problems)
        return classes

    @pydantic.field_validator("scales")
    @classmethod
    def _scales_agree(cls, scales: tuple[Scale, ...]) -> tuple[Scale, ...]:
        if not scales:
            refuse([Problem((), "there must be at least one scale. Leave the key out for CPIA's.")])
        refuse(scale_problems(scales))
        return scales

    @pydantic.model_validator(mode="after")
    def _strata_are_fields(self) -> Protocol:
        judge: Callable[[str], str] = self.cohort.factor_problem
        found = [(index, judge(name)) for index, name in enumerate(self.split.stratify)]
        refuse([Problem(("split", "stratify", i), text) for i, text in found if text])
        return self

    def scale(self, name: str) -> Scale:
        """The scale of that name.

        Raises:
            ProtocolError: there is none.
        """
        found = {scale.name: scale for scale in self.scales}
        if name not in found:
            raise ProtocolError(f'there is no scale "{name}". There are: {", ".join(found)}.')
        return found[name]

    def build_key_material(self) -> dict[str, Any]:
        """What the bytes of a build depend on, of JSON's types: scales, build and tissue.

        Strides are the effective ones, so that writing a default out changes nothing.
        """
        scales = [
            {**scale.model_dump(mode="json"), "stride_px": scale.stride} for scale in self.scales
        ]
        return {
            "scales": scales,
            "build": self.build.model_dump(mode="json"),
            "tissue": self.tissue.model_dump(mode="json"),
        }
