"""The tables of the store, and which column of `tables.ANNOTATIONS` lies where.

batches     what was recorded at once: an import, a migration, a reader's gesture
events      append-only: one row per version of an annotation
shapes, claims, details
            what versions consist of; a row is known by the number of the first event that
            brought it and is never changed, so a geometry is stored once however often its
            annotation is relabeled, deleted, restored or reverted
identities  the annotations; one is known within by the number of its first event
images      the images, by number
sources     how what came from a source was read, to read it so again
current     the latest version of every living annotation: the fold of `events`, kept
"""

from __future__ import annotations

import sqlalchemy as sa

VERSION = 1

SHAPE = ("geometry", "mask", "nucleus")
CLAIM = (
    "kind",
    "image",
    "labels",
    "cannot_judge",
    "reader",
    "read",
    "guideline",
    "tool",
    "basis",
)
DETAIL = ("confidence", "time", "parents", "name", "foreign", "properties")

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")

META = sa.MetaData()
versions = sa.Table("annotation_store", META, sa.Column("version", sa.Integer, primary_key=True))
batches = sa.Table(
    "annotation_batches",
    META,
    sa.Column("batch", _Number, primary_key=True, autoincrement=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("first", _Number, nullable=False),
    sa.Column("last", _Number, nullable=False, index=True),
    sa.Column("time", _Number, nullable=False, index=True),
    sa.Column("reader", sa.Text),
    sa.Column("tool", sa.Text),
    sa.Column("guideline", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("source", sa.Text, index=True),
)
images = sa.Table(
    "annotation_images",
    META,
    sa.Column("number", _Number, primary_key=True, autoincrement=False),
    sa.Column("image", sa.Text, nullable=False, unique=True),
)
identities = sa.Table(
    "annotation_identities",
    META,
    sa.Column("key", _Number, primary_key=True, autoincrement=False),
    sa.Column("annotation", sa.Text, nullable=False),
    sa.Column("region", sa.Boolean, nullable=False),
)
identity_names = sa.Index("annotation_identities_by_name", identities.c.annotation, unique=True)
shapes = sa.Table(
    "annotation_shapes",
    META,
    sa.Column("shape", _Number, primary_key=True, autoincrement=False),
    sa.Column("left", sa.Double),
    sa.Column("top", sa.Double),
    sa.Column("right", sa.Double),
    sa.Column("bottom", sa.Double),
    sa.Column("cell", _Number),
    sa.Column("geometry", sa.LargeBinary),
    sa.Column("mask", sa.LargeBinary),
    sa.Column("nucleus", sa.LargeBinary),
)
claims = sa.Table(
    "annotation_claims",
    META,
    sa.Column("claim", _Number, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("image", _Number, sa.ForeignKey(images.c.number)),
    sa.Column("labels", sa.Text, nullable=False),
    sa.Column("cannot_judge", sa.Boolean, nullable=False),
    sa.Column("reader", sa.Text),
    sa.Column("read", sa.SmallInteger, nullable=False),
    sa.Column("guideline", sa.Text),
    sa.Column("tool", sa.Text),
    sa.Column("basis", sa.Text, nullable=False),
)
details = sa.Table(
    "annotation_details",
    META,
    sa.Column("detail", _Number, primary_key=True, autoincrement=False),
    sa.Column("confidence", sa.Double),
    sa.Column("time", _Number),
    sa.Column("parents", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("foreign", sa.Text),
    sa.Column("properties", sa.Text, nullable=False),
)
events = sa.Table(
    "annotation_events",
    META,
    sa.Column("seq", _Number, primary_key=True, autoincrement=False),
    sa.Column("key", _Number, sa.ForeignKey(identities.c.key), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("base", _Number),
    sa.Column("batch", _Number, nullable=False),
    sa.Column("alive", sa.Boolean, nullable=False),
    sa.Column("shape", _Number, nullable=False),
    sa.Column("claim", _Number, nullable=False),
    sa.Column("detail", _Number, nullable=False),
    sa.Index("annotation_events_by_key", "key", "seq"),
)
sources = sa.Table(
    "annotation_sources",
    META,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("options", sa.Text, nullable=False),
)
current = sa.Table(
    "annotation_current",
    META,
    sa.Column("key", _Number, sa.ForeignKey(identities.c.key), primary_key=True),
    sa.Column("seq", _Number, sa.ForeignKey(events.c.seq), nullable=False),
    sa.Column("region", sa.Boolean, nullable=False),
    sa.Column("image", _Number),
    sa.Column("cell", _Number),
    sa.Column("shape", _Number, nullable=False),
    sa.Column("claim", _Number, nullable=False),
    sa.Column("detail", _Number, nullable=False),
    sa.Index("annotation_current_by_place", "image", "cell"),
)
