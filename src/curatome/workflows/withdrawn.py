"""Cases that were withdrawn: what is known of them, so that no command brings them back.

Of their slides and images only marks are kept: hashes of the hashes of their content, by which
only who has the image can tell it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from curatome.durable import write_file
from curatome.errors import ProjectError
from curatome.project import Project

_FILE = "withdrawn.json"


@dataclass(frozen=True)
class WithdrawnCase:
    """A case that was withdrawn.

    Attributes:
        case: its name.
        reason: why.
        time: when, UTC.
        marks: of its slides and images, and of the names of its slides' files, sorted.
    """

    case: str
    reason: str
    time: str
    marks: tuple[str, ...] = ()

    def with_marks(self, names: Iterable[str]) -> WithdrawnCase:
        """The same with further marks, of ids, hashes or names of files."""
        return replace(self, marks=tuple(sorted({*self.marks, *map(mark, names)})))

    def __str__(self) -> str:
        return f"case {self.case}, withdrawn on {self.time[:10]}: {self.reason}"


@dataclass(frozen=True)
class WithdrawnCases:
    """All cases that were withdrawn from a project.

    Attributes:
        cases: in the order of their withdrawal.
    """

    cases: tuple[WithdrawnCase, ...] = ()

    def find(
        self, names: Iterable[str | None], contents: Iterable[str] = ()
    ) -> WithdrawnCase | None:
        """The withdrawn case that something belongs to, or None.

        Args:
            names: what its case may be called.
            contents: ids of its slides or images, or names of files.
        """
        if not self.cases:
            return None
        called, marks = set(names), {mark(one) for one in contents}
        for one in self.cases:
            if one.case in called or not marks.isdisjoint(one.marks):
                return one
        return None


def mark(name: str) -> str:
    """What a slide or an image of a withdrawn case is known by, 32 hex digits.

    Args:
        name: the slide's id, the hash of the image, or the name of a file.
    """
    return hashlib.sha256(f"withdrawn {name}".encode()).hexdigest()[:32]


def load_withdrawn(project: Project) -> WithdrawnCases:
    """The cases that were withdrawn; none where there is no list.

    Raises:
        ProjectError: the list is damaged.
    """
    path = _path(project)
    if not path.exists():
        return WithdrawnCases()
    try:
        rows = json.loads(path.read_bytes())["cases"]
        return WithdrawnCases(
            tuple(WithdrawnCase(**{**row, "marks": tuple(row["marks"])}) for row in rows)
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ProjectError(
            f"{path} is damaged: {error}. It says which cases were withdrawn. Put it back from a "
            "backup."
        ) from error


def note_withdrawn(project: Project, case: WithdrawnCase) -> None:
    """Put a case on the list, or further marks of one that is there; the project is locked."""
    known = load_withdrawn(project).cases
    before = next((one for one in known if one.case == case.case), None)
    first = before or case
    whole = replace(first, marks=tuple(sorted({*first.marks, *case.marks})))
    if whole == before:
        return
    cases = [whole if one is before else one for one in known]
    if before is None:
        cases.append(whole)
    content = {"cases": [asdict(one) for one in cases]}
    write_file(_path(project), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def left_out(found: Collection[WithdrawnCase], one: str, several: str = "") -> tuple[str, ...]:
    """What a command says about what it left out, a line for each case.

    Args:
        found: the case of each thing that was left out.
        one: what it was, "slide".
        several: the plural, if it is not made with an s.
    """
    counts = Counter(str(case) for case in found)
    return tuple(
        f"left out: {number:,} {one if number == 1 else several or one + 's'} of {case}"
        for case, number in counts.items()
    )


def _path(project: Project) -> Path:
    return project.root / ".curatome" / _FILE
