"""Versions: frozen manifests with a name, a parent and a reason.

    versions/
      log.json            names and ids in order: the one pointer that makes a version visible
      v1/                 never changed once it is in the log
        version.json      who, when, why, from what, and the hash of every file below
        items.parquet     every tile, region and cell, with a hash for each row (and .index)
        annotations.parquet, exhaustive.parquet, cases.parquet, slides.parquet
        findings.parquet, measures.parquet, shards.parquet, curatome.toml, certificate.json

The id of a version is the SHA-256 of its version.json, which names its parent's id, so that an id
stands for the whole history. Shards lie where the build made them; versions share them.
"""

from curatome.dataset.versions.comparing import CHANGES, Diff, diff
from curatome.dataset.versions.freezing import Draft, freeze
from curatome.dataset.versions.log import Entry, find_version, load_log
from curatome.dataset.versions.model import KEYED, FileRecord, VersionInfo, Withdrawal
from curatome.dataset.versions.verifying import verify

__all__ = [
    "CHANGES",
    "KEYED",
    "Diff",
    "Draft",
    "Entry",
    "FileRecord",
    "VersionInfo",
    "Withdrawal",
    "diff",
    "find_version",
    "freeze",
    "load_log",
    "verify",
]
