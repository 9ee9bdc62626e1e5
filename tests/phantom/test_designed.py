from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from curatome.phantom import make_scene, plan_cohort
from curatome.phantom.design import CohortDesign, factor_shares
from curatome.phantom.designed import CASES, LEVELS, PLANNED, design_cohort
from curatome.phantom.effects import GLASS, NAMES, Spread
from curatome.phantom.optics import SCANNERS, SITES
from curatome.phantom.patients import BODY_SITES, FEMALE, PROFILES, place_weights, profile
from curatome.phantom.plan import DIAGNOSES

LARGE = CohortDesign(cases=6000, slides_per_case=(0.5, 0.3, 0.2), ihc=0.3)


@pytest.fixture(scope="module")
def large():
    return design_cohort(LARGE, 3)


def _bound(tests):
    """How many standard errors the largest of so many z scores may reach: 1 % in all."""
    return float(norm.ppf(1 - 0.005 / tests))


def _z(hits, count, chance):
    return (hits - count * chance) / math.sqrt(count * chance * (1 - chance))


def _cramers_v(a, b):
    """Cramér's V of two lists (Cramér 1946), from its definition."""
    rows, columns = sorted(set(a)), sorted(set(b))
    pairs = Counter(zip(a, b, strict=True))
    table = np.array([[pairs[r, c] for c in columns] for r in rows], float)
    expected = table.sum(1)[:, None] * table.sum(0) / table.sum()
    chi_squared = ((table - expected) ** 2 / expected).sum()
    return math.sqrt(chi_squared / table.sum() / (min(table.shape) - 1))


def _effects(table):
    return np.stack([table[name].to_numpy() for name in NAMES], axis=1)


def test_tables_keep_their_contracts(large):
    for table, spec in ((large.cases, CASES), (large.slides, PLANNED), (large.levels, LEVELS)):
        assert table.schema.equals(spec.schema)
    assert len(set(large.slides["slide"].to_pylist())) == len(large.slides)
    assert set(large.slides["case"].to_pylist()) == set(large.cases["case"].to_pylist())


def test_the_seed_decides_and_nothing_else():
    design = CohortDesign(cases=20, aliases=3, ihc=0.2, artifacts={"pen": 0.3})
    first, again, other = (design_cohort(design, seed) for seed in (4, 4, 5))
    assert first.slides.equals(again.slides)
    assert first.cases.equals(again.cases)
    assert first.levels.equals(again.levels)
    assert not first.slides.equals(other.slides)


def test_more_confounding_leaves_patients_and_effects_alone():
    free, bound = (design_cohort(CohortDesign(cases=50, confounding=c), 2) for c in (0.0, 1.0))
    names = ["case", "diagnosis", "age", "sex", "body_site"]
    assert free.cases.select(names).equals(bound.cases.select(names))
    assert free.levels.equals(bound.levels)
    assert free.slides["seed"].equals(bound.slides["seed"])
    assert not free.cases["site"].equals(bound.cases["site"])


def test_slides_per_case_are_as_weighted(large):
    per_case = Counter(Counter(large.slides["case"].to_pylist()).values())
    assert set(per_case) == {1, 2, 3}
    for count, chance in zip((1, 2, 3), LARGE.slides_per_case, strict=True):
        assert abs(_z(per_case[count], LARGE.cases, chance)) < _bound(3)


def test_blocks_are_new_as_often_as_planned(large):
    rows = large.slides.to_pylist()
    pairs = [(a, b) for a, b in itertools.pairwise(rows) if a["case"] == b["case"]]
    fresh = sum(b["block"] != a["block"] for a, b in pairs)
    assert abs(_z(fresh, len(pairs), LARGE.new_block)) < _bound(1)
    assert all(ord(b["block"]) - ord(a["block"]) in (0, 1) for a, b in pairs)
    brown = sum(b["stain"] == "DAB" for _, b in pairs)
    assert abs(_z(brown, len(pairs), LARGE.ihc)) < _bound(1)
    marked = sum(b["marker"] == "membrane" for _, b in pairs if b["stain"] == "DAB")
    assert abs(_z(marked, brown, LARGE.membranes)) < _bound(1)
    first = {row["case"]: row for row in reversed(rows)}
    assert all(row["stain"] == "H&E" and row["block"] == "A" for row in first.values())
    low, high = LARGE.positive
    assert all((low <= r["positive"] <= high) == (r["stain"] == "DAB") for r in rows)


