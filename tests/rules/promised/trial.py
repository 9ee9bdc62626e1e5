"""What a promise is, how it is tried, and the phantom's tables as what a rule is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely

from curatome.findings import Finding
from curatome.phantom.faults import Fault, Planted, Tables
from curatome.phantom.faults.tables import Draft
from curatome.rules.registry import rule_of
from curatome.rules.rule import Inputs
from tests.rules import datasets, made

Named = Callable[[Finding], Iterable[str]]


def subject(finding: Finding) -> Iterable[str]:
    """What a finding is about."""
    return (finding.subject,)


@dataclass(frozen=True, eq=False)
class Trial:
    """One cohort with planted faults.

    Attributes:
        inputs: what the rule is given.
        planted: names of what must be found.
        beside: names of what is wrong as well, and outside of the promise.
        named: what a finding names.
    """

    inputs: Inputs
    planted: frozenset[str]
    beside: frozenset[str] = frozenset()
    named: Named = subject


@dataclass(frozen=True)
class Promise:
    """What a rule promises of one fault.

    Attributes:
        code: the rule.
        fault: what is planted, and what its strength means.
        plant: (strength, seed) to a trial.
        promised: the weakest fault that the promise holds for.
        others: weaker and stronger ones.
        cohorts: how many seeds give 20 planted faults or more at the promised strength.
        exact: whether all must be found, and nothing else.
        first: the first seed that nothing was tuned on; a later one where the promise was changed
            after the usual ones had been looked at.
        short: whether the rule finds nine in ten only, says so, and promises nothing.
    """

    code: str
    fault: str
    plant: Callable[[float, int], Trial]
    promised: float
    others: tuple[float, ...] = ()
    cohorts: int = 3
    exact: bool = False
    first: int = 3001
    short: bool = False

    @property
    def seeds(self) -> range:
        """Seeds that nothing was tuned on."""
        return range(self.first, self.first + self.cohorts)

    @property
    def strengths(self) -> list[float]:
        """All strengths, the promised one among them."""
        return sorted({self.promised, *self.others})


@dataclass(frozen=True)
class Score:
    """How a rule did over some cohorts.

    Attributes:
        planted: faults that were planted.
        hit: those of them that were found.
        named: what findings named.
        right: how much of it was wrong indeed.
    """

    planted: int
    hit: int
    named: int
    right: int

    @property
    def recall(self) -> float:
        """Share of the planted faults that was found."""
        return self.hit / self.planted if self.planted else float("nan")

    @property
    def precision(self) -> float:
        """Share of what was found that is wrong indeed."""
        return self.right / self.named if self.named else float("nan")


def score(promise: Promise, strength: float, seeds: Iterable[int]) -> Score:
    """How a rule does against a strength of its fault."""
    planted = hit = named = right = 0
    for seed in seeds:
        trial = promise.plant(strength, seed)
        found = findings(promise.code, trial.inputs)
        names = {name for one in found for name in trial.named(one)}
        planted += len(trial.planted)
        hit += len(names & trial.planted)
        named += len(names)
        right += len(names & (trial.planted | trial.beside))
    return Score(planted, hit, named, right)


def findings(code: str, inputs: Inputs) -> list[Finding]:
    """All that a rule finds, image by image where it looks so."""
    return made.image_by_image(rule_of(code), inputs)


def given(tables: Tables, **parts: object) -> Inputs:
    """The phantom's tables as a project: images are items, slides have their size."""
    protocol = parts.pop("protocol", None) or datasets.protocol_of()
    held = datasets.phantom_inputs(tables)
    return replace(made.phantom_inputs(tables), protocol=protocol, items=held.items, **parts)


def rows_of(planted: Planted) -> frozenset[str]:
    """Annotations or images that were changed or added."""
    return frozenset(planted.changes["row"].to_pylist())


def images_of(tables: Tables, annotations: Iterable[str]) -> list[str]:
    """The image of each annotation."""
    where = dict(
        zip(*(tables.annotations[n].to_pylist() for n in ("annotation", "image")), strict=True)
    )
    return [where[name] for name in annotations]


def geometry(draft: Draft, rows: Sequence[int]) -> np.ndarray:
    """Shapes of rows of annotations, level-0 px."""
    held = draft.tables.annotations["geometry"].take(rows).to_pylist()
    return shapely.from_wkb(np.array(held, object))


def sizes(tables: Tables) -> dict[str, tuple[float, float]]:
    """Width and height of each slide, level-0 px."""
    out: dict[str, tuple[float, float]] = {}
    for row in tables.images.to_pylist():
        width, height = out.get(row["slide"], (0.0, 0.0))
        out[row["slide"]] = (
            max(width, row["x"] + row["width"]),
            max(height, row["y"] + row["height"]),
        )
    return out


def plant(apply: Callable[..., Draft], tables: Tables, strength: float, seed: int) -> Planted:
    """Plant a fault that only tests know."""
    return Fault(apply.__name__, "tests", "", apply).plant(tables, strength, seed)
