"""CON: the same thing under different labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from curatome.agreement.matching.shapes import Outlines, covers, touching
from curatome.dataset.imbalance import label_sets, labels_of
from curatome.findings import Finding, Place, Severity
from curatome.rules.kinship import exclusive
from curatome.rules.reads import Reads, reads_of
from curatome.rules.rule import Inputs, Rule

Whole = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]

_SHOWN = 10


def _words(labels: tuple[str, ...]) -> str:
    return " + ".join(labels) or "nothing"


def _identical(inputs: Inputs) -> Iterator[Finding]:
    column = "turned_hash" if "turned_hash" in inputs.items.column_names else "hash"
    items = inputs.items
    of, sets = label_sets(labels_of(items["labels"]))
    known = np.flatnonzero((of >= 0) & pc.is_valid(items[column]).to_numpy())
    content = pc.dictionary_encode(items[column].take(pa.array(known)).combine_chunks())
    code = content.indices.to_numpy().astype(np.int64)
    kinds = np.unique(np.stack([code, of[known]], axis=1), axis=0)
    several = np.flatnonzero(np.bincount(kinds[:, 0], minlength=len(content.dictionary)) > 1)
    kept = np.isin(code, several)
    for mine in _grouped(known[kept], code[kept]):
        kind = np.unique(of[mine])
        if exclusive(inputs.protocol, sets, np.repeat(kind[:1], len(kind)), kind).any():
            yield _group(IDENTICAL, items, mine, [sets[k] for k in of[mine].tolist()])


def _group(rule: Rule, items: pa.Table, rows: Whole, labels: list[tuple[str, ...]]) -> Finding:
    names = items["item"].take(pa.array(rows)).to_pylist()
    said = [f"{name}: {_words(one)}" for name, one in zip(names, labels, strict=True)]
    same = "have the same pixels" if rule is IDENTICAL else "look the same"
    more = f"; and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    text = f"{len(names)} items {same}, but not the same labels: {'; '.join(said[:_SHOWN])}{more}."
    evidence = {"items": names[:_SHOWN], "labels": [list(one) for one in labels[:_SHOWN]]}
    return rule.finding(f"item {names[0]}", text, evidence=evidence)


def _grouped(rows: Whole, group: Whole) -> list[Whole]:
    """Rows of each group, groups in the order of their first rows."""
    order = np.argsort(group, kind="stable")
    parts = np.split(rows[order], np.flatnonzero(np.diff(group[order])) + 1)
    return sorted((part for part in parts if len(part)), key=lambda part: int(part[0]))


def _near(inputs: Inputs) -> Iterator[Finding]:
    assert inputs.near is not None
    items, names = inputs.items, inputs.items["item"].combine_chunks()
    of, sets = label_sets(labels_of(items["labels"]))
    ends = []
    for column in ("first", "second"):
        at = pc.fill_null(pc.index_in(inputs.near[column].combine_chunks(), names), -1)
        ends.append(at.to_numpy(zero_copy_only=False).astype(np.int64))
    first, second = ends
    kept = (first >= 0) & (second >= 0)
    first, second = first[kept], second[kept]
    content = pc.dictionary_encode(pc.fill_null(items["hash"], "").combine_chunks())
    code = content.indices.to_numpy()
    empty = pc.equal(pc.fill_null(items["hash"], ""), "").to_numpy()
    other = (code[first] != code[second]) | empty[first]
    kept = other & (of[first] >= 0) & (of[second] >= 0)
    first, second = first[kept], second[kept]
    clash = exclusive(inputs.protocol, sets, of[first], of[second])
    yield from _connected(items, (first[clash], second[clash]), (of, sets))


def _connected(
    items: pa.Table, pairs: tuple[Whole, Whole], labels: tuple[Whole, list[tuple[str, ...]]]
) -> Iterator[Finding]:
    """One finding for all items that pairs connect."""
    graph = coo_array((np.ones(len(pairs[0]), np.int8), pairs), (len(items),) * 2)
    group = connected_components(graph, directed=False)[1]
    rows = np.unique(np.concatenate(pairs))
    of, sets = labels
    for mine in _grouped(rows, group[rows]):
        yield _group(NEAR, items, mine, [sets[k] for k in of[mine].tolist()])


def _said(reads: Reads, row: int) -> str:
    who = reads.table["reader"][row].as_py()
    return f"{who}, read {reads.table['read'][row].as_py()}: {_words(reads.labels(row))}"


def _repeats(inputs: Inputs) -> Iterator[Finding]:
    reads = reads_of(inputs.annotations, inputs.slides, repeats=True)
    for rows in reads.differing(inputs.protocol, same_reader=True):
        if reads.settled[rows].any():
            continue
        text = (
            f"one reader called one object differently: {'; '.join(_said(reads, r) for r in rows)}."
        )
        yield REPEAT.finding(
            f"annotation {reads.table['annotation'][rows[0]].as_py()}",
            text,
            place=reads.place(rows[0]),
            evidence={"labels": [list(reads.labels(r)) for r in rows]},
        )


def _contradictory(inputs: Inputs) -> Iterator[Finding]:
    table = inputs.annotations
    table = table.filter(
        pc.and_(
            pc.invert(pc.is_in(table["basis"], pa.array(["proposed"]))),
            pc.and_(pc.is_valid(table["image"]), pc.invert(table["cannot_judge"])),
        )
    )
    labels = labels_of(table["labels"])
    if labels.several:
        return
    of, sets = label_sets(labels)
    table, of = table.filter(pa.array(of >= 0)), of[of >= 0]
    for first, second in _one_object(table, inputs):
        clash = exclusive(inputs.protocol, sets, of[first], of[second])
        for a, b in zip(first[clash].tolist(), second[clash].tolist(), strict=True):
            yield _clash(table, (a, b), (sets[of[a]], sets[of[b]]))


def _clash(
    table: pa.Table, rows: tuple[int, int], labels: tuple[tuple[str, ...], tuple[str, ...]]
) -> Finding:
    one, other = (table.slice(row, 1).to_pylist()[0] for row in rows)
    what = "whole image" if one["kind"] == "whole" else "object"
    text = (
        f"{one['reader'] or 'one reader'} called one {what} both {_words(labels[0])} and "
        f"{_words(labels[1])} (annotations {one['annotation']} and {other['annotation']})."
    )
    place = None
    if one["geometry"] is not None:
        left, top, right, bottom = shapely.bounds(shapely.from_wkb(one["geometry"])).tolist()
        place = Place(left, top, right - left, bottom - top)
    evidence: dict[str, Any] = {"image": one["image"], "other": other["annotation"]}
    return CONTRADICTION.finding(
        f"annotation {one['annotation']}", text, place=place, evidence=evidence
    )


def _one_object(table: pa.Table, inputs: Inputs) -> Iterator[tuple[Whole, Whole]]:
    """Pairs of annotations of one reader in one read, on one image, that are one object."""
    owner = _owners(table)
    kind = pc.dictionary_encode(table["kind"].combine_chunks())
    names = kind.dictionary.to_pylist()
    kinds = np.array(names, object)[kind.indices.to_numpy()] if len(table) else np.array([])
    whole = np.flatnonzero(kinds == "whole")
    yield _equal(whole, owner[whole])
    shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    points = np.flatnonzero(kinds == "point")
    yield _close(points, owner[points], shapes[points], _scales(table, inputs)[points])
    sized = np.flatnonzero(np.isin(kinds, ("box", "circle", "ellipse", "polygon", "multipolygon")))
    sized = sized[np.argsort(owner[sized], kind="stable")]
    sound = shapely.is_valid(shapes) & (shapely.area(shapes) > 0)
    sized = sized[np.asarray(sound)[sized]]
    least = float(inputs.settings["iou"])
    outlines = Outlines.of(shapes[sized])
    for first, second in touching(shapes[sized], owner[sized]):
        same, _ = covers(outlines, first, second, least, "iou")
        yield sized[first[same]], sized[second[same]]


def _owners(table: pa.Table) -> Whole:
    """(N,) equal numbers for one image, reader and read."""
    number = np.zeros(len(table), np.int64)
    for name in ("image", "reader", "read"):
        column = pc.dictionary_encode(pc.fill_null(pc.cast(table[name], pa.string()), ""))
        code = column.combine_chunks().indices.to_numpy().astype(np.int64)
        _, number = np.unique(number * (code.max(initial=0) + 1) + code, return_inverse=True)
    return number.astype(np.int64)


def _scales(table: pa.Table, inputs: Inputs) -> npt.NDArray[np.float64]:
    """(N, 2) µm per px of each annotation's image; NaN where it is not known."""
    at = pc.index_in(table["image"].combine_chunks(), inputs.slides["slide"].combine_chunks())
    mpp = [inputs.slides[n].combine_chunks().take(at) for n in ("mpp_x", "mpp_y")]
    return np.stack([one.to_numpy(zero_copy_only=False) for one in mpp], axis=1)


