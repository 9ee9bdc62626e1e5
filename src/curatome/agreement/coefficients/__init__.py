"""Coefficients of agreement: one module each.

    percent_agreement() ──┐
    cohen_kappa(weights) ─┤                       ┌─ .value(ratings)
    fleiss_kappa(weights) ┤                       ├─ .measure(ratings, subject)
    gwet_ac(weights) ─────┼─ a Coefficient, with ─┤
    krippendorff_alpha() ─┤                       └─ by_class, by_domain, by_pair, by_reader
    positive_agreement() ─┤
    negative_agreement() ─┘
    icc, bland_altman: of numbers that readers measured

An interval comes from drawing cases (see `intervals`). A coefficient that is not defined is NaN,
and the measure's `method` says why.
"""

from curatome.agreement.coefficients.base import Coefficient
from curatome.agreement.coefficients.bland_altman import limits, limits_measures
from curatome.agreement.coefficients.cohen import cohen_kappa
from curatome.agreement.coefficients.fleiss import fleiss_kappa
from curatome.agreement.coefficients.gwet import gwet_ac
from curatome.agreement.coefficients.icc import icc, icc_measure
from curatome.agreement.coefficients.krippendorff import krippendorff_alpha
from curatome.agreement.coefficients.numbers import label_values, reads
from curatome.agreement.coefficients.percent import percent_agreement
from curatome.agreement.coefficients.specific import negative_agreement, positive_agreement
from curatome.agreement.coefficients.subjects import (
    by_class,
    by_domain,
    by_label,
    by_pair,
    by_reader,
    of_pairs,
    of_reader,
)

__all__ = [
    "Coefficient",
    "by_class",
    "by_domain",
    "by_label",
    "by_pair",
    "by_reader",
    "cohen_kappa",
    "fleiss_kappa",
    "gwet_ac",
    "icc",
    "icc_measure",
    "krippendorff_alpha",
    "label_values",
    "limits",
    "limits_measures",
    "negative_agreement",
    "of_pairs",
    "of_reader",
    "percent_agreement",
    "positive_agreement",
    "reads",
]
