"""A small sample of a version to look at: spread over classes, splits and slides."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from curatome.dataset.asking import asked

SIZE = 24
_EDGE, _GAP, _COLUMNS = 192, 4, 6

Row = Mapping[str, Any]


def choose(items: Path, size: int = SIZE) -> list[dict[str, Any]]:
    """Rows with an image of their own: of every class and split first one, then the next.

    Which of them it is follows from hashes of their ids, so the choice is the same every time and
    favors no slide.

    Args:
        items: `items.parquet` of a version.
        size: how many at most.
    """
    sql = f"""
        WITH kinds AS (
            SELECT item, coalesce(labels[1], '') AS label, coalesce(split, '') AS split,
                   md5(item) AS draw, coalesce(slide, '') AS slide
            FROM items WHERE shard IS NOT NULL
        ), slides AS (
            SELECT *, row_number() OVER (PARTITION BY label, split, slide ORDER BY draw) AS turn
            FROM kinds
        ), ranked AS (
            SELECT item, draw,
                   row_number() OVER (PARTITION BY label, split ORDER BY turn, draw) AS place
            FROM slides
        )
        SELECT items.* EXCLUDE (row_hash) FROM ranked JOIN items USING (item)
        ORDER BY place, draw LIMIT {size}
    """
    with asked(items) as connection:
        found: list[dict[str, Any]] = connection.sql(sql).to_arrow_table().to_pylist()
    return found


def contact_sheet(rows: Sequence[Row], read: Callable[[Row], bytes]) -> bytes:
    """The sample as one JPEG, six in a row.

    Args:
        rows: of the sample.
        read: gives the encoded image of a row.
    """
    columns = min(_COLUMNS, max(1, len(rows)))
    lines = max(1, -(-len(rows) // _COLUMNS))
    step = _EDGE + _GAP
    sheet = Image.new("RGB", (columns * step - _GAP, lines * step - _GAP), "white")
    for number, row in enumerate(rows):
        with Image.open(io.BytesIO(read(row))) as image:
            picture = image.convert("RGB")
        picture.thumbnail((_EDGE, _EDGE), Image.Resampling.BOX)
        if picture.width < _EDGE and picture.height < _EDGE:
            scale = _EDGE / max(picture.size)
            size = (round(picture.width * scale), round(picture.height * scale))
            picture = picture.resize(size, Image.Resampling.BICUBIC)
        sheet.paste(picture, (number % _COLUMNS * step, number // _COLUMNS * step))
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=88)
    return stream.getvalue()
