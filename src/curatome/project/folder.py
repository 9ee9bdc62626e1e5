"""The project folder: create, find, open, lock.

curatome.toml     the protocol, written by people
.curatome/        the store (SQLite), the lock
build/            the dataset: tiles.parquet, shards/, …
report/           index.html
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from curatome.durable import write_file
from curatome.errors import ProjectError
from curatome.location import Location, is_url, located
from curatome.project.store import Store, open_store
from curatome.protocol import Protocol, load_protocol

PROTOCOL_FILE = "curatome.toml"
_HIDDEN = ".curatome"


@dataclass(frozen=True)
class Project:
    """An open project.

    Attributes:
        root: the folder that holds curatome.toml.
        protocol: its content.
        store: what is known about slides and cases.
    """

    root: Path
    protocol: Protocol
    store: Store

    @property
    def build(self) -> Path:
        """Where the dataset is built."""
        return self.root / "build"

    @property
    def annotations(self) -> Path:
        """The store of annotations (SQLite)."""
        return self.root / _HIDDEN / "annotations.sqlite"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.root / "report" / "index.html"

    @property
    def shards(self) -> Location:
        """The folder that holds shards: the build folder, or one of an object store."""
        return self.protocol.storage.shards or self.build

    def absolute(self, path: str) -> Path:
        """A path of the store; those within the project are kept relative to it."""
        return self.root / path

    def location(self, path: str) -> Location:
        """Where a slide lies, by its path or URL in the store."""
        return located(path, self.root)

    def relative(self, path: Location) -> str:
        """A path as the store keeps it: the project can be moved with slides that lie inside."""
        if isinstance(path, str) and is_url(path):
            return path
        whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        if whole.is_relative_to(self.root):
            return str(whole.relative_to(self.root))
        # The root was found by following links; the path may lead to it through one.
        for folder in whole.parents:
            may_be = folder.name == self.root.name or folder.is_symlink()
            if may_be and folder.resolve() == self.root:
                return str(whole.relative_to(folder))
        return str(whole)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the project against a second writer; the lock ends with the process.

        Raises:
            ProjectError: another process holds it.
        """
        path = self.root / _HIDDEN / "lock"
        with path.open("a+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                stream.seek(0)
                holder = stream.read().strip() or "another process"
                raise ProjectError(
                    f"{self.root} is being changed by {holder}. Wait until it has ended."
                ) from error
            stream.truncate(0)
            stream.write(f"process {os.getpid()}")
            stream.flush()
            yield


def _database(root: Path) -> URL:
    return URL.create("sqlite", database=str(root / _HIDDEN / "store.sqlite"))


def create_project(root: Path, protocol_text: str) -> Project:
    """Make a project folder with a protocol.

    Raises:
        ProjectError: the folder holds a project already.
        ProtocolError: the text is no usable protocol.
    """
    path = root / PROTOCOL_FILE
    if path.exists():
        raise ProjectError(f"{path} exists already. Edit it, or choose another folder.")
    root.mkdir(parents=True, exist_ok=True)
    write_file(path, protocol_text)
    return open_project(root)


def open_project(start: Path) -> Project:
    """The project that a folder belongs to: its own, or the nearest one above it.

    Raises:
        ProjectError: there is none, or its store is of another version.
        ProtocolError: curatome.toml is not usable.
    """
    here = start.resolve()
    root = next((p for p in (here, *here.parents) if (p / PROTOCOL_FILE).is_file()), None)
    if root is None:
        raise ProjectError(
            f"no {PROTOCOL_FILE} in {here} or above. Run `curatome init` there, or name the "
            "project's folder with --project."
        )
    protocol = load_protocol(root / PROTOCOL_FILE)
    (root / _HIDDEN).mkdir(exist_ok=True)
    return Project(root, protocol, open_store(_database(root)))
