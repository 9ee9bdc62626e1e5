"""The EIPH study: ten experts, twice, and errors seeded into what a model proposed.

Marzahl et al. 2020 (arXiv 2004.05838): ten experts marked and graded (0 to 4) macrophages on 20
images, first unaided, then starting from proposals into which errors had been seeded. The images
are not here; the votes are. Cells are some 25 px wide and unaided boxes are rough: at the usual
IoU of .5, 613 items come of 2,550 unaided boxes and single experts have a precision of .7 against
the ground truth, at .3 it is 452 items and .94, so that .3 is taken. What was repaired is shown
for both. Images of one horse are one case.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from benchmarks.recording import keep, machine

from curatome.agreement.coefficients import (
    by_label,
    by_reader,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    of_pairs,
    percent_agreement,
    positive_agreement,
)
from curatome.agreement.consensus.dawid_skene import dawid_skene
from curatome.agreement.consensus.majority import majority
from curatome.agreement.consensus.ties import TieRule
from curatome.agreement.matching.reads import NOTHING, read_table
from curatome.agreement.matching.shapes import match_shapes, pair_shapes
from curatome.agreement.ranking import measure_average_precision, ranking
from curatome.agreement.ratings import MISSING, Ratings, ratings
from curatome.agreement.repeat import intra_reader
from curatome.annotations.formats.base import Frames, Options
from curatome.annotations.formats.exact import FORMAT
from curatome.findings import Measure

ROUNDS = {"unaided": "FirstRound", "aided": "SecondRound"}
GRADES = ("0", "1", "2", "3", "4")
TRUTH, PROPOSED, DELETED = "truth", "proposed", "deleted"
IOU = 0.3
SMOOTHING = 0.1
AUTHORS = {"class changes": 0.573, "deletions": 0.100, "NMS errors": 0.540}

Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]

DEFINITIONS = """
  class changes   a matching box has the true grade
  deletions       there is a matching box
  NMS errors      the very box is gone
  really wrong    class changes, of those that were proposed with a wrong grade at all
  with grade      deletions, and the matching box has the true grade
  touched         NMS errors that are gone, or that the expert saved again, changed or not
How the authors counted is not part of their data."""


@dataclass(frozen=True)
class Boxes:
    """Boxes of one export, in px, and who saved each last."""

    shapes: npt.NDArray[np.object_]
    image: list[str]
    label: list[str]
    editor: list[str]

    def __len__(self) -> int:
        return len(self.image)

    def places(self) -> list[tuple[str, tuple[float, ...]]]:
        """Image and corners, equal for a box that nobody moved."""
        return [(one, shape.bounds) for one, shape in zip(self.image, self.shapes, strict=True)]

    def partners(self, other: Boxes, iou: float = IOU) -> Whole:
        """(N,) the other's box at each of these, one to one, or -1."""
        pairs = pair_shapes(self.shapes, other.shapes, iou, images=(self.image, other.image))
        found = np.full(len(self), -1)
        found[pairs[:, 0]] = pairs[:, 1]
        return found


def boxes(path: Path) -> Boxes:
    """All boxes of one export; shapes without an area are left out."""
    rows = [
        row
        for row in FORMAT.read(path, Frames(), Options()).table.to_pylist()
        if row["kind"] != "whole" and shapely.from_wkb(row["geometry"]).area > 0
    ]
    shapes = [shapely.box(*shapely.from_wkb(row["geometry"]).bounds) for row in rows]
    return Boxes(
        np.array(shapes, object),
        [row["image"] for row in rows],
        [row["labels"][0] for row in rows],
        [row["reader"] for row in rows],
    )


def experts(folder: Path) -> dict[str, Boxes]:
    """Each expert's boxes in one round."""
    paths = folder.glob("Participants/*.txt")
    found = {f"expert {int(one.stem.rpartition('_')[2]):02}": boxes(one) for one in paths}
    return dict(sorted(found.items()))


def case_of(image: str) -> str:
    """The horse."""
    return re.findall(r"EIPH_(\d+)", image)[0]


def matched(readers: dict[str, Boxes]) -> tuple[Ratings, dict[str, Whole]]:
    """What everybody said about everything anybody marked; nothing here counts as a label.

    Returns:
        Ratings by item, and for each reader the row of each box.
    """
    who = [name for name, own in readers.items() for _ in own.image]
    image = [one for own in readers.values() for one in own.image]
    label = [one for own in readers.values() for one in own.label]
    shapes = np.concatenate([own.shapes for own in readers.values()])
    items = match_shapes(shapes, who, image, IOU)
    names = sorted(set(image))
    cases = pa.table({"image": names, "case": [case_of(one) for one in names]})
    table = read_table(items, who, label, image=image, images=cases)
    found = ratings(table, [*GRADES, NOTHING])
    row = pc.index_in(pa.array(items), found.items.cast(pa.int64())).to_numpy()
    ends = np.cumsum([len(own) for own in readers.values()])[:-1]
    return found, dict(zip(readers, np.split(row, ends), strict=True))


