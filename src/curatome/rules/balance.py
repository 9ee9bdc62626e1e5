"""BAL: every class, and every combination, has enough independent cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.dataset.imbalance import (
    effective_number,
    imbalance_ratios,
    label_sets,
    least_ratio,
    mean_ratio,
    ratio_variation,
    scumble,
)
from curatome.findings import Finding, Severity
from curatome.rules.confounding import CONFOUNDED
from curatome.rules.counted import FACTORS, Counted, counted
from curatome.rules.rule import Inputs, Rule

Floats = npt.NDArray[np.float64]

_UNEVEN = 1.5
_SHOWN = 5


def _few_cases(inputs: Inputs) -> Iterator[Finding]:
    least = float(inputs.settings["least_cases"])
    seen: set[str] = set()
    enough: list[Counted] = []
    for one in counted(inputs):
        seen |= set(one.labels.names)
        if len(one.cases) < float(inputs.settings["least_dataset"]):
            continue
        enough.append(one)
        held = one.by_case
        worth = effective_number(held)
        for k in np.flatnonzero(worth < least).tolist():
            yield _few(one, k, held[k], float(worth[k]), least)
    if enough:
        yield from _absent(inputs, enough[0], seen, ceil(least))


def _absent(inputs: Inputs, one: Counted, seen: set[str], least: int) -> Iterator[Finding]:
    """Classes of the protocol that nothing has; where that is all of them, they are misnamed."""
    parents = {declared.parent for declared in inputs.protocol.classes}
    declared = [c.name for c in inputs.protocol.classes if c.name not in parents]
    absent = [name for name in declared if name not in seen]
    if len(absent) > 1 and not seen & {c.name for c in inputs.protocol.classes}:
        text = (
            f"none of the {len(absent)} classes of the protocol ({_some(absent)}) is in the "
            f"{one.plural} of {len(one.cases)} cases, which have {_some(one.labels.names)}. Give "
            "the classes one name in both."
        )
        there = {"absent": absent, "there": list(one.labels.names)}
        yield FEW.finding("classes of the protocol", text, evidence=there)
        return
    for name in absent:
        text = (
            f"class {name} is in the protocol, and in none of the {one.plural} of "
            f"{len(one.cases)} cases. Add at least {least} cases with it."
        )
        evidence = {"count": 0, "effective_cases": 0.0, "cases": 0}
        yield FEW.finding(f"class {name}", text, evidence=evidence)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _few(one: Counted, k: int, held: Floats, worth: float, least: float) -> Finding:
    """With Σw² / Σw labels in each, every further case is worth one more."""
    name, cases = one.labels.names[k], int((held > 0).sum())
    more = ceil(least - worth)
    text = (
        f"class {name} has {one.number(held.sum())} in {cases} of "
        f"{len(one.cases)} cases, worth {worth:.1f} equal cases. Add at least {more} more cases "
        f"with it{_from(one, held)}, about {one.number(ceil((held**2).sum() / held.sum()))} in "
        "each."
    )
    evidence = {"count": int(held.sum()), "effective_cases": round(worth, 2), "cases": cases}
    return FEW.finding(f"class {name}", text, evidence=evidence | _areas(one, k))


def _cases(count: int, word: str = "") -> str:
    return f"{count:,} {word}{'case' if count == 1 else 'cases'}"


def _areas(one: Counted, k: int) -> dict[str, float]:
    """Area of a class, and how many equal cases it is worth by area."""
    held = one.area_by_case(k)
    if not held.any():
        return {}
    return {
        "area_um2": round(float(held.sum()), 1),
        "effective_cases_by_area": round(float(effective_number(held)), 2),
    }


def _from(one: Counted, held: Floats) -> str:
    """Where a class is rarest: the sites, else scanners, of whose cases the fewest have it."""
    for factor in FACTORS:
        domain = np.array([name or "" for name in one.domain[factor]], object)
        known = sorted(set(domain) - {""})
        if len(known) > 1:
            share = [float((held[domain == name] > 0).mean()) for name in known]
            where = [name for name, part in zip(known, share, strict=True) if part == min(share)]
            return f", first from {' or '.join(where[:3])}" if len(where) < len(known) else ""
    return ""


def _minority(inputs: Inputs) -> Iterator[Finding]:
    for one in counted(inputs):
        counts, held = one.labels.counts, one.by_case
        ratios, mean = imbalance_ratios(counts), mean_ratio(counts)
        for k in np.flatnonzero((ratios > mean) & (mean > _UNEVEN)).tolist():
            if least_ratio(held[k], held[int(counts.argmax())]) > 1:
                yield _rarer(MINORITY, one, k, mean)


def _severe(inputs: Inputs) -> Iterator[Finding]:
    least = float(inputs.settings["ratio"])
    for one in counted(inputs):
        held = one.by_case
        commonest = held[int(one.labels.counts.argmax())]
        for k in range(len(held)):
            if least_ratio(held[k], commonest) >= least:
                yield _rarer(SEVERE, one, k, min(least, mean_ratio(one.labels.counts)))


def _rarer(rule: Rule, one: Counted, k: int, aim: float) -> Finding:
    """How much rarer a class is, and what would make it `aim` times rarer, no more.

    The aim is below the class's own ratio. MeanIR need not be: where one class is rarer still, it
    lies between the two.
    """
    counts, held = one.labels.counts, one.by_case[k]
    most = int(counts.argmax())
    ratio, mean = float(imbalance_ratios(counts)[k]), mean_ratio(counts)
    worth = float(effective_number(held))
    wanted = ceil(counts[most] / aim) - int(counts[k])
    cases = int((held > 0).sum())
    more = ceil(wanted / (held.sum() / cases))
    fewer = int(counts[k] * aim)
    name, common = one.labels.names[k], one.labels.names[most]
    text = (
        f"class {name} has {one.number(counts[k])} in {_cases(cases)} (worth {worth:.1f} equal "
        f"ones), {ratio:.2f} times fewer than {common} with {counts[most]:,} (IRLbl; MeanIR "
        f"{mean:.2f}). To bring it to {'the mean' if aim == mean else f'{aim:g} times'}, "
        f"add about {wanted:,} in {_cases(more, 'more ')}"
        f"{_from(one, held)}, or train on no more than {fewer:,} of {common}."
    )
    evidence: dict[str, Any] = {
        "count": int(counts[k]),
        "irlbl": round(ratio, 4),
        "mean_ir": round(mean, 4),
        "cvir": round(ratio_variation(counts), 4),
        "cases": cases,
        "effective_cases": round(worth, 2),
        "more_labels": wanted,
        "more_cases": more,
        "at_most_of_commonest": fewer,
    }
    return rule.finding(f"class {name}", text, evidence=evidence | _areas(one, k))


def _combinations(inputs: Inputs) -> Iterator[Finding]:
    least = int(inputs.settings["least_cases"])
    for one in counted(inputs):
        if not one.labels.several or len(one.cases) < 4 * least:
            continue
        of, sets = label_sets(one.labels)
        pairs = np.unique(np.stack([of, one.case], axis=1)[of >= 0], axis=0)
        cases = np.bincount(pairs[:, 0], minlength=len(sets))
        rare = np.flatnonzero(cases < least)
        if not len(rare):
            continue
        items = np.bincount(of[of >= 0], minlength=len(sets))
        shown = rare[np.lexsort((items[rare], cases[rare]))][:_SHOWN].tolist()
        named = "; ".join(" + ".join(sets[k]) for k in shown)
        text = (
            f"{len(rare)} of {len(sets)} combinations of labels are in fewer than {least} cases, "
            f"with {int(items[rare].sum()):,} of {int(items.sum()):,} {one.plural} (SCUMBLE "
            f"{scumble(one.labels):.3f}): {named}{'; …' if len(rare) > len(shown) else ''}."
        )
        evidence = {
            "rare": len(rare),
            "combinations": len(sets),
            "scumble": round(scumble(one.labels), 4),
            "examples": [list(sets[k]) for k in shown],
        }
        yield COMBINATIONS.finding(f"labels of {one.plural}", text, evidence=evidence)


def _targets(inputs: Inputs) -> Iterator[Finding]:
    for factor, wanted in inputs.protocol.cohort.targets.items():
        held = _cases_by(inputs, factor)
        for value, target in wanted.items():
            there = len(held.get(value, ()))
            if there < target:
                text = (
                    f"{there} cases have {factor} {value}; the protocol wants {target}. Add "
                    f"{target - there} more."
                )
                evidence = {"factor": factor, "value": value, "cases": there, "target": target}
                yield TARGET.finding(f"{factor} {value}", text, evidence=evidence)


def _cases_by(inputs: Inputs, factor: str) -> dict[str, set[str]]:
    """Cases that have each value of a factor: a class, or a field of cases or slides."""
    held: dict[str, set[str]] = {}
    if factor == "class":
        for one in counted(inputs):
            for name, row in zip(one.labels.names, one.by_case, strict=True):
                cases = [one.cases[k] for k in np.flatnonzero(row).tolist()]
                held.setdefault(name, set()).update(cases)
        return held
    for case, fields in inputs.cases.items():
        if fields.get(factor) is not None:
            held.setdefault(str(fields[factor]), set()).add(case)
    for table in (inputs.slides, inputs.items):
        if factor in table.column_names and pa.types.is_string(table[factor].type):
            rows = table.select(["case", factor]).drop_null()
            rows = rows.filter(pc.not_equal(rows[factor], ""))
            for case, value in zip(*(rows[n].to_pylist() for n in ("case", factor)), strict=True):
                held.setdefault(value, set()).add(case)
    return held


_WHY = (
    "Objects of one patient are alike: a model learns the patient, and an estimate from few "
    "patients has an interval too wide to tell anything."
)
_IMBALANCED = (
    "A model that never says a rare class is hardly ever wrong, so it learns never to say it, and "
    "overall accuracy hides that."
)
_RATIOS = (
    "IRLbl is the commonest class's count over the class's own, MeanIR their mean over classes "
    "(Charte et al. 2015, 10.1016/j.neucom.2014.08.091). Effective cases: (Σw)² / Σw² over "
    "counts w of cases (Kish 1965)."
)
_PLAN = "Follow the plan in the message: more cases of the class, or fewer of the commonest."
FEW = Rule(
    code="BAL001",
    name="few-cases-of-class",
    severity=Severity.WARNING,
    scope="dataset",
    needs=(),
    uses=("slides", "marks", "items", "cases"),
    what="A class has too few independent cases, or is in the protocol and nowhere else.",
    why=_WHY,
    bad="412 mitoses, 390 of them from one patient: worth 1.1 equal cases.",
    good="412 mitoses from 38 patients, worth 25 equal cases.",
    fix="Add the cases that the message asks for, or take the class out of the protocol.",
    method="Effective number of cases (Σw)² / Σw² over the counts w of a class in each case (Kish "
    "1965). Counted on annotations (the adjudicated ones where there are any), and on items for "
    "classes that no annotation has. Small datasets are not told that they are small.",
    promise="a class with two labels or less, among 20 cases and 800 labels",
    settings={
        "least_cases": (5.0, "fewer cannot be in training, validation and test sets at once"),
        "least_dataset": (20.0, "below so many cases all classes are few, not this one"),
    },
    look=_few_cases,
)
MINORITY = Rule(
    code="BAL002",
    name="minority-class",
    severity=Severity.NOTE,
    scope="dataset",
    needs=(),
    uses=("slides", "marks", "items", "cases"),
    what="A class is rarer, against the commonest one, than classes are on average.",
    why=_IMBALANCED,
    bad="Inclusion on 212 cells, Elongation on 2,445: 11.5 times fewer, where the mean is 3.6.",
    good="All classes within 1.5 times of each other.",
    fix=_PLAN,
    method=_RATIOS + " A class is a minority where IRLbl is above MeanIR, MeanIR above 1.5, and "
    "the lower end of the ratio's 90 % interval over cases (linearized ratio estimator) above 1, "
    "so that three labels beside six are none.",
    promise="every class that is so, such as one of four with a fifth of the others' labels",
    version=2,
    look=_minority,
)
SEVERE = Rule(
    code="BAL003",
    name="severe-imbalance",
    severity=Severity.WARNING,
    scope="dataset",
    needs=(),
    uses=("slides", "marks", "items", "cases"),
    what="A class is many times rarer than the commonest one, beyond doubt.",
    why=_IMBALANCED,
    bad="8 mitoses beside 415 tumor cells.",
    good="200 mitoses beside 415 tumor cells, from as many cases.",
    fix=_PLAN,
    method=_RATIOS + " The lower end of the ratio's 90 % interval over cases (linearized ratio "
    "estimator) must reach the setting, so that chance in a small dataset is no finding.",
    promise="a class with eight labels beside one with 400, among 20 cases",
    settings={"ratio": (20.0, "weights and sampling still mend 10; nature makes 10 of mitoses")},
    look=_severe,
)
COMBINATIONS = Rule(
    code="BAL004",
    name="rare-combinations",
    severity=Severity.NOTE,
    scope="dataset",
    needs=(),
    uses=("slides", "marks", "items", "cases"),
    what="Combinations of labels that hardly any case shows.",
    why="Such combinations cannot be divided between splits, nor learned. Where rare labels go "
    "with common ones (a high SCUMBLE), repeating rare items repeats common labels too.",
    bad="Grooves + Inclusion + Glassy on two cells of one patient.",
    good="Every combination in at least three patients.",
    fix="Look whether the combination is possible or a slip. Collect cases that show it, or "
    "balance labels one by one in training (CutMix, sampling by label).",
    method="Combinations that fewer cases than the setting have. SCUMBLE: Charte et al. 2019, "
    "10.1016/j.neucom.2016.08.158. Only where items have several labels.",
    promise="every combination that is so, as far as the message names them",
    settings={"least_cases": (3.0, "one for each of three splits")},
    look=_combinations,
)
TARGET = Rule(
    code="BAL006",
    name="target-not-met",
    severity=Severity.WARNING,
    scope="dataset",
    needs=(),
    uses=("slides", "marks", "items", "cases"),
    what="There are fewer cases than the protocol's cohort wants.",
    why="Targets follow from how precisely the dataset is to answer its question; below them it "
    "cannot.",
    bad='[cohort.targets.class] "mitosis" = 40, and 31 cases show one.',
    good="41 cases show one.",
    fix="Collect the cases that the message names, or change the target and say why.",
    method="Cases are counted by class (annotations and items), by fields of cases and of slides.",
    promise="every target that is missed, by one case or by many",
    look=_targets,
)

RULES: tuple[Rule, ...] = (FEW, MINORITY, SEVERE, COMBINATIONS, CONFOUNDED, TARGET)
