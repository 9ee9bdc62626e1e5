"""Every exception Curatome raises.

    CuratomeError
    ├── ProtocolError          curatome.toml says something that cannot be
    ├── ProjectError           the project folder is missing, locked or of another version
    ├── TableError             a table misses a column, or holds a value it may not
    ├── SourceError            a dataset of images is not laid out as it is said to be
    ├── AnnotationError        a file of annotations, or an edit of one, cannot be accepted
    │   └── StaleEdit          somebody changed the annotation meanwhile (annotations.store)
    ├── SlideError             something is wrong with one slide
    │   ├── UnreadableSlide    its file cannot be decoded
    │   └── UnsupportedSlide   it is sound, but not a bright-field RGB image
    ├── StorageError           an object of a store cannot be read or written
    │   └── MissingObject      there is no such object
    ├── VersionError           a version of the dataset is missing, damaged or cannot be made
    ├── ReleaseError           a version may not be released, or not so
    ├── TooManyPairs           so many images look alike that not all are listed (cohort.duplicates)
    ├── BuildError             the build cannot go on as a whole
    └── ClusterError           a cluster cannot be reached, or its workers cannot do the work

A message says what was wrong, where (file, row, annotation) and what to do.
"""

from __future__ import annotations


class CuratomeError(Exception):
    """The base of every error that Curatome raises on purpose."""


class ProtocolError(CuratomeError):
    """curatome.toml, or a value meant for it, is not usable."""


class ProjectError(CuratomeError):
    """The project folder cannot be used as it is."""


class TableError(CuratomeError):
    """A table does not have the columns, types or values it must have."""


class SourceError(CuratomeError):
    """A copy of a dataset of images, or what describes it, cannot be used."""


class AnnotationError(CuratomeError):
    """A file of annotations cannot be read, or an annotation cannot be what it should become."""


class SlideError(CuratomeError):
    """Something is wrong with one slide; others are not affected."""


class UnreadableSlide(SlideError):  # noqa: N818 - a slide is unreadable, not an error
    """The slide's file cannot be opened or decoded."""


class UnsupportedSlide(SlideError):  # noqa: N818
    """The slide is sound but of a kind Curatome does not standardize."""


class StorageError(CuratomeError):
    """An object store cannot be reached, or one of its objects not read or written."""


class MissingObject(StorageError):  # noqa: N818 - an object is missing, not an error
    """A store has no such object."""


class VersionError(CuratomeError):
    """A version of the dataset is missing, damaged, or cannot be made."""


class ReleaseError(CuratomeError):
    """A version may not be released, or not in the way that was asked for."""


class BuildError(CuratomeError):
    """The build as a whole cannot go on."""


class ClusterError(CuratomeError):
    """A cluster cannot be reached, or its workers cannot do the work."""
