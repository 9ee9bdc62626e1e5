"""Tables as the public gets them: without names of people and files, and without free text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from curatome.protocol import Protocol


def pseudonyms(readers: Sequence[str]) -> dict[str, str]:
    """`reader 01`, `reader 02`, … in the order of the names."""
    width = max(2, len(str(len(readers))))
    return {name: f"reader {k:0{width}}" for k, name in enumerate(sorted(readers), 1)}


def public_annotations(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """Without names of readers and objects, ids of other programs, and what files said besides."""
    table = _renamed(table, names)
    for column, value in (("properties", "{}"), ("name", None), ("foreign", None)):
        at = table.schema.get_field_index(column)
        filled = pa.repeat(pa.scalar(value, table.schema.field(at).type), len(table))
        table = table.set_column(at, table.schema.field(at), filled)
    return table


def public_regions(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """Regions without names of readers."""
    return _renamed(table, names)


def public_slides(table: pa.Table) -> pa.Table:
    """Slides by their hash alone: a file's name or folder may hold a patient's."""
    at = table.schema.get_field_index("path")
    return table.set_column(at, table.schema.field(at), table["slide"].combine_chunks())


def public_cases(table: pa.Table, protocol: Protocol) -> pa.Table:
    """Cases without the fields that are declared as identifying, or not declared at all."""
    declared = protocol.cohort.declared("cases")
    kept = {name for name, one in declared.items() if not one.identifying}
    fields = [
        json.dumps({k: v for k, v in json.loads(text).items() if k in kept}, sort_keys=True)
        for text in table["fields"].to_pylist()
    ]
    at = table.schema.get_field_index("fields")
    return table.set_column(at, table.schema.field(at), pa.array(fields, pa.string()))


def public_measures(table: pa.Table) -> pa.Table:
    """Measures but those about single readers."""
    about = pc.match_substring_regex(table["subject"], r"\breaders? ")
    return table.filter(pc.invert(about))


def _renamed(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    at = table.schema.get_field_index("reader")
    readers = [names.get(one) for one in table["reader"].to_pylist()]
    return table.set_column(at, table.schema.field(at), pa.array(readers, pa.string()))
