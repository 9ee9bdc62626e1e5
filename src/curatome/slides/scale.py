"""Which µm per pixel holds for a slide, and whether it can be believed."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping

from curatome.findings import Finding, Severity
from curatome.units import Mpp

LOWEST_MPP, HIGHEST_MPP = 0.05, 20.0
"""µm/px at level 0 between which a microscope's scale lies."""

_ANISOTROPY = 0.01
_DISAGREEMENT = 0.01
_OBJECTIVE_FACTOR = 1.6
_DPI = (72, 96, 100, 150, 200, 300, 600)


def resolve_mpp(
    recorded: tuple[float, float] | None,
    table: Mpp | None,
    user: Mpp | None,
    *,
    subject: str,
    name: str,
    objective_power: float | None = None,
) -> tuple[Mpp | None, list[Finding]]:
    """The scale of a slide: the user's, else the table's, else the file's.

    Args:
        recorded: µm per pixel (x, y) as the file records it, judged here for the first time.
        table: from the table of slides.
        user: set by a person.
        subject: what the findings are about, `slide 3f2a…`.
        name: the slide's name for messages and remedies.
        objective_power: nominal magnification as recorded.

    Returns:
        The scale, or None if the slide must be held back; and the findings, of which those with
        severity error hold it back. A person's word is taken, with a note if it is unusual, as
        long as it is a positive number.
    """
    about = _About(subject, name)
    chosen = user or table
    if chosen is None:
        if recorded is None:
            return None, [about.missing("its file records no µm per pixel")]
        if not all(_positive(value) for value in recorded):
            text = " × ".join(f"{value:g}" for value in recorded)
            return None, [about.missing(f"its file records {text} µm/px, which is no scale")]
        chosen = Mpp(*recorded)
    problems = [*about.absurd(chosen), *about.anisotropic(chosen)]
    if any(finding.severity is Severity.ERROR for finding in problems):
        return None, problems
    if chosen is table and recorded is not None:
        problems += about.disagreement(chosen, recorded)
    if objective_power is not None and _positive(objective_power):
        problems += about.objective(chosen, objective_power)
    return chosen, problems


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _plausible(x: float, y: float) -> bool:
    return all(_positive(v) and LOWEST_MPP <= v <= HIGHEST_MPP for v in (x, y))


def _dots_per_inch(x: float, y: float) -> int | None:
    """The screen or print resolution that a scale is, if it is one."""
    for dpi in _DPI:
        if all(abs(value * dpi / 25400 - 1) < 0.005 for value in (x, y)):
            return dpi
    return None


class _About:
    """Writes the findings on one slide's scale."""

    def __init__(self, subject: str, name: str) -> None:
        self._subject = subject
        self._name = name

    def missing(self, why: str) -> Finding:
        return Finding(
            "ACQ002",
            Severity.ERROR,
            self._subject,
            f"{self._name} has no µm per pixel: {why}, and neither the table of slides nor a "
            "person gives one. The slide is held back.",
            f"{_capital(self._set())}, or fill in the column mpp of the table of slides.",
        )

    def absurd(self, mpp: Mpp) -> list[Finding]:
        if _plausible(mpp.x, mpp.y):
            return []
        usable = _positive(mpp.x) and _positive(mpp.y)
        dpi = _dots_per_inch(mpp.x, mpp.y) if usable else None
        why = f"; this is {dpi} dpi, a default that image programs write" if dpi else ""
        message = (
            f"{self._name} is said to have {mpp}, outside of {LOWEST_MPP} to {HIGHEST_MPP:g} "
            f"µm/px at level 0{why}."
        )
        evidence = {"mpp": _numbers(mpp), "source": mpp.source, "dpi": dpi}
        return [self._judge("ACQ003", mpp, message, evidence, usable)]

    def anisotropic(self, mpp: Mpp) -> list[Finding]:
        if not (_positive(mpp.x) and _positive(mpp.y)) or mpp.anisotropy <= _ANISOTROPY:
            return []
        message = (
            f"{self._name} has {mpp}: its axes differ by {100 * mpp.anisotropy:.1f} %, "
            "although a scanner's pixels are square."
        )
        evidence = {"mpp": _numbers(mpp), "source": mpp.source, "anisotropy": mpp.anisotropy}
        return [self._judge("ACQ004", mpp, message, evidence, usable=True)]

    def disagreement(self, mpp: Mpp, recorded: tuple[float, float]) -> list[Finding]:
        if not _plausible(*recorded):
            return []
        pairs = zip((mpp.x, mpp.y), recorded, strict=True)
        apart = max(max(a, b) / min(a, b) - 1 for a, b in pairs)
        if apart <= _DISAGREEMENT:
            return []
        return [
            Finding(
                "ACQ010",
                Severity.WARNING,
                self._subject,
                f"{self._name}: the table of slides says {mpp}, the file {Mpp(*recorded)}, "
                f"{100 * apart:.1f} % apart. The table's is used.",
                f"Check which is right; then empty or correct the table's cell, or {self._set()}.",
                evidence={"table": _numbers(mpp), "file": list(recorded)},
            )
        ]

    def objective(self, mpp: Mpp, power: float) -> list[Finding]:
        mean = math.sqrt(mpp.x * mpp.y)
        factor = max(mean * power / 10, 10 / (mean * power))
        if factor <= _OBJECTIVE_FACTOR:
            return []
        return [
            Finding(
                "ACQ011",
                Severity.WARNING,
                self._subject,
                f"{self._name} was scanned at {power:g}x, which usually is {10 / power:.3g} "
                f"µm/px, but has {mpp}: a factor of {factor:.1f}.",
                f"Measure something of known size on it; if the scale is wrong, {self._set()}.",
                evidence={"mpp": _numbers(mpp), "objective_power": power, "factor": factor},
            )
        ]

    def _judge(
        self, code: str, mpp: Mpp, message: str, evidence: Mapping[str, object], usable: bool
    ) -> Finding:
        """An error that holds the slide back, or a note if a person said so."""
        if mpp.source == "user" and usable:
            note = f"{message} It is used because a person set it."
            remedy = f"If this is a slip of the pen, {self._set()}."
            return Finding(
                "ACQ012", Severity.NOTE, self._subject, note, remedy, None, evidence, code
            )
        held = f"{message} The slide is held back."
        return Finding(
            code, Severity.ERROR, self._subject, held, f"{_capital(self._set())}.", None, evidence
        )

    def _set(self) -> str:
        return f"set the true value with `curatome slides set-mpp {shlex.quote(self._name)} 0.25`"


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _numbers(mpp: Mpp) -> list[float | None]:
    """The two values as JSON can hold them."""
    return [value if math.isfinite(value) else None for value in (mpp.x, mpp.y)]
