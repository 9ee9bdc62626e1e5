"""A whole synthetic cohort on disk: slides, the tables a user would bring, and the truth."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curatome.phantom.designed import DesignedCohort
from curatome.phantom.labels import LABELS, aperio_identity, label_rows, make_label, metadata_rows
from curatome.phantom.macro import label_on_glass
from curatome.phantom.optics import Scanner
from curatome.phantom.plan import SlidePlan, plan_cohort
from curatome.phantom.render import render
from curatome.phantom.scene import Scene, make_scene
from curatome.phantom.staining import positivity_table
from curatome.phantom.stamp import stamped
from curatome.phantom.svs import SvsOptions, write_svs
from curatome.phantom.truth import truth_tables

__all__ = [
    "CohortTruth",
    "make_cohort",
    "make_scene",
    "plan_cohort",
    "write_cohort",
    "write_designed_cohort",
    "write_slide",
]


@dataclass(frozen=True)
class CohortTruth:
    """What is known about a cohort.

    Attributes:
        folder: where it lies.
        plans: one per slide.
        slides: table `truth.SLIDES`.
        regions: table `truth.REGIONS`.
        nuclei: table `truth.NUCLEI`.
        artifacts: table `truth.ARTIFACTS`.
        positivity: table `staining.POSITIVITY`, with rows for slides stained with DAB.
        labels: table `labels.LABELS`; what tells of the patient on label and macro image and in
            the file's description.
    """

    folder: Path
    plans: tuple[SlidePlan, ...]
    slides: pa.Table
    regions: pa.Table
    nuclei: pa.Table
    artifacts: pa.Table
    positivity: pa.Table
    labels: pa.Table


def write_slide(path: Path, scene: Scene, scanner: Scanner, mpp_in_file: bool = True) -> None:
    """Scan a scene into an SVS-like file, with a label and a description that name the patient.

    Nobody is behind the name, and a stamp on the label says so.

    Args:
        path: the file to write.
        scene: the scene.
        scanner: the scanner.
        mpp_in_file: whether the description says the scanner's MPP.

    Raises:
        OSError: the file cannot be written.
    """
    size = (round(scene.plan.width_um / scanner.mpp), round(scene.plan.height_um / scanner.mpp))
    options = SvsOptions(
        mpp=scanner.mpp if mpp_in_file else None,
        objective=scanner.objective,
        scanner=scanner.name.upper(),
        quality=scanner.quality,
        properties=aperio_identity(scene.plan),
        label=stamped(make_label(scene.plan)),
    )
    write_svs(path, size, lambda x, y, w, h: render(scene, scanner, (x, y, w, h)), options)


def labels_table(plan: SlidePlan) -> pa.Table:
    """The slide's part of `LABELS`, as `write_slide` writes it."""
    label = stamped(make_label(plan))
    return LABELS.from_rows(
        [
            *label_rows(plan, label),
            *label_rows(plan, label_on_glass(label), "macro"),
            *metadata_rows(plan, aperio_identity(plan)),
        ]
    )


def slide_file(plan: SlidePlan) -> str:
    """A slide's path relative to the cohort's folder."""
    return f"slides/{plan.name}.svs"


