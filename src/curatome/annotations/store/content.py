"""From `tables.ANNOTATIONS` to rows of the store, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.annotations.store.grid import cells
from curatome.annotations.store.schema import CLAIM, DETAIL, SHAPE
from curatome.errors import AnnotationError, TableError
from curatome.tables import ANNOTATIONS

MANY = 10_000
"""Geometries from which on compiled code pays."""
REACH = float(1 << 31)
"""No coordinate may lie further from the origin, level-0 px."""

Bounds = npt.NDArray[np.float64]

_TYPES = {column.name: column.type for column in ANNOTATIONS.columns}
_NULLABLE = {column.name for column in ANNOTATIONS.columns if column.nullable}
_LISTS = ("labels", "parents")


def conform(table: pa.Table) -> pa.Table:
    """The columns of `ANNOTATIONS`, in their order, types and promises.

    Raises:
        TableError: one is missing, of another type, or null where it may not be.
    """
    columns = []
    for name, type_ in _TYPES.items():
        if name not in table.column_names:
            raise TableError(f"table annotations: column {name} is missing.")
        try:
            column = table[name].cast(type_)
        # Arrow's words for values that do not fit the type, and for types that never do.
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise TableError(f"table annotations, column {name}: {error}.") from error
        if column.null_count and name not in _NULLABLE:
            row = column.is_null().index(True).as_py() + 1
            raise TableError(f"table annotations, column {name}, row {row}: no value.")
        columns.append(_without_nan(column) if name == "confidence" else column)
    return pa.Table.from_arrays(columns, schema=ANNOTATIONS.schema)


def bounds(geometries: pa.Array) -> Bounds:
    """(N, 4) left, top, right, bottom of WKB; NaN for rows without geometry.

    Raises:
        BadGeometry: one is no WKB, empty, or not finite; says which.
    """
    found: Bounds = np.full((len(geometries), 4), np.nan)
    if len(geometries) >= MANY:
        from curatome.annotations.plain import edges

        found = edges(geometries)
    rest = np.flatnonzero(np.isnan(found[:, 0]))
    some = geometries.take(pa.array(rest))
    wkb = np.array(some.to_pylist(), object)
    given = some.is_valid().to_numpy(zero_copy_only=False)
    try:
        shapes = shapely.from_wkb(wkb)
    except shapely.errors.GEOSException as error:
        bad = np.flatnonzero(given & shapely.is_missing(shapely.from_wkb(wkb, "ignore")))
        raise BadGeometry(int(rest[bad[0]]), f"the geometry is no WKB ({error})") from error
    found[rest] = shapely.bounds(shapes)
    given = geometries.is_valid().to_numpy(zero_copy_only=False)
    sound = np.isfinite(found).all(axis=1) & (np.abs(found) <= REACH).all(axis=1)
    if (wrong := np.flatnonzero(given & ~sound)).size:
        raise BadGeometry(
            int(wrong[0]), "the geometry is empty, not finite, or further than 2³¹ px away"
        )
    return found


def places(edges: Bounds) -> npt.NDArray[np.int64]:
    """(N,) the grid's cell of every row, -1 for those without geometry."""
    found = np.full(len(edges), -1)
    known = ~np.isnan(edges[:, 0])
    found[known] = cells(edges[known])
    return found


def nearby(images: pa.ChunkedArray, edges: Bounds) -> npt.NDArray[np.int64]:
    """(N,) rows in the order in which they lie: by image, then by cell of the grid."""
    encoded = images.combine_chunks().dictionary_encode().indices.fill_null(-1)
    return np.lexsort((places(edges), encoded.to_numpy(zero_copy_only=False)))


def shape_rows(
    rows: Mapping[str, pa.Array], ids: npt.NDArray[np.int64], edges: Bounds
) -> list[tuple[Any, ...]]:
    """Rows of `shapes`.

    Args:
        rows: columns of `SHAPE`.
        ids: (N,) what each will be known by.
        edges: (N, 4) bounds of the geometries.
    """
    columns = [column.astype(object) for column in (*edges.T, places(edges))]
    for column in columns:
        column[np.isnan(edges[:, 0])] = None
    blobs = (rows[name].to_pylist() for name in SHAPE)
    return [*zip(ids.tolist(), *map(list, columns), *blobs, strict=True)]


