"""Who has which disease: body site, sex and age by diagnosis.

Rough figures of the usual epidemiology, so that tables look and correlate as in a hospital; they
are planted numbers, not estimates to be cited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

BODY_SITES = (
    "breast",
    "colon",
    "stomach",
    "skin",
    "lung",
    "prostate",
    "lymph node",
    "soft tissue",
)
FEMALE = {"breast": 0.99, "prostate": 0.0}
"""Share of women by body site where it is not the diagnosis's own."""
YOUNGEST, OLDEST = 18, 95


@dataclass(frozen=True)
class Profile:
    """Who has a disease.

    Attributes:
        places: weight of each body site.
        age: mean age, years.
        spread: standard deviation of age, years.
        female: share of women where the body site does not decide.
    """

    places: dict[str, float]
    age: float
    spread: float
    female: float = 0.5


_ANY = Profile({"breast": 3, "colon": 3, "stomach": 1, "skin": 1, "lung": 1}, 58.0, 14.0)
PROFILES: dict[str, Profile] = {
    "benign": Profile({"breast": 4, "colon": 3, "stomach": 2, "skin": 2}, 51.0, 15.0),
    "normal": Profile({"breast": 2, "colon": 4, "stomach": 2, "skin": 2}, 50.0, 16.0),
    "chronic inflammation": Profile({"colon": 4, "stomach": 4, "skin": 1}, 47.0, 16.0, 0.54),
    "adenoma": Profile({"colon": 8, "stomach": 1}, 63.0, 10.0, 0.42),
    "carcinoma in situ": Profile({"breast": 8, "colon": 1, "stomach": 1}, 58.0, 11.0, 0.6),
    "invasive carcinoma": Profile(
        {"breast": 5, "colon": 3, "stomach": 1, "lung": 2, "prostate": 1}, 64.0, 11.0, 0.46
    ),
    "invasive carcinoma with necrosis": Profile(
        {"breast": 2, "colon": 3, "lung": 3}, 66.0, 10.0, 0.42
    ),
    "mucinous carcinoma": Profile({"colon": 5, "breast": 3, "stomach": 1}, 68.0, 11.0, 0.48),
    "spindle cell sarcoma": Profile({"soft tissue": 7, "skin": 2}, 56.0, 16.0, 0.45),
    "lymphoma": Profile({"lymph node": 7, "stomach": 2, "skin": 1}, 62.0, 15.0, 0.44),
}


def profile(diagnosis: str) -> Profile:
    """A diagnosis's profile; one that is not listed has a mixed one."""
    return PROFILES.get(diagnosis, _ANY)


def place_weights(diagnosis: str) -> Floats:
    """Probability (8,) of each of `BODY_SITES`."""
    weights = np.array([profile(diagnosis).places.get(name, 0.0) for name in BODY_SITES])
    out: Floats = weights / weights.sum()
    return out


def draw_patients(
    rng: np.random.Generator, names: Sequence[str], diagnosis: Indices
) -> tuple[Indices, NDArray[np.bool_], Indices]:
    """Body site, sex and age of patients.

    Args:
        rng: random numbers.
        names: the diagnoses.
        diagnosis: (N,) index into `names` of each patient.

    Returns:
        (N,) index into `BODY_SITES`; (N,) whether female; (N,) age in whole years.
    """
    profiles = [profile(name) for name in names]
    chances = np.cumsum([place_weights(name) for name in names], axis=1)[diagnosis]
    place = (rng.random(len(diagnosis))[:, None] >= chances[:, :-1]).sum(axis=1)
    own = np.array([p.female for p in profiles])[diagnosis]
    decided = np.array([FEMALE.get(name, np.nan) for name in BODY_SITES])[place]
    female = rng.random(len(diagnosis)) < np.where(np.isnan(decided), own, decided)
    mean, spread = np.array([(p.age, p.spread) for p in profiles]).T
    age = rng.normal(mean[diagnosis], spread[diagnosis])
    return place, female, np.clip(np.rint(age), YOUNGEST, OLDEST).astype(np.int64)
