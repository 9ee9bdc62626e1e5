"""`curatome consensus`: one answer from several readers, written beside theirs as adjudicated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.agreement.consensus.boxes import fuse_boxes
from curatome.agreement.consensus.dawid_skene import dawid_skene
from curatome.agreement.consensus.majority import majority
from curatome.agreement.consensus.marks import marks
from curatome.agreement.consensus.panel import Panel, decide_by_panel
from curatome.agreement.consensus.polygons import fuse_polygons
from curatome.agreement.consensus.skill import skill_against
from curatome.agreement.consensus.ties import TieRule
from curatome.agreement.consensus.verdict import Verdict
from curatome.agreement.consensus.weighted import weighted
from curatome.agreement.matching import NOTHING
from curatome.agreement.ratings import MISSING, Ratings, ratings
from curatome.annotations.model import new_id
from curatome.annotations.store import Act, AnnotationStore, Batch, Edit, seen
from curatome.errors import AnnotationError, ProtocolError
from curatome.findings import Measure
from curatome.project import Project
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.reads import Matching, ProjectReads, named, project_reads

ORIGIN = "consensus"
TOOL = "curatome consensus"
Method = Literal["majority", "weighted", "dawid-skene", "panel"]


@dataclass(frozen=True)
class Rule:
    """How readers become one answer.

    Attributes:
        method: `majority`, `weighted` (by agreement with the majority), `dawid-skene`, `panel`.
        ties: what ends a tie of a majority or of weighted votes.
        panel: the two blinded readers and the judge, for `panel`.
    """

    method: Method = "majority"
    ties: TieRule = field(default_factory=TieRule)
    panel: Panel | None = None


@dataclass(frozen=True, eq=False)
class Consensus:
    """What was decided.

    Attributes:
        readers: who read.
        how: how objects were matched.
        table: `tables.CONSENSUS`; the label `NOTHING` says that there is no such object.
        classes: how many items of each label.
        unresolved: items without a label.
        split: items that somebody disagreed on.
        measures: skill of each reader against the consensus.
        batch: what recorded it; None if it was not to be written.
    """

    readers: tuple[str, ...]
    how: str
    table: pa.Table
    classes: Mapping[str, int]
    unresolved: int
    split: int
    measures: tuple[Measure, ...]
    batch: Batch | None


def decide(
    project: Project,
    rule: Rule | None = None,
    matching: Matching | None = None,
    readers: Sequence[str] = (),
    write: bool = False,
) -> Consensus:
    """Decide on every object and image that readers judged.

    A reader who read an image and marked nothing where others did votes for nothing being there;
    whether something is there is decided first, what it is by those who marked it.

    Args:
        project: the project.
        rule: how readers become one answer.
        matching: when two readers' objects are one.
        readers: only these; all by default.
        write: record the answers as adjudicated annotations, in place of those of an earlier run.

    Raises:
        AnnotationError: nobody annotated anything.
        ProtocolError: the rule lacks its panel.
        TableError: somebody whom the rule names read nothing.
    """
    rule = rule or Rule()
    reads = project_reads(project, matching, readers)
    said = ratings(reads.table)
    verdict = _verdict(said, rule)
    table = verdict.table()
    labels = Counter(one for one in table["label"].to_pylist() if one is not None)
    measures = skill_against(said, verdict.codes) if len(said.readers) > 1 else []
    project.store.save_measures(ORIGIN, measures)
    batch = None
    if write:
        with annotation_store(project) as store:
            batch = _record(store, _Answers(reads, table, rule, project))
    return Consensus(
        said.readers,
        reads.how,
        table,
        dict(labels.most_common()),
        table["label"].null_count,
        int(pc.sum(pc.greater(pc.list_value_length(table["dissenters"]), 0)).as_py() or 0),
        tuple(measures),
        batch,
    )


def _verdict(said: Ratings, rule: Rule) -> Verdict:
    """First whether an object is there, by majority; then what it is, by those who marked it.

    In one step, three readers who say tumor, normal and nothing would differ on everything, though
    two of them saw an object. A panel decides on both at once.
    """
    if len(said.readers) < 2:
        raise AnnotationError(
            f"only {said.readers[0]} has annotated; a consensus needs a second reader. Bring one "
            "in: curatome import PATH --reader NAME"
        )
    if rule.method == "panel":
        if rule.panel is None:
            raise ProtocolError("a panel needs its three readers: --panel ANN,BEN,CYD")
        return decide_by_panel(said, rule.panel)
    label = _label(named(said), rule)
    if NOTHING not in said.labels:
        return label
    nothing = said.labels.index(NOTHING)
    silent = np.where(said.codes < 0, MISSING, said.codes == nothing).astype(np.int16)
    there = majority(
        Ratings(silent, said.items, said.readers, ("object", NOTHING), said.cases), rule.ties
    )
    shifted = np.where(label.codes >= nothing, label.codes + 1, label.codes)
    codes = np.select([there.codes == 0, there.codes == 1], [shifted, nothing], MISSING)
    absent, open_ = len(label.ways), len(label.ways) + 1
    by = np.select([there.codes == 0, there.codes == 1], [label.decided_by, absent], open_)
    posterior = np.select(
        [there.codes == 0, there.codes == 1], [label.posterior, there.posterior], np.nan
    )
    ways = (*label.ways, "most saw nothing", "tie over whether it is there")
    return Verdict(said, codes.astype(np.int16), posterior, by.astype(np.int8), ways)


def _label(said: Ratings, rule: Rule) -> Verdict:
    match rule.method:
        case "weighted":
            return weighted(said, by="log_odds", ties=rule.ties)
        case "dawid-skene":
            return dawid_skene(said).verdict()
        case _:
            return majority(said, rule.ties)


@dataclass(frozen=True, eq=False)
class _Answers:
    """What is to be recorded."""

    reads: ProjectReads
    table: pa.Table
    rule: Rule
    project: Project


def _record(store: AnnotationStore, answers: _Answers) -> Batch | None:
    """Replace what an earlier run decided; None if there is nothing to record."""
    current = store.current()
    mine = pc.and_(pc.equal(current["basis"], "adjudicated"), pc.equal(current["tool"], TOOL))
    old = current.filter(mine)["annotation"].to_pylist()
    edits = [Edit(name, "delete", seen(current)) for name in old]
    edits += [Edit(new_id(), "create", None, values) for values in _values(answers)]
    if not edits:
        return None
    guideline = answers.project.protocol.guideline.version
    return store.apply(edits, Act("consensus", TOOL, guideline, answers.rule.method))


def _values(answers: _Answers) -> list[dict[str, Any]]:
    """The columns of each annotation to create."""
    decided = {
        row["item"]: row for row in answers.table.to_pylist() if row["label"] not in (None, NOTHING)
    }
    found = [
        {
            "image": item.removeprefix("image "),
            "kind": "whole",
            "geometry": None,
            "labels": row["label"].split("; "),
            "confidence": _confidence(row),
            "basis": "adjudicated",
            "parents": [],
        }
        for item, row in decided.items()
        if item.startswith("image ")
    ]
    members: dict[str, list[int]] = {}
    for row, item in enumerate(answers.reads.items.tolist()):
        members.setdefault(f"object {item}", []).append(row)
    objects = answers.reads.objects
    shapes = shapely.from_wkb(objects["geometry"].to_numpy(zero_copy_only=False))
    names = {name: objects[name].to_pylist() for name in ("annotation", "image", "kind", "reader")}
    cells = answers.project.protocol.dataset.task in ("cells", "detection")
    for item, rows in members.items():
        if item in decided:
            kind, shape = _shape([names["kind"][k] for k in rows], shapes[rows], cells)
            found.append(
                {
                    "image": names["image"][rows[0]],
                    "kind": kind,
                    "geometry": shapely.to_wkb(shape),
                    "labels": decided[item]["label"].split("; "),
                    "confidence": _confidence(decided[item]),
                    "basis": "adjudicated",
                    "parents": [names["annotation"][k] for k in rows],
                }
            )
    return found


def _confidence(row: Mapping[str, Any]) -> float | None:
    posterior = row["posterior"]
    return None if posterior is None else float(min(1.0, max(0.0, posterior)))


def _shape(
    kinds: Sequence[str], shapes: np.ndarray[Any, Any], cells: bool
) -> tuple[str, shapely.Geometry]:
    """One shape from those of several readers: their mean box, common outline, or middle."""
    area = [k for k, kind in enumerate(kinds) if kind != "point"]
    if not area:
        middle = shapely.get_coordinates(shapes).mean(axis=0)
        return "point", shapely.Point(middle)
    if len(area) == 1 or not all(shapely.is_valid(shapes[area])):
        return kinds[area[0]], shapes[area[0]]
    of = marks([0] * len(area), [str(k) for k in area])
    if all(kinds[k] == "box" for k in area):
        fused = fuse_boxes(shapely.bounds(shapes[area]), of)
        return "box", shapely.from_wkb(fused["geometry"][0].as_py())
    how: Literal["area", "outline"] = "outline" if cells or len(area) == 2 else "area"
    wkb = fuse_polygons(shapes[area], of, how=how)["geometry"][0].as_py()
    shape = shapely.from_wkb(wkb) if wkb is not None else shapely.Polygon()
    if shapely.is_empty(shape):
        return kinds[area[0]], shapes[area[0]]
    return ("multipolygon" if shape.geom_type == "MultiPolygon" else "polygon"), shape