def grades_only(found: Ratings) -> Ratings:
    """Nothing here as if it had not been seen: how well experts grade what they both marked."""
    codes = np.where(found.codes == len(GRADES), MISSING, found.codes).astype(np.int16)
    return Ratings(codes, found.items, found.readers, GRADES, found.cases)


def shown(measure: Measure) -> str:
    low, high = measure.low or np.nan, measure.high or np.nan
    return (
        f"  {measure.name:24} {measure.subject:12} {measure.value:6.3f} [{low:6.3f}, {high:6.3f}]"
        f"  n {measure.n} in {measure.clusters}"
    )


def agreement(own: dict[str, Boxes]) -> None:
    """Print how well the ten agree in one round."""
    found, _ = matched(own)
    print(f"  {sum(len(one) for one in own.values())} boxes of ten experts, {len(found)} items")
    print("  where a cell is, and its grade (nothing here is a label):")
    for coefficient in (percent_agreement(), krippendorff_alpha(), fleiss_kappa(), gwet_ac()):
        print(shown(coefficient.measure(found)))
    print("  the grade where both marked a cell:")
    grades = grades_only(found)
    for coefficient in (
        percent_agreement(),
        krippendorff_alpha("ordinal"),
        gwet_ac("quadratic"),
        of_pairs(cohen_kappa("quadratic")),
    ):
        print(shown(coefficient.measure(grades)))
    for measure in by_label(positive_agreement, grades):
        print(shown(measure))
    print("  each expert with the nine others, α ordinal of grades:")
    for measure in by_reader(krippendorff_alpha("ordinal"), grades):
        print(shown(measure))


def again(rounds: dict[str, dict[str, Boxes]]) -> None:
    """Print how well each expert agrees with the own unaided round."""
    rows: list[dict[str, Any]] = []
    for name, first in rounds["unaided"].items():
        second = rounds["aided"][name]
        for one, other in enumerate(first.partners(second)):
            for read, own, at in ((1, first, one), (2, second, other)):
                if other >= 0:
                    rows.append(
                        {
                            "item": f"{name}/{one}",
                            "reader": name,
                            "read": read,
                            "label": own.label[at],
                            "case": case_of(own.image[at]),
                        }
                    )
    print(
        "\nEach expert against the own unaided round: quadratic κ of grades of cells marked twice"
    )
    for measure in intra_reader(cohen_kappa("quadratic"), pa.Table.from_pylist(rows), GRADES):
        print(shown(measure))


def consensus(own: dict[str, Boxes], truth: Boxes) -> None:
    """Print what single experts and their consensus get right of the ground truth."""
    both, _ = matched({**own, TRUTH: truth})
    votes = both.of(sorted(own))
    right = both.of([TRUTH]).codes[:, 0]
    print(f"  against ground truth, {len(truth)} cells:      found  graded as it  precision")

    def line(name: str, codes: npt.NDArray[np.int16]) -> None:
        cell, marked = right != len(GRADES), (codes != len(GRADES)) & (codes != MISSING)
        hit = cell & marked
        graded = (codes == right) & hit
        print(
            f"  {name:38} {hit.sum() / cell.sum():6.3f}        {graded.sum() / cell.sum():6.3f}"
            f"     {hit.sum() / marked.sum():6.3f}"
        )

    for reader in range(len(votes.readers)):
        line(votes.readers[reader], votes.codes[:, reader])
    line("majority, ties to the lower grade", majority(votes, TieRule("first")).codes)
    line("Dawid–Skene", dawid_skene(votes, smoothing=SMOOTHING).verdict().codes)


@dataclass(frozen=True)
class Seeded:
    """The errors that were seeded, and what the experts started from."""

    changed: Boxes
    deleted: Boxes
    nms: Boxes
    proposed: Boxes

    @staticmethod
    def read(folder: Path) -> Seeded:
        """From a round's folder."""
        named = [boxes(folder / "GT" / f"{one}.txt") for one in ("changed", "deleted", "nms")]
        return Seeded(*named, boxes(folder / "GT" / "unchanged submission_19.txt"))

    def wrong(self) -> list[int]:
        """Which of the changed boxes were proposed with another grade than the true one."""
        at = self.changed.partners(self.proposed)
        return [
            j
            for j, k in enumerate(at)
            if k >= 0 and self.proposed.label[k] != self.changed.label[j]
        ]