def test_every_diagnosis_has_a_profile_of_its_own():
    assert set(DIAGNOSES) <= set(PROFILES)
    assert all(set(p.places) <= set(BODY_SITES) for p in PROFILES.values())


def test_body_sites_follow_the_diagnosis(large):
    rows = large.cases.to_pylist()
    scores = []
    for name in DIAGNOSES:
        own = Counter(r["body_site"] for r in rows if r["diagnosis"] == name)
        for place, chance in zip(BODY_SITES, place_weights(name), strict=True):
            if 0 < chance < 1:
                scores.append(_z(own[place], own.total(), chance))
            else:
                assert own[place] == own.total() * chance
    assert np.abs(scores).max() < _bound(len(scores))


def test_prevalences_ages_and_sexes_follow_the_design(large):
    rows = large.cases.to_pylist()
    scores = []
    for name in DIAGNOSES:
        own, planted = [r for r in rows if r["diagnosis"] == name], profile(name)
        scores.append(_z(len(own), len(rows), 1 / len(DIAGNOSES)))
        ages = np.array([r["age"] for r in own])
        # Cut off at 18 and 95 years: that takes less than half a year off the widest.
        off = max(0.0, abs(ages.mean() - planted.age) - 0.5)
        scores.append(off / (planted.spread / math.sqrt(len(own))))
        for place in set(planted.places):
            at = [r["sex"] == "F" for r in own if r["body_site"] == place]
            chance = FEMALE.get(place, planted.female)
            if 0 < chance < 1 and len(at) * min(chance, 1 - chance) > 10:
                scores.append(_z(sum(at), len(at), chance))
    assert np.abs(scores).max() < _bound(len(scores))
    assert not any(r["sex"] == "F" for r in rows if r["body_site"] == "prostate")


def test_levels_and_slides_vary_as_planted():
    """Mean squares over many cohorts against the planted variances, and nothing is correlated."""
    site, scanner = Spread(2.0, 0.2, 0.1), Spread(0, 0, 0, 0.3, 0.2, 0.02, 0.004)
    slide = Spread(1.0, 0.1, 0.15, 0.1, 0.05, 0.01, 0.001)
    design = CohortDesign(
        cases=40, site_spread=site, scanner_spread=scanner, slide_spread=slide, usual_scanner=0
    )
    squares: dict[str, list[np.ndarray]] = {"site": [], "scanner": [], "slide": []}
    for seed in range(150):
        cohort = design_cohort(design, seed)
        levels = _effects(cohort.levels)
        factor, name = (np.array(cohort.levels[c].to_pylist()) for c in ("factor", "level"))
        own = _effects(cohort.slides)
        for kind in ("site", "scanner"):
            place = {n: i for i, n in enumerate(name) if factor[i] == kind}
            own = own - levels[[place[n] for n in cohort.slides[kind].to_pylist()]]
            squares[kind].append(levels[factor == kind] ** 2)
        squares["slide"].append(own**2)
    planted = {"site": site, "scanner": scanner, "slide": slide}
    for kind, spread in planted.items():
        found = np.concatenate(squares[kind])
        variance = spread.deviations() ** 2
        there = variance > 0
        assert np.abs(found[:, ~there]).max(initial=0) < 1e-20
        # The mean square of n normal numbers has a standard error of variance × √(2 / n).
        z = (found.mean(axis=0)[there] / variance[there] - 1) / math.sqrt(2 / len(found))
        assert np.abs(z).max() < _bound(30)


