"""One run of rules over a project: what is due, what is known, what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from curatome.findings import Finding
from curatome.project import Project
from curatome.rules.engine import (
    NEEDED,
    Looked,
    annotation_of,
    image_of,
    look,
    unseen,
    with_images,
)
from curatome.rules.registry import all_rules, matches
from curatome.rules.rule import Inputs, Needs, Rule
from curatome.workflows.check_cache import Cache
from curatome.workflows.check_parts import Parts, place_of
from curatome.workflows.check_pixels import Order, look_with_pixels, order_of
from curatome.workflows.watch import Watcher

_DATASET = ""


class Run:
    """Rules at work.

    Args:
        project: the project.
        parts: what it gives to rules.
        cache: of earlier checks.
        rules: those that were chosen.
        watcher: is told the course.

    Attributes:
        codes: of the rules that have looked.
        findings: all that they found, now or before.
        more: how many others there are, by code.
        reused: how many results of earlier checks still hold.
        looked: how many are new.
    """

    def __init__(
        self,
        project: Project,
        parts: Parts,
        cache: Cache,
        rules: Sequence[Rule],
        watcher: Watcher,
    ) -> None:
        self._project, self._parts, self._cache = project, parts, cache
        self._rules, self._watcher = rules, watcher
        self._kept = cache.keys()
        self._lacking: dict[str, Needs] = {}
        self._unseen: dict[str, tuple[str, dict[str, None]]] = {}
        self.codes: dict[str, None] = {}
        self.findings: list[Finding] = []
        self.more: Counter[str] = Counter()
        self.reused = self.looked = 0

    @property
    def skipped(self) -> dict[Needs, tuple[str, ...]]:
        """Rules that had nothing to look at anywhere, by what is lacking."""
        found: dict[Needs, list[str]] = {}
        for code, part in self._lacking.items():
            if code not in self.codes:
                found.setdefault(part, []).append(code)
        return {part: tuple(sorted(found[part])) for part in NEEDED if part in found}

    def judged(self, word: str) -> bool:
        """Whether findings of a rule, or of all rules of a family, were looked for."""
        known = [rule.code for rule in all_rules() if matches(rule.code, [word])]
        return bool(known) and all(code in self.codes for code in known)

    def unseen(self, known: Collection[str]) -> list[Finding]:
        """One finding for each image that could not be read, with the rules that did not look.

        Args:
            known: images of which another finding says that they cannot be read.
        """
        return [
            unseen(image, why, list(codes), known=image in known)
            for image, (why, codes) in self._unseen.items()
        ]

    def forget_gone(self) -> None:
        """Let go of results about images that are no more."""
        there = {*map(place_of, self._parts.images), _DATASET}
        kept = {place for _, place in self._kept} | self._cache.marks_keys().keys()
        self._cache.forget(kept - there)

    def images(self, workers: int) -> None:
        """Rules that look at one image at a time."""
        rules = [rule for rule in self._rules if rule.scope == "image"]
        due = {image: self._due(rules, image) for image in self._parts.images if rules}
        due = {image: some for image, some in due.items() if some}
        if not due:
            return
        self._parts.read_all_at_once(len(due))
        self._watcher.start("checking", len(due), "images")
        marked = any("marks" in rule.parts for rule in self._rules)
        with_pixels: dict[str, list[Rule]] = {}
        for image, some in due.items():
            seeing = [rule for rule in some if self._sees_pixels(rule, image)]
            plain = [rule for rule in some if rule not in seeing]
            if seeing:
                with_pixels[image] = seeing
            if plain:
                inputs = self._parts.of_image(image)
                found = {r.code: look(r, self._with_items(inputs, r, image), image) for r in plain}
                self._keep(image, found)
                if marked:
                    self._parts.mark(image, inputs)
            self._watcher.advance(1)
        self._watcher.finish()
        if with_pixels:
            self._watcher.start("checking pixels", len(with_pixels), "images")
            self._pixels((self._order(image, some) for image, some in with_pixels.items()), workers)
            self._watcher.finish()

    def dataset(self, workers: int) -> None:
        """Rules that look at everything together."""
        due = self._due([rule for rule in self._rules if rule.scope == "dataset"], None)
        if not due:
            return
        self._watcher.start("checking the dataset", len(due), "rules")
        for rule in due:
            if self._sees_pixels(rule, None):
                self._pixels(iter([self._order(None, [rule])]), workers)
                continue
            looked = look(rule, self._parts.of_dataset(rule))
            self._keep(None, {rule.code: self._located(looked)})
            self._watcher.advance(1)
        self._watcher.finish()

    def _sees_pixels(self, rule: Rule, image: str | None) -> bool:
        return "pixels" in rule.parts and "pixels" in self._parts.has(image)

    def _due(self, rules: Iterable[Rule], image: str | None) -> list[Rule]:
        """Rules whose result is not known; those that are count as found."""
        there = self._parts.has(image)
        place = _DATASET if image is None else place_of(image)
        due = []
        for rule in rules:
            lacking = next((part for part in rule.needs if part not in there), None)
            if lacking is not None:
                told: Needs = "annotations" if lacking == "marks" else lacking
                self._lacking.setdefault(rule.code, told)
                continue
            self.codes[rule.code] = None
            if self._kept.get((rule.code, place)) == self._parts.key(rule, image):
                self._take(rule.code, self._cache.result(rule.code, place))
                self.reused += 1
            else:
                due.append(rule)
        return due

    def _take(self, code: str, looked: Looked) -> None:
        self.findings += looked.findings
        self.more[code] += looked.more

    def _keep(self, image: str | None, found: Mapping[str, Looked], *, whole: bool = True) -> None:
        """What rules found in a place; kept for the next check if all of them have looked."""
        rules = {rule.code: rule for rule in self._rules}
        for code, looked in found.items():
            self._take(code, looked)
            self.looked += 1
        if whole:
            sound = {c: one for c, one in found.items() if not _failed(one)}
            rows = [(c, self._parts.key(rules[c], image), one) for c, one in sound.items()]
            self._cache.keep(_DATASET if image is None else place_of(image), rows)

    def _pixels(self, orders: Iterator[Order], workers: int) -> None:
        for image, seen in look_with_pixels(orders, workers):
            located = {code: self._located(one) for code, one in seen.found.items()}
            self._keep(image, seen.found if image else located, whole=seen.whole)
            for name, (why, codes) in seen.unseen.items():
                self._unseen.setdefault(name, (why, {}))[1].update(dict.fromkeys(codes))
            self._watcher.advance(1)

    def _order(self, image: str | None, rules: Sequence[Rule]) -> Order:
        some = [image] if image is not None else list(self._parts.entries)
        entries = [self._parts.entries[name] for name in some]
        places = {
            one.slide: (self._project.location(one.path), one.mpp)
            for one in entries
            if one.state == "ready" and one.mpp is not None
        }
        if image is None:
            inputs = self._parts.of_dataset(rules[0])
        else:
            inputs = self._parts.of_image(image)
            for rule in rules:
                inputs = self._with_items(inputs, rule, image)
        return order_of(image, rules, inputs, places)

    def _with_items(self, inputs: Inputs, rule: Rule, image: str) -> Inputs:
        if "items" in rule.parts:
            inputs = replace(inputs, items=self._parts.items_of(image))
        return replace(inputs, near=self._parts.near) if "near" in rule.parts else inputs

    def _located(self, looked: Looked) -> Looked:
        """Findings about the dataset with the image of the annotation that they name."""
        names = {annotation_of(one) or "" for one in looked.findings if image_of(one) is None}
        if not names - {""}:
            return looked
        table = self._parts.marks.select(["annotation", "image"])
        table = table.filter(pc.is_in(table["annotation"], pa.array(sorted(names))))
        images = dict(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return replace(looked, findings=tuple(with_images(looked.findings, images)))


def _failed(looked: Looked) -> bool:
    return any(finding.code == "CHK003" for finding in looked.findings)
