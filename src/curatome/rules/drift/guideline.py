"""DRF001, DRF002, DRF005: what a change of the guideline has left behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curatome.annotations.guideline import in_order, migration, stale
from curatome.findings import Finding, Severity
from curatome.protocol import Guideline
from curatome.rules.rule import Inputs, Rule

_NAMED = 200
"""Annotations that a finding about many names."""


def _dated(annotations: pa.Table, guideline: Guideline) -> pa.Table:
    """Those made under a version that the guideline had; SYN021 tells of the others."""
    versions = [change.version for change in guideline.changelog] or [guideline.version]
    known = pc.is_in(annotations["guideline"], pa.array(versions, pa.string()))
    return annotations.filter(pc.or_(known, pc.is_null(annotations["guideline"])))


def _stale(inputs: Inputs) -> Iterator[Finding]:
    guideline = inputs.protocol.guideline
    found = stale(_dated(inputs.annotations, guideline), guideline)
    keys = ["image", "label", "guideline", "since", "reason"]
    for row in _grouped(found, keys):
        under = f"guideline {row['guideline']}" if row["guideline"] else "an unknown guideline"
        told = (
            f'{_count(row["count"])} of "{row["label"]}" made under {under}; version '
            f"{row['since']} has it {row['reason']}."
        )
        yield STALE.finding(
            _on(row["image"]),
            told,
            evidence={name: row[name] for name in keys[1:4]} | _which(row),
            key=f"{row['label']}:{row['guideline']}:{row['since']}",
        )


def _old_names(inputs: Inputs) -> Iterator[Finding]:
    guideline = inputs.protocol.guideline
    found = migration(_dated(inputs.annotations, guideline), guideline)
    for side in ("before", "after"):
        at = found.schema.get_field_index(side)
        joined = pc.binary_join(found[side].cast(pa.list_(pa.string())), ", ")
        found = found.set_column(at, side, joined)
    for row in _grouped(found, ["image", "before", "after"]):
        yield OLD_NAME.finding(
            _on(row["image"]),
            f'{_count(row["count"])} still called "{row["before"]}", which is now '
            f'"{row["after"]}".',
            evidence={"before": row["before"], "after": row["after"]} | _which(row),
            key=f"{row['before']}:{row['after']}",
        )


def _mixed_names(inputs: Inputs) -> Iterator[Finding]:
    """Old names that were given under the guideline that renamed them, or a later one."""
    changes = in_order(inputs.protocol.guideline)
    for number, change in enumerate(changes):
        later = pa.array([one.version for one in changes[number:]], pa.string())
        made = inputs.annotations.filter(pc.is_in(inputs.annotations["guideline"], later))
        if not change.renamed or not len(made):
            continue
        labels = made["labels"].combine_chunks()
        parents, flat = pc.list_parent_indices(labels), pc.list_flatten(labels)
        again = {name for one in changes[number + 1 :] for name in one.added}
        for old, new in change.renamed.items():
            rows = pc.unique(parents.filter(pc.equal(flat, old)))
            if old in again or not len(rows):
                continue
            some = made.take(rows)
            yield MIXED.finding(
                _on(some["image"][0].as_py()),
                f'{_count(len(some))} called "{old}" under guideline {change.version} or later, '
                f'which calls it "{new}".',
                evidence={
                    "old": old,
                    "new": new,
                    "since": change.version,
                    "readers": sorted({str(one) for one in pc.unique(some["reader"]).to_pylist()}),
                    "count": len(some),
                    "annotations": some["annotation"][:_NAMED].to_pylist(),
                },
                key=f"{old}:{change.version}",
            )


def _grouped(table: pa.Table, keys: list[str]) -> Iterable[dict[str, Any]]:
    """Rows that agree in `keys`, with their `count` and their annotations."""
    if not len(table):
        return []
    found = table.select([*keys, "annotation"]).group_by(keys, use_threads=False)
    counted = found.aggregate([("annotation", "list"), ("annotation", "count")])
    names = {"annotation_list": "annotations", "annotation_count": "count"}
    rows: list[dict[str, Any]] = counted.rename_columns(
        [names.get(name, name) for name in counted.column_names]
    ).to_pylist()
    return rows


def _which(row: dict[str, Any]) -> dict[str, Any]:
    return {"count": row["count"], "annotations": row["annotations"][:_NAMED]}


def _on(image: str | None) -> str:
    return f"image {image}" if image else "annotations without an image"


def _count(number: int) -> str:
    return "1 annotation" if number == 1 else f"{number:,} annotations"


STALE = Rule(
    code="DRF001",
    name="stale-guideline",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    what="Annotations of a class that a later version of the guideline redefined, split or "
    "removed, and that nobody has looked at since.",
    why="Being wrong is no shame, but staying wrong is: old and new annotations under one name "
    "mean two things, and a model learns the mean of both.",
    bad="80 mitoses from 2024, after version 2.0 has excluded hyperchromatic nuclei.",
    good="Every annotation was made, or looked at again, under the guideline in force.",
    fix="Bring each back to a reader: `curatome guideline queue` lists them one by one. What is "
    "looked at again carries the new version.",
    method="The changelog of the guideline says which classes each version touched. An annotation "
    "is stale if its version is older than such a change (`curatome.annotations.guideline`).",
    promise="every annotation that is so, among any number of others",
    look=_stale,
)
OLD_NAME = Rule(
    code="DRF002",
    name="old-class-name",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    what="Annotations that have the name a class had before the guideline renamed it.",
    why="One class under two names is two classes for everything that counts or trains.",
    bad='312 annotations of "tumour", where version 2 calls it "carcinoma".',
    good="Every annotation has the present name of its class.",
    fix="`curatome guideline migrate` gives them the new names, after `--dry-run` has shown "
    "which; `curatome annotations undo` takes it back.",
    method="The renames in the changelog after the version that an annotation was made under are "
    "applied to its labels (`curatome.annotations.guideline`).",
    promise="every annotation that is so, among any number of others",
    look=_old_names,
)
MIXED = Rule(
    code="DRF005",
    name="mixed-class-names",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    what="Annotations made under the new guideline that use a name which it has retired.",
    why="Somebody works with an old template, or has not heard of the change: names are mixed, and "
    "more of them come in every day. No migration touches these, for their guideline knows better.",
    bad='Five annotations of "tumour" from last week, a year after it became "carcinoma".',
    good="Since a rename, new annotations have the new name only.",
    fix="Tell the readers that the finding names, correct the classes in their tool, and give "
    "these annotations the new name: `curatome import --class OLD=NEW` reads the file again.",
    method="Labels of annotations are compared with the names that their own guideline, or an "
    "earlier one, has renamed; a name that was added again later is left alone.",
    promise="every annotation that is so, among any number of others",
    look=_mixed_names,
)
