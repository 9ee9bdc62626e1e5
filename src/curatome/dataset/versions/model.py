"""What a version says about itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curatome.annotations.store import EXHAUSTIVE
from curatome.errors import VersionError
from curatome.tables import ANNOTATIONS, CASES, FINDINGS, ITEMS, MEASURES, SHARDS, SLIDES, TableSpec

INFO_FILE = "version.json"

KEYED: Mapping[str, tuple[TableSpec, str]] = {
    "items": (ITEMS, "item"),
    "annotations": (ANNOTATIONS, "annotation"),
    "exhaustive": (EXHAUSTIVE, "region"),
    "cases": (CASES, "case"),
    "slides": (SLIDES, "slide"),
}
"""Tables whose rows have an id and a hash: what a diff can speak of."""

PLAIN: Mapping[str, TableSpec] = {"findings": FINDINGS, "measures": MEASURES, "shards": SHARDS}


@dataclass(frozen=True)
class FileRecord:
    """A file of a version.

    Attributes:
        name: within the version's folder.
        bytes: its size.
        sha256: hash of its content.
        rows: of a table; None of other files.
    """

    name: str
    bytes: int
    sha256: str
    rows: int | None = None


@dataclass(frozen=True)
class Withdrawal:
    """A case that was taken out of a version after it was made.

    Attributes:
        case_hash: first 16 digits of the SHA-256 of the case's name; the name itself is gone.
        time: when, UTC.
        reason: why, in words.
        rows: how many rows of each table went.
    """

    case_hash: str
    time: str
    reason: str
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class VersionInfo:
    """A version.

    Attributes:
        name: what people call it.
        parent: id of the version it follows; None of the first.
        reason: why it was made.
        created: when, UTC.
        guideline: version of the annotation guideline.
        software: versions of what made it.
        certificate: digest of the leakage certificate, or empty.
        leak_free: whether the certificate holds.
        findings: how many of each severity stood.
        files: every file of its folder but this one.
        withdrawn: cases that were taken out since.
    """

    name: str
    parent: str | None
    reason: str
    created: str
    guideline: str
    software: Mapping[str, str]
    certificate: str
    leak_free: bool
    findings: Mapping[str, int]
    files: tuple[FileRecord, ...]
    withdrawn: tuple[Withdrawal, ...] = ()

    def text(self) -> str:
        """As version.json holds it."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @property
    def id(self) -> str:
        """SHA-256 of version.json, 64 hex digits."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def rows(self, table: str) -> int:
        """Rows of one of its tables."""
        found = next((one for one in self.files if one.name == f"{table}.parquet"), None)
        return 0 if found is None or found.rows is None else found.rows


def read_info(folder: Path) -> VersionInfo:
    """The version in a folder.

    Raises:
        VersionError: there is none, or its version.json is damaged.
    """
    path = folder / INFO_FILE
    try:
        plain: dict[str, Any] = json.loads(path.read_bytes())
        files = tuple(FileRecord(**one) for one in plain.pop("files"))
        withdrawn = tuple(Withdrawal(**one) for one in plain.pop("withdrawn"))
        return VersionInfo(files=files, withdrawn=withdrawn, **plain)
    except FileNotFoundError:
        raise VersionError(f"{path} is not there. Put it back from a backup.") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise VersionError(
            f"{path} is damaged: {error}. Put it back from a backup; its id tells the right one."
        ) from error
