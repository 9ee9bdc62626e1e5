"""Content hashes: what a slide, a tile and a setting are known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits, read as a stream.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_sha256(paths: Iterable[Path]) -> str:
    """One hash for all files of a slide, independent of where they lie and of their order.

    A single file's hash is that of its bytes, so that `sha256sum` confirms it. Several files are
    hashed one by one and the sorted digests are hashed once more.
    """
    digests = sorted(file_sha256(path) for path in paths)
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def bytes_hash(data: bytes | memoryview) -> str:
    """BLAKE2b-128 of encoded pixels, 32 hex digits: the content hash of a manifest's row."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def settings_hash(value: Any) -> str:
    """16 hex digits of a value of JSON's types; equal settings give equal hashes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
