"""SYN020, SYN021, SYN025: classes, readers, guidelines and images that are not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from curatome.annotations.guideline import in_order
from curatome.findings import Finding, Severity
from curatome.protocol import Guideline
from curatome.rules.marks import marks
from curatome.rules.rule import Inputs, Rule

_NAMED = 20
"""Annotations that a finding about many names."""


def label_counts(annotations: pa.Table) -> dict[str, int]:
    """How many annotations have each label, the most frequent first.

    Args:
        annotations: `tables.ANNOTATIONS`.
    """
    labels = pc.list_flatten(annotations["labels"])
    found = labels.value_counts().to_pylist()
    ordered = sorted(found, key=lambda one: (-one["counts"], one["values"]))
    return {one["values"]: one["counts"] for one in ordered}


def with_label(annotations: pa.Table, label: str) -> pa.Table:
    """The annotations that have a label."""
    labels = annotations["labels"].combine_chunks()
    where = pc.list_parent_indices(labels).filter(pc.equal(pc.list_flatten(labels), label))
    return annotations.take(pc.unique(where))


def old_names(guideline: Guideline) -> frozenset[str]:
    """Classes that a change of the guideline has renamed, split or removed."""
    gone: set[str] = set()
    for change in in_order(guideline):
        gone |= {*change.renamed, *change.split, *change.removed}
    return frozenset(gone)


def _unknown_classes(inputs: Inputs) -> Iterator[Finding]:
    known = [one.name for one in inputs.protocol.classes]
    if not known:
        return
    old = old_names(inputs.protocol.guideline)
    table = marks(inputs)
    for label, count in label_counts(table).items():
        if label in known or label in old:
            continue
        folded = {name.casefold(): name for name in known}
        close = difflib.get_close_matches(label.strip().casefold(), list(folded), n=1)
        guess = f' Did the reader mean "{folded[close[0]]}"?' if close else ""
        some = with_label(table, label)
        yield UNKNOWN.finding(
            f"class {label}",
            f'{_count(count)} of class "{label}", which is not in [[classes]].{guess}',
            evidence={
                "class": label,
                "annotations": count,
                "first": some["annotation"][:_NAMED].to_pylist(),
                "images": len(pc.unique(some["image"])),
            },
        )


def _missing_fields(inputs: Inputs) -> Iterator[Finding]:
    versions = {change.version for change in inputs.protocol.guideline.changelog}
    versions.add(inputs.protocol.guideline.version)
    table = inputs.annotations
    drawn = table.filter(pc.not_equal(table["basis"], "proposed"))
    for name, told in (("reader", "do not say who made them"), ("guideline", "name no guideline")):
        some = drawn.filter(pc.is_null(drawn[name]))
        if len(some):
            yield _missing(some, name, told, "")
    for version in pc.unique(table["guideline"]).to_pylist():
        if version is not None and version not in versions:
            some = table.filter(pc.equal(table["guideline"], version))
            told = f'name guideline "{version}", which never was one of this protocol'
            yield _missing(some, "guideline", told, version)


def _missing(some: pa.Table, field: str, told: str, key: str) -> Finding:
    image = some["image"][0].as_py()
    return MISSING.finding(
        f"image {image}" if image else "annotations without an image",
        f"{_count(len(some))} that {told}.",
        evidence={
            "field": field,
            "annotations": len(some),
            "first": some["annotation"][:_NAMED].to_pylist(),
        },
        key=f"{field}:{key}",
    )


def _unknown_images(inputs: Inputs) -> Iterator[Finding]:
    if len(inputs.slides) or not len(inputs.annotations):
        return
    image = inputs.annotations["image"][0].as_py()
    where = f'on "{image}", which is no slide of this project' if image else "on no image"
    yield NO_IMAGE.finding(
        f"image {image}" if image else "annotations without an image",
        f"{_count(len(inputs.annotations))} {where}.",
        evidence={
            "annotations": len(inputs.annotations),
            "first": inputs.annotations["annotation"][:_NAMED].to_pylist(),
        },
    )


def _count(number: int) -> str:
    return "1 annotation" if number == 1 else f"{number:,} annotations"


UNKNOWN = Rule(
    code="SYN020",
    name="unknown-class",
    severity=Severity.ERROR,
    scope="dataset",
    needs=("marks",),
    what="A class that is used and not defined in the protocol.",
    why="A class that nobody defined means something else to each reader, and a misspelled one is "
    "lost for the class it was meant for: a model learns it as one more class, or never sees it.",
    bad='31 annotations of class "tumro", where [[classes]] has "tumor".',
    good="Every label is the name of a class in curatome.toml, letter by letter.",
    fix="Correct the label, add the class to curatome.toml with its definition, or say how it is "
    "called now: `curatome guideline bump --rename OLD=NEW`, then `curatome guideline migrate`.",
    method="Labels are compared with the names under [[classes]]; without any, nothing is "
    "checked. Names that a change of the guideline has retired are left to DRF001, DRF002 and "
    "DRF005.",
    look=_unknown_classes,
    promise="every class that is so, on one annotation or on many",
)
MISSING = Rule(
    code="SYN021",
    name="missing-field",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    what="Annotations without a reader or a guideline, or under a guideline that never was.",
    why="Without a reader there is no agreement, without a guideline nobody knows what a class "
    "meant when it was given. Both can be said at import and hardly ever be found out later.",
    bad="500 nuclei from a GeoJSON file that was imported without `--reader`.",
    good="Every annotation that a person made says who that was and under which guideline.",
    fix="Import the file again with `--reader NAME` and `--guideline VERSION`, or add the missing "
    "version to [[guideline.changelog]]. Where nobody knows any more, suppress it with that "
    "reason.",
    method="Null values are counted for each image; proposals of models need no reader.",
    look=_missing_fields,
    promise="every annotation that is so, among any number of others",
)
NO_IMAGE = Rule(
    code="SYN025",
    name="unknown-image",
    severity=Severity.ERROR,
    scope="image",
    needs=("annotations",),
    what="Annotations on an image that the project does not have.",
    why="They are in no tile and no cell, and whoever counts annotations counts them as well.",
    bad='312 annotations on "S12_rescan", and no slide of that name was added.',
    good="Every annotation lies on a slide of the project.",
    fix="Add the slide with `curatome add`, or import the file again with the name that the slide "
    "has; `curatome annotations undo` takes the first import back.",
    method="The images of annotations are compared with the slides.",
    look=_unknown_images,
    promise="every image that is so, with one annotation or with many",
)
RULES = (UNKNOWN, MISSING, NO_IMAGE)
