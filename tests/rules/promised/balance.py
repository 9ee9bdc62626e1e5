"""BAL: classes lost or rare, combinations, confounding and targets."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from curatome.findings import Finding
from curatome.phantom.faults import FAULTS, CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.tables import ITEMS
from tests.rules.datasets import items_of, protocol_of
from tests.rules.promised.trial import Promise, Trial, given

COHORT = ObjectDesign(cases=20, slides_per_case=2, objects_per_slide=20)
EVEN = replace(COHORT, frequencies=(0.25,) * 4)
FORTY = replace(COHORT, cases=40)


def _lost(objects: ObjectDesign, strength: float, seed: int) -> Trial:
    """Every second cohort is clean."""
    tables = make_tables(CleanDesign(objects), seed)
    if seed % 2:
        return Trial(given(tables), frozenset())
    planted = FAULTS["rare_class"].plant(tables, strength, seed, label="mitosis")
    return Trial(given(planted.tables), frozenset({"class mitosis"}))


def _anything(_: Finding) -> list[str]:
    return ["found"]


def _confounded(strength: float, seed: int) -> Trial:
    """Site and scanner go together, so either may be named; every second cohort is clean."""
    tables = make_tables(CleanDesign(FORTY), seed)
    if seed % 2:
        return Trial(given(tables), frozenset(), named=_anything)
    planted = FAULTS["confounded_site"].plant(tables, strength, seed)
    return Trial(given(planted.tables), frozenset({"found"}), named=_anything)


def _combinations(count: float, seed: int) -> Trial:
    """20 cases have all of three combinations; each of some others lies in one case."""
    tables = make_tables(CleanDesign(COHORT), seed)
    rng = np.random.default_rng([seed, 4])
    common = [["a"], ["a", "b"], ["b", "c"]]
    rows = [{"case": f"c{k}", "slide": f"s{k}", "labels": held} for k in range(20)
            for held in common]  # fmt: skip
    rare = [["a", f"r{k}"] for k in range(round(count))]
    rows += [{"case": f"c{k}", "slide": f"s{k}", "labels": held}
             for k, held in zip(rng.integers(0, 20, len(rare)), rare, strict=True)]  # fmt: skip
    inputs = replace(given(tables), annotations=given(tables).annotations.slice(0, 0))
    due = frozenset(" ".join(held) for held in rare)

    def named(finding: Finding) -> list[str]:
        return [" ".join(held) for held in finding.evidence["examples"]]

    return Trial(replace(inputs, items=items_of(rows)), due, named=named)


def _targets(share: float, seed: int) -> Trial:
    """Targets of classes and sites, of which the cases reach so large a part, or all."""
    inputs = given(make_tables(CleanDesign(COHORT), seed))
    cases: dict[tuple[str, str], set[str]] = {}
    site = {row["case"]: row["site"] for row in inputs.slides.to_pylist()}
    for case, name in site.items():
        cases.setdefault(("site", name), set()).add(case)
    for row in inputs.annotations.to_pylist():
        case = row["image"].rpartition("-")[0]
        cases.setdefault(("class", row["labels"][0]), set()).add(case)
    rng = np.random.default_rng([seed, 6])
    missed = {key for key in sorted(cases) if rng.random() < 0.5}
    targets: dict[str, dict[str, int]] = {}
    for (factor, name), held in cases.items():
        wanted = len(held) + (max(1, round(len(held) * (1 / share - 1))) if (factor, name) in missed
                              else 0)  # fmt: skip
        targets.setdefault(factor, {})[name] = wanted
    protocol = protocol_of(cohort={"targets": targets})
    items = ITEMS.schema.empty_table()
    due = frozenset(f"{factor} {name}" for factor, name in missed)
    return Trial(replace(inputs, protocol=protocol, items=items), due)


PROMISES = (
    Promise("BAL001", "share of a class's labels that were lost, 20 cases",
            partial(_lost, COHORT), 0.95, (0.5, 0.8, 0.9, 1.0), 40),
    Promise("BAL002", "share of a class's labels that were lost, classes of one size",
            partial(_lost, EVEN), 0.8, (0.5, 0.7, 0.9), 40, exact=True),
    Promise("BAL003", "share of a rare class's labels that were lost, 20 cases",
            partial(_lost, COHORT), 0.8, (0.3, 0.5, 0.7, 0.9), 40),
    Promise("BAL004", "combinations in one case only", _combinations, 4, (1, 8), 6, exact=True),
    Promise("BAL005", "share of cases whose site follows from the diagnosis", _confounded, 0.7,
            (0.3, 0.5, 1.0), 40),
    Promise("BAL006", "part of its target that a class or site reaches", _targets, 0.9,
            (0.5, 0.99), 6, exact=True),
)  # fmt: skip
