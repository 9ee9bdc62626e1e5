"""Invented people and hospitals. None exists; a likeness would be chance."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from curatome.phantom.plan import Case

_GIVEN = {
    "F": (
        "María José", "Zoë", "Ayşe", "Thu Hương", "Łucja", "Oluwaseun", "Mei-Ling", "Fatima",
        "Priya", "Siobhán", "Gülşen", "Ingrid", "Natalia", "Yuki", "Amina", "Chloé", "Aroha",
        "Ilse", "Soo-jin", "Leilani",
    ),
    "M": (
        "José", "Søren", "Mehmet", "Văn Đức", "Łukasz", "Chukwuemeka", "Wei", "Omar", "Arjun",
        "Pádraig", "Jürgen", "Dmitri", "Hiroshi", "Kwame", "François", "Tāne", "Björn", "Min-ho",
        "Rafael", "Keanu",
    ),
}  # fmt: skip
_FAMILY = (
    "Núñez Almendra", "Vinterdal", "Karabulutlu", "Nguyễn-Lê", "Brzozowiec", "Adeyinkaro",
    "Zhangwu", "El-Marzouk", "Raghunathi", "O'Dunnaghy", "Müllenhof", "Petrovanski", "Takamorita",
    "Owusu-Brempah", "Lefèvrault", "Ngārimura", "Ångstedt", "Seongwook", "Carvalhais",
    "Kealohapau", "Smithering", "Okonedu", "Haddadian", "Çelikkaya",
)  # fmt: skip
_HOSPITALS = {
    "north": "Nordlund General Hospital",
    "south": "Clínica del Valle Azul",
    "east": "Ostermark Universitätsklinik",
    "west": "Westhaven Cancer Centre",
}
_FIRST_SCAN = date(2021, 1, 4)


@dataclass(frozen=True)
class Patient:
    """An invented patient and their specimen.

    Attributes:
        family: family name.
        given: given names.
        birth: date of birth.
        number: the hospital's number of the patient.
        accession: the laboratory's number of the specimen.
        received: day on which the specimen came.
    """

    family: str
    given: str
    birth: date
    number: str
    accession: str
    received: date


def patient_of(case: Case) -> Patient:
    """The patient behind a case: always the same one, and as old as the case says."""
    rng = np.random.default_rng([zlib.crc32(case.name.encode()), case.age])
    given = _GIVEN[case.sex]
    received = _FIRST_SCAN + timedelta(days=int(rng.integers(0, 1600)))
    birth = received - timedelta(days=round(365.25 * case.age) + int(rng.integers(30, 330)))
    return Patient(
        family=_FAMILY[int(rng.integers(len(_FAMILY)))],
        given=given[int(rng.integers(len(given)))],
        birth=birth,
        number=f"{rng.integers(10**7, 10**8)}",
        accession=f"S{received:%y}-{rng.integers(10_000, 100_000)}",
        received=received,
    )


def hospital_of(site: str) -> str:
    """The hospital behind a site of the phantom."""
    return _HOSPITALS.get(site, f"{site.title()} Hospital")