def repaired(seeded: Seeded, own: dict[str, Boxes], iou: float) -> None:
    """Print the share of seeded errors that each expert repaired in the aided round."""
    names = ("class changes", "deletions", "NMS errors", "really wrong", "with grade", "touched")
    print(f"  {'':10}" + "".join(f"{one:>15}" for one in names))
    total = np.zeros((6, 2), np.int64)
    for name, one in own.items():
        counts = counts_of(seeded, one, iou)
        total += counts
        print(f"  {name:10}" + "".join(f"{f'{hits} / {of}':>15}" for hits, of in counts))
    share = total[:, 0] / total[:, 1]
    print(f"  {'all':10}" + "".join(f"{one:>15.3f}" for one in share))
    authors = np.array([*AUTHORS.values()] * 2)
    print(f"  {'authors':10}" + "".join(f"{one:>15.3f}" for one in authors))
    print(f"  {'apart by':10}" + "".join(f"{one:>+15.3f}" for one in share - authors))


def counts_of(seeded: Seeded, one: Boxes, iou: float = IOU) -> Whole:
    """(6, 2) repaired, of how many, by the definitions that `repaired` prints."""
    at = seeded.changed.partners(one, iou)
    right = [k >= 0 and one.label[k] == seeded.changed.label[j] for j, k in enumerate(at)]
    wrong = seeded.wrong()
    back = seeded.deleted.partners(one, iou)
    graded = [k >= 0 and one.label[k] == seeded.deleted.label[j] for j, k in enumerate(back)]
    kept = dict(zip(one.places(), one.editor, strict=True))
    spare = [kept.get(place) for place in seeded.nms.places()]
    touched = [found != first for found, first in zip(spare, seeded.nms.editor, strict=True)]
    return np.array(
        [
            [sum(right), len(right)],
            [int((back >= 0).sum()), len(back)],
            [spare.count(None), len(spare)],
            [sum(right[j] for j in wrong), len(wrong)],
            [sum(graded), len(back)],
            [sum(touched), len(touched)],
        ]
    )


def ranked(seeded: Seeded, own: dict[str, Boxes]) -> None:
    """Print how high votes alone rank the seeded errors among what was proposed."""
    both, rows = matched({**own, PROPOSED: seeded.proposed, DELETED: seeded.deleted})
    there = rows[PROPOSED]
    given = both.codes[there, both.readers.index(PROPOSED)]
    votes = both.of(sorted(own))
    against = (votes.codes[there] != given[:, None]).mean(axis=1)
    model = dawid_skene(votes, smoothing=SMOOTHING).posterior
    doubt = 1 - model[there, given]
    at = seeded.changed.partners(seeded.proposed)
    wrong = np.isin(np.arange(len(there)), at[seeded.wrong()])
    spare = np.array([key in set(seeded.nms.places()) for key in seeded.proposed.places()])
    for title, hit in (("class changes", wrong), ("NMS errors", spare), ("both", wrong | spare)):
        for how, score in (("share of votes against", against), ("Dawid–Skene", doubt)):
            _precision(f"{title}, {how}", score, hit, both.cases[there])
    absent = np.setdiff1d(np.arange(len(both)), there)
    cells = (votes.codes[absent] != len(GRADES)).mean(axis=1)
    hit = np.isin(absent, rows[DELETED])
    _precision("deletions, votes for a cell", cells, hit, both.cases[absent])


def _precision(title: str, score: npt.NDArray[np.float64], hit: Flags, cases: Whole) -> None:
    measure = measure_average_precision(ranking(score, hit, cases, cases[hit]))
    print(
        f"  {title:38} {hit.sum():3} of {len(hit):3}   {measure.value:.3f} "
        f"[{measure.low:.3f}, {measure.high:.3f}]   random {hit.mean():.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data")
    study = parser.parse_args().data / "annotations" / "exact" / "EIPH"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(f"EIPH study; {machine()}; 95 % intervals by drawing horses")
        rounds = {name: experts(study / folder) for name, folder in ROUNDS.items()}
        for name, own in rounds.items():
            print(f"\nRound {name}")
            agreement(own)
            consensus(own, boxes(study / ROUNDS[name] / "GT" / "ground truth.txt"))
        again(rounds)
        seeded = Seeded.read(study / ROUNDS["aided"])
        print(f"\nSeeded errors repaired in the aided round, of {len(seeded.proposed)} proposals")
        print(DEFINITIONS)
        for iou in (IOU, 0.5):
            print(f"\n  boxes match at an IoU of {iou}")
            repaired(seeded, rounds["aided"], iou)
        for name, own in rounds.items():
            print(f"\nAverage precision of a ranking of proposals by the {name} votes alone")
            ranked(seeded, own)
    print(out.getvalue())
    keep("eiph", out.getvalue())


if __name__ == "__main__":
    main()
