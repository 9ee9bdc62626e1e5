"""Findings as the command line prints them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.markup import escape

from curatome.cli.console import console, count, duration
from curatome.findings import Finding, Severity

if TYPE_CHECKING:
    from curatome.workflows.check import Checked
    from curatome.workflows.check_fix import Fixed

SLIDES = 30
"""Slides whose findings are listed; the others are counted."""
COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}


def print_checked(found: Checked, shown: int) -> None:
    """Findings by slide, and a summary.

    Args:
        found: of a check.
        shown: how many of one code on one slide are listed; the others are counted, and so are
            those of all slides but `SLIDES` unless every finding is to be listed.
    """
    hidden, slides = 0, 0
    for image, findings in found.groups:
        slides += image is not None
        if image is not None and slides > SLIDES and shown < len(found.findings):
            hidden += len(findings)
            continue
        case = f"  [dim]case {escape(image.case)}[/]" if image and image.case else ""
        title = escape(image.name) if image else "The dataset"
        console.print(f"[bold underline]{title}[/]{case}")
        hidden += _print_group(findings, image.image if image else "", shown)
        console.print()
    if hidden:
        more = f" and {count(slides - SLIDES, 'more slide')}" if slides > SLIDES else ""
        console.print(f"[dim]{hidden:,} more{more} are not listed; `curatome check --all` does.[/]")
        _print_statistics(found)
    _print_summary(found)


def _print_statistics(found: Checked) -> None:
    """How often each rule found something."""
    from curatome.rules.engine import image_of
    from curatome.rules.registry import all_rules

    names = {rule.code: rule.name.replace("-", " ") for rule in all_rules()}
    by_code: dict[str, list[Finding]] = {}
    for finding in found.findings:
        by_code.setdefault(finding.code, []).append(finding)
    console.print()
    for code, some in sorted(by_code.items(), key=lambda one: -len(one[1])):
        worst = max(one.severity for one in some)
        slides = len({image_of(one) for one in some} & set(found.images))
        where = f"  [dim]{count(slides, 'slide')}[/]" if slides else ""
        console.print(
            f"{len(some):>9,}  [{COLORS[worst]}]{worst!s:<7}[/] [bold]{code}[/] "
            f"{names.get(code, ''):<30}{where}".rstrip()
        )
    console.print()


def _print_group(findings: list[Finding], image: str, shown: int) -> int:
    """Findings of one image by code; how many were not listed."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    for code, group in by_code.items():
        listed = group[:shown]
        for finding, following in zip(listed, [*listed[1:], None], strict=True):
            color = COLORS[finding.severity]
            console.print(
                f"  [{color}]{finding.severity!s:<7}[/] [bold]{code}[/] "
                f"{escape(_where(finding, image))}{escape(finding.message)}",
                soft_wrap=True,
            )
            last = following is None or following.remedy != finding.remedy
            if finding.remedy and finding.remedy not in finding.message and last:
                console.print(f"          [dim]→ {escape(finding.remedy)}[/]", soft_wrap=True)
        if len(group) > shown:
            console.print(f"          [dim]… and {len(group) - shown:,} more of {code}[/]")
    return sum(max(len(group) - shown, 0) for group in by_code.values())


def _where(finding: Finding, image: str) -> str:
    """What a finding is about, and where it lies, as far as its heading does not say so."""
    place = finding.place
    at = "" if place is None else f"({place.x:,.0f}, {place.y:,.0f})"
    about = finding.subject
    if about in (f"slide {image}", f"image {image}") or not image:
        about = ""
    if about and re.search(rf"\b{re.escape(about.rpartition(' ')[2])}\b", finding.message):
        about = ""
    told = " at ".join(part for part in (about, at) if part)
    return f"{told}: " if told else ""


def _print_summary(found: Checked) -> None:
    from curatome.rules.engine import NEEDED

    for part, codes in found.skipped.items():
        told = f"Not looked for, without {NEEDED[part]}: {_ranges(codes)}"
        console.print(f"[dim]{told}[/]", soft_wrap=True)
    for code, number in found.more.items():
        console.print(f"[dim]{code} found {number:,} more, which are not kept.[/]")
    numbers = Counter(one.severity for one in found.findings)
    total = len(found.findings)
    accepted = f"; {count(len(found.accepted), 'finding')} accepted" if found.accepted else ""
    known = f", {found.reused:,} of {found.reused + found.looked:,} results from earlier checks"
    took = (
        f"{count(len(found.rules), 'rule')} on {count(len(found.images), 'slide')} in "
        f"{duration(found.seconds)}{known if found.reused else ''}{accepted}"
    )
    if not total:
        console.print(f"[green]Nothing found.[/] [dim]{took}[/]", soft_wrap=True)
        return
    listed = ", ".join(count(numbers[s], str(s)) for s in sorted(numbers, reverse=True))
    slides = len({image.image for image, _ in found.groups if image})
    where = f" in {count(slides, 'slide')}" if slides else ""
    fixable = len(found.fixable)
    can = f"; {fixable:,} can be fixed with --fix" if fixable else ""
    console.print(f"[bold]{count(total, 'finding')}[/]: {listed}{where}{can}.", soft_wrap=True)
    console.print(f"[dim]{took}. What a code means: curatome explain CODE[/]", soft_wrap=True)


def _ranges(codes: Sequence[str]) -> str:
    """Codes in short: whole families by their letters, neighbors as `SYN001 to SYN014`."""
    from curatome.rules.registry import family_rules

    out = []
    for family, own in groupby(sorted(codes), key=lambda code: code[:3]):
        some = list(own)
        if len(some) == len(family_rules(family)):
            out.append(family)
            continue
        numbers = [int(code[3:]) - k for k, code in enumerate(some)]
        for _, run in groupby(zip(numbers, some, strict=True), key=lambda one: one[0]):
            names = [code for _, code in run]
            ends = names if len(names) < 3 else [f"{names[0]} to {names[-1]}"]
            out += ends
    return ", ".join(out)


def print_fixed(fixed: Fixed) -> None:
    """What was mended, and how to take it back."""
    if fixed.batch is None:
        console.print("Nothing could be mended without a person.")
        return
    done = ", ".join(f"{what.rstrip('.').lower()} ({number:,})" for what, number in fixed.done)
    console.print(
        f"[green]{count(fixed.annotations, 'annotation')} mended[/]: {done}. Take it back: "
        f"[bold]curatome annotations undo {fixed.batch}[/]",
        soft_wrap=True,
    )
