"""How findings are printed where there are many."""

from __future__ import annotations

from curatome.cli import checked
from curatome.cli.checked import SLIDES, print_checked
from curatome.cli.console import console
from curatome.findings import Finding, Severity
from curatome.workflows.check import Checked, Image


def told(slides, of_each, shown):
    """What is printed of so many slides with so many findings of two rules each."""
    images = {f"s{k:03}": Image(f"s{k:03}", f"S{k:03}.svs", "") for k in range(slides)}
    findings = tuple(
        Finding(code, severity, f"slide {name}", f"{code} {n} of {name}", "")
        for name in images
        for code, severity in (("SYN021", Severity.WARNING), ("SYN009", Severity.NOTE))
        for n in range(of_each)
    )
    with console.capture() as captured:
        print_checked(Checked(findings, images=images, rules=("SYN009", "SYN021")), shown)
    return captured.get().splitlines()


def test_few_are_all_listed() -> None:
    lines = told(3, 2, 5)
    assert sum(" of s" in line for line in lines) == 12
    assert not any("more" in line for line in lines)


def test_of_many_slides_some_are_listed_and_all_are_counted() -> None:
    lines = told(SLIDES + 3, 6, 5)
    assert sum(line.startswith("S0") for line in lines) == SLIDES
    hidden = SLIDES * 2 + 3 * 12
    assert f"{hidden} more and 3 more slides are not listed" in " ".join(lines)
    counted = [line.split() for line in lines if line.strip().startswith(str((SLIDES + 3) * 6))]
    assert [row[1:3] for row in counted] == [["warning", "SYN021"], ["note", "SYN009"]]
    assert all(row[-2:] == [str(SLIDES + 3), "slides"] for row in counted)


def test_all_lists_all(monkeypatch) -> None:
    monkeypatch.setattr(checked, "SLIDES", 2)
    lines = told(5, 3, 10**9)
    assert sum(" of s" in line for line in lines) == 30
