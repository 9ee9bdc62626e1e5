"""`curatome check`: rules over a project, its images one by one, then the whole dataset."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from curatome.annotations.check import CODES as SHAPES
from curatome.errors import ProtocolError
from curatome.findings import Finding
from curatome.project import Project
from curatome.project.kept import finding_of, plain_finding
from curatome.rules.checking import REASONLESS, UNUSED
from curatome.rules.engine import annotation_of, image_of
from curatome.rules.registry import all_rules, chosen, is_known, unknown, wanted
from curatome.rules.rule import Needs
from curatome.rules.suppressions import Accepted, Sifted, of_annotations, of_protocol, sift
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.check_cache import Cache
from curatome.workflows.check_parts import Parts
from curatome.workflows.check_run import Run
from curatome.workflows.watch import Silent, Watcher

_ORIGIN = "check:"
_NOT_TO_BE_READ = ("ACQ001", "ACQ009")
"""What says that a slide cannot be read."""
KEPT = 1_000
"""Findings of one rule that are kept in the project's store; the others are counted."""


@dataclass(frozen=True)
class Wishes:
    """What is checked, and how.

    Attributes:
        select: families and rules; those of curatome.toml if empty, and all if that is empty too.
        ignore: families and rules that are left out, beside those of curatome.toml.
        near: look for near-duplicates among the items, which takes its time at first.
        workers: how many slides are read at the same time; all cores if None.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    near: bool = False
    workers: int | None = None


@dataclass(frozen=True)
class Image:
    """What an image is called.

    Attributes:
        image: its id.
        name: its file name.
        path: where it was last seen, relative to the project if it lies inside.
        case: the case it belongs to.
    """

    image: str
    name: str
    path: str
    case: str | None = None


@dataclass(frozen=True, eq=False)
class Checked:
    """What a check found.

    Attributes:
        findings: by image, then those about the dataset; the worst of each first.
        more: how many others there are, by code, of rules that found very many.
        accepted: findings that a suppression accepts, each with it.
        images: all images by id.
        rules: codes of the rules that have looked.
        skipped: codes of the rules that had nothing to look at, by what is not there.
        reused: how many results of earlier checks still hold.
        looked: how many are new.
        seconds: how long it took.
    """

    findings: tuple[Finding, ...]
    more: Mapping[str, int] = field(default_factory=dict)
    accepted: tuple[tuple[Finding, Accepted], ...] = ()
    images: Mapping[str, Image] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    skipped: Mapping[Needs, tuple[str, ...]] = field(default_factory=dict)
    reused: int = 0
    looked: int = 0
    seconds: float = 0.0

    @property
    def groups(self) -> list[tuple[Image | None, list[Finding]]]:
        """Findings by image; None for those about the dataset."""
        groups: dict[str | None, list[Finding]] = {}
        for finding in self.findings:
            image = image_of(finding)
            groups.setdefault(image if image in self.images else None, []).append(finding)
        return [(self.images[name] if name else None, some) for name, some in groups.items()]

    @property
    def fixable(self) -> tuple[Finding, ...]:
        """Those that `--fix` can mend."""
        codes = {rule.code for rule in all_rules() if rule.fixable}
        return tuple(one for one in self.findings if one.code in codes and annotation_of(one))


def check_project(
    project: Project, wishes: Wishes | None = None, watcher: Watcher | None = None
) -> Checked:
    """Run rules over a project and keep what they find in its store.

    Only what has changed since the last check is looked at again; a check that was killed goes
    on where it was.

    Args:
        project: the project.
        wishes: what is checked.
        watcher: is told the course.

    Raises:
        ProtocolError: `select` or `ignore` hold what is no rule and no family.
        ProjectError: the store cannot be used, or another process is changing the project.
    """
    wishes, watcher, start = wishes or Wishes(), watcher or Silent(), time.monotonic()
    for word in (*wishes.select, *wishes.ignore):
        if not is_known(word):
            raise ProtocolError(unknown(word))
    check = project.protocol.check
    words = (wishes.select or check.select, (*wishes.ignore, *check.ignore))
    with (
        project.locked(),
        Cache(project.root / ".curatome" / "check.sqlite") as cache,
        annotation_store(project) as store,
    ):
        parts = Parts(project, store, cache, near=wishes.near, watcher=watcher)
        run = Run(project, parts, cache, chosen(*words), watcher)
        run.images(wishes.workers or os.cpu_count() or 1)
        run.dataset(wishes.workers or 1)
        run.forget_gone()
        standing = _standing(project, words)
        told = {image_of(one) or "" for one in standing if one.code in _NOT_TO_BE_READ}
        sifted = _sifted(project, parts, cache, run, [*run.unseen(told), *standing])
        _save(project, sifted.findings, run.codes)
    images = {
        name: Image(name, entry.name, entry.path, entry.case)
        for name, entry in parts.entries.items()
    } | {
        name: Image(name, name, name) for name in parts.images if name and name not in parts.entries
    }
    return Checked(
        _ordered(sifted.findings, images),
        {code: number for code, number in run.more.items() if number},
        sifted.accepted,
        images,
        tuple(run.codes),
        run.skipped,
        run.reused,
        run.looked,
        time.monotonic() - start,
    )


def _standing(project: Project, words: tuple[Collection[str], Collection[str]]) -> list[Finding]:
    """What other commands have found and still stands, as far as it is asked for."""
    found: dict[str, Finding] = {}
    for origin in project.store.origins():
        if not origin.startswith((_ORIGIN, "annotations")):
            found.update((one.fingerprint, one) for one in project.store.findings(origin))
    return [one for one in found.values() if wanted(one.code, *words)]


def _sifted(
    project: Project, parts: Parts, cache: Cache, run: Run, standing: Iterable[Finding]
) -> Sifted:
    """What is left when what is accepted, in curatome.toml or on annotations, is taken out."""
    on_annotations, reasonless = _on_annotations(parts, cache)
    found = [*run.findings, *standing]
    if REASONLESS.code in run.codes:
        found += reasonless
    images = parts.entries

    def names(image: str) -> tuple[str, ...]:
        name = images[image].name if image in images else image
        return image, name, name.rpartition(".")[0]

    sifted = sift(found, [*of_protocol(project.protocol), *on_annotations], run.judged, names)
    if UNUSED.code in run.codes:
        return sifted
    return replace(sifted, findings=tuple(f for f in sifted.findings if f.code != UNUSED.code))


def _on_annotations(parts: Parts, cache: Cache) -> tuple[list[Accepted], list[Finding]]:
    """Suppressions on annotations, read again only of images whose annotations have changed."""
    before = cache.fact("suppressions of images") or {}
    due = [one for one, token in parts.tokens.items() if before.get(one, {}).get("key") != token]
    if due:
        parts.read_all_at_once(len(due))
    held = {image: before[image] for image in parts.tokens.keys() - due}
    for image in due:
        accepted, reasonless = of_annotations(parts.annotations_of(image))
        held[image] = {
            "key": parts.tokens[image],
            "accepted": [vars(one) for one in accepted],
            "reasonless": [plain_finding(one) for one in reasonless],
        }
    if held != before:
        cache.keep_fact("suppressions of images", held)
    some = [held[image] for image in parts.tokens]
    return (
        [Accepted(**one) for own in some for one in own["accepted"]],
        [finding_of(one) for own in some for one in own["reasonless"]],
    )


def _save(project: Project, findings: Iterable[Finding], codes: Collection[str]) -> None:
    """Keep what was found instead of what the same rules found before, the worst first."""
    found: dict[str, list[Finding]] = {code: [] for code in codes}
    for one in findings:
        if one.code in found and len(found[one.code]) < KEPT:
            found[one.code].append(one)
    for code, some in found.items():
        before = {one.fingerprint: one for one in project.store.findings(_ORIGIN + code)}
        if before != {one.fingerprint: one for one in some}:
            project.store.save_findings(_ORIGIN + code, some)
    if set(SHAPES) <= set(codes):
        # The same shapes, as `import` and `annotations check` have seen them before.
        for origin in project.store.origins("annotations"):
            project.store.save_findings(origin, ())


def _ordered(findings: Iterable[Finding], images: Mapping[str, Image]) -> tuple[Finding, ...]:
    """By image, then those about the dataset; of each the worst first, then by code and place."""
    order = {name: number for number, name in enumerate(images)}

    def key(finding: Finding) -> tuple[object, ...]:
        place = finding.place
        at = (0.0, 0.0) if place is None else (place.y, place.x)
        image = order.get(image_of(finding) or "", len(order))
        return image, -finding.severity, finding.code, at, finding.subject, finding.key

    return tuple(sorted(findings, key=key))