def _equal(rows: Whole, owner: Whole) -> tuple[Whole, Whole]:
    order = np.argsort(owner, kind="stable")
    next_to = np.flatnonzero(np.diff(owner[order]) == 0)
    return rows[order[next_to]], rows[order[next_to + 1]]


def _close(
    rows: Whole, owner: Whole, points: Shapes, mpp: npt.NDArray[np.float64]
) -> tuple[Whole, Whole]:
    """Pairs of points at most 2 µm apart, or at the same place where the scale is not known."""
    known = np.isfinite(mpp).all(axis=1, keepdims=True)
    at = shapely.get_coordinates(points) * np.where(known, mpp, 1e6)
    apart = np.column_stack([at, owner * 1e3])
    if not len(rows):
        return rows, rows
    pairs = cKDTree(apart).query_pairs(_SAME_UM, output_type="ndarray").astype(np.int64)
    return rows[pairs[:, 0]], rows[pairs[:, 1]]


_SAME_UM = 2.0

_WHY = (
    "A model cannot learn two answers to one question, and a test set that holds both counts one "
    "of them as an error whatever the model says."
)
IDENTICAL = Rule(
    code="CON001",
    name="identical-images-differ",
    severity=Severity.ERROR,
    scope="dataset",
    needs=("items",),
    what="Items with the same pixels have different labels.",
    why=_WHY,
    bad="Two crops are byte for byte the same; one is labelled Grooves, the other Enlargement.",
    good="Copies have the same labels, or there is only one.",
    fix="Have a reader decide which labels are right, and keep one of the copies.",
    method="Content hashes; those that rotations and flips share where items have them. Items "
    "without any label are not compared, nor is a class with a broader one above it.",
    promise="every item that is there twice with different labels, turned or not",
    look=_identical,
)
NEAR = Rule(
    code="CON002",
    name="similar-images-differ",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("items", "near"),
    what="Items that look the same, turned or compressed again, have different labels.",
    why=_WHY,
    bad="A crop and the same crop turned by 90 degrees: mitosis and lymphocyte.",
    good="Both have the same label.",
    fix="Look at both. If it is one picture, decide which label is right and keep one of them.",
    method="Pairs of the table of near-duplicates (perceptual hashes under the eight symmetries, "
    "confirmed by pixels) whose labels differ. Identical pairs are left to CON001.",
    promise="every pair of the table of near-duplicates with different labels",
    look=_near,
)
REPEAT = Rule(
    code="CON003",
    name="repeat-reads-differ",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    uses=("slides",),
    what="A reader called one object differently when reading it again.",
    why="It is either a slip or a class whose definition does not hold; in both cases the label "
    "is not known.",
    bad="ann called a nucleus mitosis in the first read and lymphocyte in the second.",
    good="Both reads agree, or an adjudicated annotation says what it is.",
    fix="Adjudicate the object; if one pair of classes comes up often, sharpen their definitions.",
    method="Objects of both reads are matched one to one by IoU of at least 0.5, points within "
    "7.5 µm. Objects that were adjudicated are left out, and those marked only once.",
    promise="every object with two reads that differ, where their outlines overlap by half",
    look=_repeats,
)
CONTRADICTION = Rule(
    code="CON004",
    name="contradictory-labels",
    severity=Severity.ERROR,
    scope="image",
    needs=("annotations",),
    what="One reader gave one object two classes that exclude each other.",
    why=_WHY,
    bad="Two outlines of one nucleus by the same reader: tumor and stromal.",
    good="One outline, one class; or an outline of a class and of its broader class.",
    fix="Delete the wrong one, or merge them.",
    method="Outlines of one reader and read with an IoU of at least the setting, points at most "
    "2 µm apart, and words about one whole image. Where annotations have several labels, several "
    "are allowed and the rule is silent.",
    promise="every object that is there twice, the second outline shrunk to 0.9 of the first",
    settings={
        "iou": (
            0.7,
            "two outlines of one object by one hand; a nucleus in its cell reaches about 0.5",
        )
    },
    look=_contradictory,
)

RULES: tuple[Rule, ...] = (IDENTICAL, NEAR, REPEAT, CONTRADICTION)
