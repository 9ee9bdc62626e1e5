"""COR: labels that are probably wrong, and disagreements left open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.agreement.intervals import bootstrap, case_sums
from curatome.agreement.label_errors import label_errors, out_of_fold
from curatome.agreement.ratings import Ratings
from curatome.dataset.labels import reference_of
from curatome.errors import CuratomeError, TableError
from curatome.findings import Finding, Place, Severity
from curatome.rules.looks import looks_of
from curatome.rules.marks import marks
from curatome.rules.reads import REFERENCE, first_reads, ratings_of
from curatome.rules.rule import Inputs, Rule

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_KINDS = ("point", "box", "circle", "ellipse", "polygon", "multipolygon")
_FOLDS = 5
_NAMED = 3
"""Readers of one opinion who are named; more are counted."""


def _suspects(inputs: Inputs) -> Iterator[Finding]:
    assert inputs.pixels is not None
    table, case = _objects(inputs)
    if not len(table):
        return
    shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    at = pc.index_in(table["image"].combine_chunks(), inputs.slides["slide"].combine_chunks())
    mpp = [inputs.slides[n].combine_chunks().take(at).to_numpy(False) for n in ("mpp_x", "mpp_y")]
    label = pc.list_element(table["labels"], 0).combine_chunks().dictionary_encode()
    names, codes = label.dictionary.to_pylist(), label.indices.to_numpy().astype(np.int64)
    looks = looks_of(table, shapes, np.stack(mpp, axis=1), inputs.pixels)
    try:
        found = _judged(looks, (codes, names), case)
    except TableError:
        return  # cases and classes are too few to judge by
    except CuratomeError as error:
        yield replace(SUSPECT.finding("dataset", str(error)), severity=Severity.NOTE)
        return
    least, sure = (float(inputs.settings[name]) for name in ("score", "sure"))
    for one in found.filter(pc.greater_equal(found["score"], least)).to_pylist():
        told = _suspect(table, shapes, one)
        yield told if one["score"] >= sure else replace(told, severity=Severity.NOTE)


def _judged(looks: Floats, labels: tuple[Whole, list[str]], case: Whole) -> pa.Table:
    """`tables.LABEL_ERRORS`, by models that did not learn from what the first ones suspected."""
    codes, names = labels
    shares = out_of_fold(looks, codes, case, classes=len(names), folds=_FOLDS)
    first = label_errors(codes, names, shares, range(len(codes)))
    doubted = [int(row) for row in first.filter(first["suspect"])["item"].to_pylist()]
    learned = codes.copy()
    learned[doubted] = -1
    shares = out_of_fold(looks, learned, case, classes=len(names), folds=_FOLDS)
    return label_errors(codes, names, shares, range(len(codes)))


def _suspect(table: pa.Table, shapes: npt.NDArray[np.object_], one: dict[str, object]) -> Finding:
    row = int(str(one["item"]))
    name, image = (table[n][row].as_py() for n in ("annotation", "image"))
    left, top, right, bottom = shapely.bounds(shapes[row]).tolist()
    text = (
        f"{one['label']} looks like {one['suggested']}: a model that saw other cases gives its "
        f"own label a probability of {one['self_confidence']:.2f}."
    )
    evidence = {k: one[k] for k in ("label", "suggested", "score", "rank")} | {"image": image}
    place = Place(left, top, right - left, bottom - top)
    return SUSPECT.finding(f"annotation {name}", text, place=place, evidence=evidence)


def _objects(inputs: Inputs) -> tuple[pa.Table, Whole]:
    """Objects with one label, of slides of known scale and case, whose class has enough cases."""
    table = reference_of(inputs.annotations)
    keep = pc.and_(
        pc.is_in(table["kind"], pa.array(_KINDS)),
        pc.equal(pc.list_value_length(table["labels"]), 1),
    )
    known = inputs.slides.filter(pc.is_valid(inputs.slides["mpp_x"]))
    known = known.filter(pc.equal(known["state"], "ready"))
    keep = pc.and_(keep, pc.is_in(table["image"], known["slide"].combine_chunks()))
    table = table.filter(keep)
    most = int(inputs.settings["most"])
    if len(table) > most:
        rows = np.sort(np.random.default_rng(0).permutation(len(table))[:most])
        table = table.take(pa.array(rows))
    at = pc.index_in(table["image"].combine_chunks(), known["slide"].combine_chunks())
    case = pc.coalesce(known["case"].combine_chunks().take(at), table["image"].combine_chunks())
    code = case.dictionary_encode().indices.to_numpy().astype(np.int64)
    label = pc.list_element(table["labels"], 0)
    held = pa.table({"label": label, "case": case}).group_by("label")
    many = held.aggregate([("case", "count_distinct")])
    enough = many.filter(pc.greater_equal(many["case_count_distinct"], 2 * _FOLDS))["label"]
    if len(enough) < 2:
        return table.slice(0, 0), code[:0]
    kept = pc.is_in(label, enough.combine_chunks()).to_numpy()
    return table.filter(pa.array(kept)), code[kept]


def _unresolved(inputs: Inputs) -> Iterator[Finding]:
    reads = first_reads(inputs.annotations, inputs.slides)
    names = reads.table["annotation"].to_pylist()
    who, image = (reads.table[n].to_pylist() for n in ("reader", "image"))
    for rows in reads.differing(inputs.protocol, same_reader=False):
        if reads.settled[rows].any():
            continue
        said = _votes([(who[row], " + ".join(reads.labels(row))) for row in rows])
        what = "image" if reads.shapes[rows[0]] is None else "object"
        text = f"readers differ on one {what}: {said}. Nobody has decided."
        evidence = {
            "image": image[rows[0]],
            "annotations": [names[row] for row in rows],
            "labels": [list(reads.labels(row)) for row in rows],
        }
        subject = f"annotation {names[rows[0]]}"
        yield UNRESOLVED.finding(subject, text, place=reads.place(rows[0]), evidence=evidence)


def _votes(said: list[tuple[str, str]]) -> str:
    """What most say first, and by name who says it, where they are few."""
    held: dict[str, list[str]] = {}
    for reader, words in said:
        held.setdefault(words, []).append(reader)
    votes = sorted(held.items(), key=lambda one: (-len(one[1]), one[0]))
    return "; ".join(
        f"{len(readers)} of {len(said)} say {words}"
        if len(readers) > _NAMED
        else f"{', '.join(readers)} {'says' if len(readers) == 1 else 'say'} {words}"
        for words, readers in votes
    )


def _out_of_line(inputs: Inputs) -> Iterator[Finding]:
    said = ratings_of(marks(inputs), inputs.slides)
    if said is None:
        return
    said = said.of([name for name in said.readers if name != REFERENCE])
    if len(said.readers) < 3:
        return
    level = 1 - float(inputs.settings["chance"]) * 2 / len(said.readers)
    least = float(inputs.settings["least_gap"])
    for k, name in enumerate(said.readers):
        parts = _agreement(said, k)
        kept = (parts[:, 1] > 0) & (parts[:, 3] > 0)
        sums = case_sums(parts[kept], said.cases[kept])
        if len(sums) < int(inputs.settings["least_cases"]):
            continue
        own, others = _shares(sums.sum(axis=0)[None])[0]
        ends = bootstrap(sums, _gap, replicates=4000, level=level)
        if ends is not None and ends[1] < 0 and others - own >= least:
            text = (
                f"{name} agrees with the other readers on {own:.0%} of what they all read, they "
                f"among each other on {others:.0%}, over {len(sums)} cases."
            )
            evidence = {"own": round(own, 4), "others": round(others, 4), "cases": len(sums)}
            yield READER.finding(f"reader {name}", text, evidence=evidence)


def _agreement(said: Ratings, reader: int) -> Floats:
    """(N, 4): pairs with a reader that agree, all of them; pairs without that agree, all."""
    counts = said.counts().astype(np.float64)
    code = said.codes[:, reader]
    read = code >= 0
    with_own = counts.copy()
    with_own[np.flatnonzero(read), code[read]] -= 1
    many = with_own.sum(axis=1)
    agreeing = np.zeros(len(said))
    agreeing[read] = with_own[np.flatnonzero(read), code[read]]
    among = (with_own * (with_own - 1)).sum(axis=1) / 2
    pairs = many * (many - 1) / 2
    return np.stack([agreeing, many * read, among * read, pairs * read], axis=1)


def _shares(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.stack([sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 3]], axis=1)
    return found


def _gap(sums: Floats) -> Floats:
    shares = _shares(sums)
    gap: Floats = shares[:, 0] - shares[:, 1]
    return gap


SUSPECT = Rule(
    code="COR001",
    name="suspected-label-error",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("annotations", "slides", "pixels"),
    what="An object does not look like what it is called, but like another class.",
    why="A few percent of wrong labels are found in most datasets. In a test set they decide "
    "which of two models seems better (Northcutt et al. 2021, 10.48550/arXiv.2103.14749).",
    bad="A pale, spindle-shaped nucleus called lymphocyte, among thousands of dark round ones.",
    good="It is called stromal; or it is suppressed with the reason why it is a lymphocyte.",
    fix="Look at the object and relabel it, or suppress the finding with a reason.",
    method="Color, texture and size of the object, logistic regression out of fold by case, and "
    "confident learning (Northcutt et al. 2021, 10.1613/jair.1.12125; extra `labels`): what it "
    "suspects is not learned from, and all are judged again. Classes of fewer than 10 cases are "
    "left out. What looks alike in these numbers is not told apart.",
    promise="wrong labels, 5 % of them, of two classes that differ in color, in 15 cases of 16 "
    "objects",
    settings={
        "score": (
            0.75,
            "the other class is likelier by half; tuned on painted nuclei of 4 classes",
        ),
        "sure": (0.9, "what is less so is told as a note: one in some hundred sound labels is"),
        "most": (20000.0, "objects that are looked at, drawn at random: reading takes time"),
    },
    look=_suspects,
    version=2,
)
UNRESOLVED = Rule(
    code="COR002",
    name="unresolved-disagreement",
    severity=Severity.WARNING,
    scope="image",
    needs=("annotations",),
    uses=("slides",),
    what="Readers gave one object different classes, and nobody decided.",
    why="Whichever of them an export takes, it is one reader's word, and nobody can tell later "
    "that another said otherwise.",
    bad="ann: mitosis; joe: lymphocyte; no adjudicated annotation.",
    good="mia has adjudicated it: mitosis.",
    fix="Adjudicate it, or let `curatome consensus` decide.",
    method="Objects of first reads are matched one to one by IoU of at least 0.5, points within "
    "7.5 µm; whole images by themselves. A class beside its broader class is no disagreement.",
    promise="every object that two readers call differently, where their outlines overlap by half",
    look=_unresolved,
)
READER = Rule(
    code="COR003",
    name="reader-out-of-line",
    severity=Severity.WARNING,
    scope="dataset",
    needs=("marks", "slides"),
    what="One reader agrees with the others less than they do with each other.",
    why="The reader may see what others do not, or read by another guideline. Either way labels "
    "depend on who made them.",
    bad="joe agrees with ann and mia on 61 % of objects, they with each other on 88 %.",
    good="All three pairs agree on 85 to 90 %.",
    fix="Go through the differences together; train again by the guideline, and read again what "
    "the reader read alone.",
    method="Share of agreeing pairs with the reader, less that of pairs without, on items that "
    "all of them read; bootstrap over cases, with Bonferroni's correction for readers. Needs "
    "three readers: of two nobody can say which is out of line.",
    promise="a reader right 70 % of the time beside three who are right 90 %, over 60 cases of 5 "
    "objects",
    settings={
        "least_gap": (0.05, "less is no reason to read again"),
        "least_cases": (10.0, "a bootstrap of fewer cases promises more than it can"),
        "chance": (0.005, "of a reader in line to be named, for all readers of a dataset"),
    },
    look=_out_of_line,
)

RULES: tuple[Rule, ...] = (SUSPECT, UNRESOLVED, READER)