def _write_csv(path: Path, rows: Sequence[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _user_tables(folder: Path, plans: Sequence[SlidePlan]) -> None:
    """slides.csv and cases.csv, as a group would bring them; one slide's MPP is in the table."""
    told = next((p.name for p in reversed(plans) if p.mpp_in_file), None)
    slides: list[dict[str, object]] = [
        {
            "path": slide_file(plan),
            "case": plan.case.name,
            "block": plan.block,
            "site": plan.site,
            "scanner": plan.scanner,
            "stain": plan.stain,
            "mpp": plan.mpp if plan.name == told else "",
        }
        for plan in plans
    ]
    cases = {plan.case.name: plan.case for plan in plans}
    _write_csv(folder / "slides.csv", slides)
    rows: list[dict[str, object]] = [
        {
            "case": case.name,
            "diagnosis": case.diagnosis,
            "age": case.age,
            "sex": case.sex,
            "body_site": case.body_site,
        }
        for case in cases.values()
    ]
    _write_csv(folder / "cases.csv", rows)


def draw_slide(folder: Path, plan: SlidePlan) -> dict[str, pa.Table]:
    """Write one slide of a cohort; its truth, by name of the table.

    Raises:
        OSError: it cannot be written.
    """
    scene = make_scene(plan)
    path = folder / slide_file(plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_slide(path, scene, plan.optics, plan.mpp_in_file)
    tables = truth_tables([scene], {plan.name: slide_file(plan)})
    return tables | {"positivity": positivity_table(scene), "labels": labels_table(plan)}


def finish_cohort(
    folder: Path, plans: Sequence[SlidePlan], truths: Sequence[dict[str, pa.Table]]
) -> CohortTruth:
    """Write the tables of a cohort whose slides are drawn.

    Args:
        folder: the cohort's folder.
        plans: its slides.
        truths: the truth of each slide, in the same order.

    Raises:
        OSError: something cannot be written.
    """
    _user_tables(folder, plans)
    (folder / "truth").mkdir(exist_ok=True)
    tables = {name: pa.concat_tables([truth[name] for truth in truths]) for name in truths[0]}
    for name, table in tables.items():
        pq.write_table(table, folder / "truth" / f"{name}.parquet")
    return CohortTruth(folder, tuple(plans), **tables)


def make_cohort(
    folder: Path,
    seed: int = 1,
    slides: int = 12,
    side_um: float = 2500.0,
    on_slide: Callable[[int, int], None] | None = None,
) -> CohortTruth:
    """Write a cohort: `slides/*.svs`, `slides.csv`, `cases.csv` and `truth/*.parquet`.

    Args:
        folder: where to; made if it is missing.
        seed: decides everything; the same seed gives the same bytes.
        slides: how many slides.
        side_um: width of an ordinary slide, µm.
        on_slide: told how many slides are done, and of how many.

    Raises:
        ValueError: `slides` or `side_um` is out of range.
        OSError: something cannot be written.
    """
    return write_cohort(folder, plan_cohort(seed, slides, side_um), on_slide)


def write_designed_cohort(
    folder: Path,
    cohort: DesignedCohort,
    side_um: float = 2500.0,
    on_slide: Callable[[int, int], None] | None = None,
) -> CohortTruth:
    """Write a designed cohort; `truth/` also gets its cases, planned slides and levels.

    Only the truth says which cases are in the cohort under two names.

    Args:
        folder: where to; made if it is missing.
        cohort: tables drawn by `design_cohort`.
        side_um: width of each slide, µm.
        on_slide: told how many slides are done, and of how many.

    Raises:
        ValueError: `side_um` is out of range.
        OSError: something cannot be written.
    """
    truth = write_cohort(folder, cohort.plans(side_um), on_slide)
    tables = {"cases": cohort.cases, "planned": cohort.slides, "levels": cohort.levels}
    for name, table in tables.items():
        pq.write_table(table, folder / "truth" / f"{name}.parquet")
    return truth


def write_cohort(
    folder: Path,
    plans: Sequence[SlidePlan],
    on_slide: Callable[[int, int], None] | None = None,
) -> CohortTruth:
    """Write `slides/*.svs`, `slides.csv`, `cases.csv` and `truth/*.parquet` of planned slides.

    Args:
        folder: where to; made if it is missing.
        plans: the slides.
        on_slide: told how many slides are done, and of how many.

    Raises:
        OSError: something cannot be written.
    """
    truths = []
    for done, plan in enumerate(plans, start=1):
        truths.append(draw_slide(folder, plan))
        if on_slide is not None:
            on_slide(done, len(plans))
    return finish_cohort(folder, plans, truths)
