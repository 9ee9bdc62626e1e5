"""Content hashes: what a slide, a tile and a setting are known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_PIECE_BYTES = 4 << 20


def file_sha256(path: Path, tick: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file's bytes, 64 hex digits, read as a stream.

    Args:
        path: the file.
        tick: told after each piece how many bytes it had; a large file takes minutes.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
            if tick is not None:
                tick(len(piece))
    return digest.hexdigest()


def files_sha256(paths: Iterable[Path], tick: Callable[[int], None] | None = None) -> str:
    """One hash for all files of a slide, independent of where they lie and of their order.

    A single file's hash is that of its bytes, so that `sha256sum` confirms it. Several files are
    hashed one by one and the sorted digests are hashed once more.
    """
    digests = sorted(file_sha256(path, tick) for path in paths)
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