def test_variance_components_come_back_from_the_slides_alone():
    """One-way analysis of variance on thickness by site, unbiased over cohorts."""
    design = CohortDesign(
        cases=80,
        slides_per_case=(1,),
        site_spread=Spread(thickness=0.2),
        slide_spread=Spread(thickness=0.3),
        scanner_spread=Spread(),
    )
    between, within = [], []
    for seed in range(300):
        slides = design_cohort(design, seed).slides
        site, value = np.array(slides["site"].to_pylist()), slides["thickness"].to_numpy()
        groups = [value[site == s] for s in np.unique(site)]
        sizes = np.array([len(g) for g in groups])
        inner = sum(((g - g.mean()) ** 2).sum() for g in groups) / (len(value) - len(groups))
        outer = sum(len(g) * (g.mean() - value.mean()) ** 2 for g in groups) / (len(groups) - 1)
        typical = (len(value) - (sizes**2).sum() / len(value)) / (len(groups) - 1)
        within.append(inner)
        between.append((outer - inner) / typical)
    for found, planted in ((between, 0.2**2), (within, 0.3**2)):
        error = np.std(found) / math.sqrt(len(found))
        assert abs(np.mean(found) - planted) < _bound(2) * error


@given(
    st.lists(st.floats(0.05, 1.0), min_size=2, max_size=8),
    st.integers(2, 8),
    st.floats(0, 1),
)
def test_confounding_is_cramers_v_of_the_population(weights, levels, confounding):
    prevalence = np.array(weights) / sum(weights)
    shares = factor_shares(prevalence, levels, confounding)
    assert shares.sum(axis=1) == pytest.approx(1)
    joint = prevalence[:, None] * shares
    marginal = joint.sum(axis=0)
    assert marginal == pytest.approx(prevalence @ factor_shares(prevalence, levels, 0.0))
    expected = prevalence[:, None] * marginal
    there = expected > 0
    chi_squared = ((joint - expected)[there] ** 2 / expected[there]).sum()
    used = min(len(prevalence), int((marginal > 0).sum())) - 1
    assert math.sqrt(chi_squared / used) == pytest.approx(confounding, abs=1e-6)


@pytest.mark.parametrize("factor", ["site", "scanner"])
@pytest.mark.parametrize("planted", [0.0, 0.3, 0.7, 1.0])
def test_confounding_is_found_in_the_tables(factor, planted):
    design = CohortDesign(
        cases=4000,
        slides_per_case=(1,),
        confounded=factor,
        confounding=planted,
        prevalence={"normal": 2, "adenoma": 1, "lymphoma": 1},
    )
    cohort = design_cohort(design, 6)
    diagnosis = cohort.cases["diagnosis"].to_pylist()
    # V of independent data is about √(df / n / 2) = 0.03 here: never below 0.
    found = _cramers_v(diagnosis, cohort.slides[factor].to_pylist())
    assert found == pytest.approx(planted, abs=0.05)
    other = "scanner" if factor == "site" else "site"
    if factor == "scanner":
        assert _cramers_v(diagnosis, cohort.slides[other].to_pylist()) < 0.05


def test_sites_use_their_usual_scanner(large):
    usual = dict(zip(LARGE.sites, LARGE.scanners, strict=False))
    assert {name: SITES[name].scanner for name in ("north", "south")} == {
        "north": "aria",
        "south": "boreal",
    }
    rows = large.slides.to_pylist()
    hits = sum(usual[row["site"]] == row["scanner"] for row in rows)
    chance = LARGE.usual_scanner + (1 - LARGE.usual_scanner) / len(LARGE.scanners)
    assert abs(_z(hits, len(rows), chance)) < _bound(1)


def test_scanners_span_the_scales_of_the_market():
    scales = [scanner.mpp for scanner in SCANNERS.values()]
    assert min(scales) == 0.22
    assert max(scales) == 0.505
    assert len(SITES) == 4