def claim_rows(
    rows: Mapping[str, pa.Array],
    ids: npt.NDArray[np.int64],
    number: Callable[[Sequence[str]], dict[str, int]],
) -> tuple[list[tuple[Any, ...]], npt.NDArray[np.int64]]:
    """Rows of `claims`, each once, and which of them every row of the table makes.

    Args:
        rows: columns of `CLAIM`.
        ids: (N,) what each will be known by if it is the first of its content.
        number: gives the numbers of images.
    """
    columns = {name: rows[name] for name in CLAIM}
    columns["labels"] = _list_text(rows["labels"])
    first, which = _distinct(list(columns.values()))
    values = {name: column.take(pa.array(first)).to_pylist() for name, column in columns.items()}
    numbers = number(sorted({image for image in values["image"] if image is not None}))
    values["image"] = [None if image is None else numbers[image] for image in values["image"]]
    known = ids[first]
    return [*zip(known.tolist(), *values.values(), strict=True)], known[which]


def detail_rows(
    rows: Mapping[str, pa.Array], ids: npt.NDArray[np.int64]
) -> tuple[list[tuple[Any, ...]], npt.NDArray[np.int64]]:
    """Rows of `details`, each once, and which of them every row of the table makes."""
    columns = {name: rows[name] for name in DETAIL}
    columns["parents"] = _list_text(rows["parents"])
    columns["time"] = rows["time"].cast(pa.int64())
    first, which = _distinct(list(columns.values()))
    taken = (column.take(pa.array(first)).to_pylist() for column in columns.values())
    known = ids[first]
    return [*zip(known.tolist(), *taken, strict=True)], known[which]


def decoded(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, pa.Array]:
    """What was read from the store, as arrays of the types of `ANNOTATIONS`.

    Args:
        names: columns; those that `ANNOTATIONS` does not have are left as they are.
        rows: their values.
    """
    columns = [*zip(*rows, strict=True)] if rows else [()] * len(names)
    return {name: _array(name, values) for name, values in zip(names, columns, strict=True)}


def typed(name: str, values: Sequence[Any], annotations: Sequence[str]) -> pa.Array:
    """Python values as a column of `ANNOTATIONS`.

    Raises:
        AnnotationError: a value is of another type, or missing where one must be.
    """
    try:
        if name in _LISTS and any(isinstance(value, str) for value in values):
            raise pa.ArrowTypeError("a text where a list of texts must be")
        array = pa.array(values, _TYPES[name])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise AnnotationError(
            f"{name} of annotation {annotations[0]}{_more(annotations)}: {error}."
        ) from error
    if array.null_count and name not in _NULLABLE:
        row = array.is_null().index(True).as_py()
        raise AnnotationError(f"annotation {annotations[row]}: {name} must have a value.")
    return _without_nan(array) if name == "confidence" else array


def _without_nan(numbers: pa.Array) -> pa.Array:
    """NaN is no value; SQLite would not keep it."""
    return pc.if_else(pc.is_nan(numbers), None, numbers)


def _more(annotations: Sequence[str]) -> str:
    return f" or one of {len(annotations) - 1} others" if len(annotations) > 1 else ""


def _array(name: str, values: Sequence[Any]) -> pa.Array:
    if name in _LISTS:
        return pa.array([_list(text) for text in values], _TYPES[name])
    if name == "time":
        return pa.array(values, pa.int64()).cast(_TYPES[name])
    if name == "cannot_judge":
        return pa.array([bool(value) for value in values], pa.bool_())
    return pa.array(values, _TYPES.get(name, pa.int64()))


@lru_cache(maxsize=65_536)
def _list(text: str) -> list[str]:
    loaded: list[str] = json.loads(text)
    return loaded


def _list_text(lists: pa.Array) -> pa.Array:
    """Lists of texts as JSON."""
    words = lists.flatten().dictionary_encode()
    offsets = pc.subtract(lists.offsets, lists.offsets[0])
    quoted = [json.dumps(word, ensure_ascii=False) for word in words.dictionary.to_pylist()]
    spelled = pa.array(quoted, pa.string()).take(words.indices)
    inner = pc.binary_join(pa.ListArray.from_arrays(offsets, spelled), ", ")
    return pc.binary_join_element_wise("[", inner, "]", "")


def _distinct(
    columns: Sequence[pa.Array],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first row of every distinct content, and which of them each row equals."""
    which = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        encoded = column.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        combined = which * (len(encoded.dictionary) + 1) + codes
        _, first, which = np.unique(combined, return_index=True, return_inverse=True)
    return first, which.reshape(-1)


class BadGeometry(AnnotationError):  # noqa: N818 - the geometry is bad
    """A geometry that cannot be kept; whoever knows which annotation it is, says so.

    Attributes:
        row: where it stood among those that were encoded.
        said: what is wrong.
    """

    def __init__(self, row: int, said: str) -> None:
        self.row, self.said = row, said
        super().__init__(said)