def test_a_case_under_two_names_is_the_same_glass_scanned_again():
    cohort = design_cohort(CohortDesign(cases=30, aliases=5, ihc=0.5), 9)
    cases = {row["case"]: row for row in cohort.cases.to_pylist()}
    twice = {name: row for name, row in cases.items() if row["alias_of"] is not None}
    assert len(cases) == 35
    assert len(twice) == 5
    assert len({row["alias_of"] for row in twice.values()}) == 5
    rows = cohort.slides.to_pylist()
    slides = {row["slide"]: row for row in rows}
    for name, row in twice.items():
        person = ("diagnosis", "age", "sex", "body_site", "site")
        assert [row[c] for c in person] == [cases[row["alias_of"]][c] for c in person]
        own = [s for s in rows if s["case"] == name]
        assert len(own) == sum(s["case"] == row["alias_of"] for s in rows)
        for scan in own:
            glass = slides[scan["rescan_of"]]
            assert glass["case"] == row["alias_of"]
            same = ("seed", "block", "stain", "positive", "tissue", *NAMES[:GLASS])
            assert [scan[c] for c in same] == [glass[c] for c in same]
            assert scan["blur"] != glass["blur"]
    assert all(r["rescan_of"] is None for r in rows if r["case"] not in twice)
    seeds = [r["seed"] for r in rows if r["case"] not in twice]
    assert len(set(seeds)) == len(seeds)


def test_artifacts_come_as_often_as_planned():
    design = CohortDesign(cases=3000, slides_per_case=(1,), artifacts={"pen": 0.2, "fold": 0.05})
    found = Counter(k for a in design_cohort(design, 1).slides["artifacts"].to_pylist() for k in a)
    assert abs(_z(found["pen"], 3000, 0.2)) < _bound(2)
    assert abs(_z(found["fold"], 3000, 0.05)) < _bound(2)


def test_plans_carry_what_was_drawn():
    design = CohortDesign(cases=6, ihc=0.5, slides_per_case=(0, 1), sites=("a", "b"), aliases=1)
    cohort = design_cohort(design, 2)
    plans = cohort.plans(600.0)
    for plan, row in zip(plans, cohort.slides.to_pylist(), strict=True):
        assert (plan.name, plan.case.name, plan.stain) == (row["slide"], row["case"], row["stain"])
        assert dataclasses.astuple(plan.effects) == tuple(row[name] for name in NAMES)
        assert plan.mpp == pytest.approx(SCANNERS[plan.scanner].mpp * math.exp(row["scale"]))
        assert plan.width == round(600.0 / plan.mpp)
    again = plans[-1]
    before = next(p for p in plans if p.seed == again.seed)
    assert before.name != again.name
    assert np.array_equal(make_scene(before).nuclei.x, make_scene(again).nuclei.x)
    assert plan_cohort(1)[0].effects is None


@pytest.mark.parametrize(
    "bad",
    [
        {"cases": 0},
        {"aliases": 61},
        {"slides_per_case": ()},
        {"slides_per_case": (0.0,)},
        {"slides_per_case": (1.0,) * 27},
        {"prevalence": {"flu": 1.0}},
        {"prevalence": {"normal": -1.0}},
        {"sites": ()},
        {"scanners": ("aria", "aria")},
        {"scanners": ("xray",)},
        {"confounding": 1.1},
        {"confounded": "age"},
        {"ihc": math.nan},
        {"positive": (0.5, 0.2)},
        {"artifacts": {"pen": 2}},
        {"unevenness": -1.0},
    ],
)
def test_impossible_designs_are_refused(bad):
    with pytest.raises(ValueError, match=r"Got|unknown"):
        CohortDesign(**bad)


def test_slides_too_small_to_draw_are_refused():
    with pytest.raises(ValueError, match=r"Got 100\.0"):
        design_cohort(CohortDesign(cases=1)).plans(100.0)
