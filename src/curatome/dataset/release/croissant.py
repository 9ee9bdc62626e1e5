"""A release for machines: Croissant 1.1 with the vocabulary for responsible AI.

Specification: MLCommons, Croissant Format 1.1 (http://mlcommons.org/croissant/1.1) and Croissant
RAI 1.0 (http://mlcommons.org/croissant/RAI/1.0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from curatome.dataset.release.facts import Facts
from curatome.dataset.release.gates import GateResult
from curatome.tables import ANNOTATIONS, ITEMS, TableSpec

_PARQUET = "application/x-parquet"
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(
    facts: Facts,
    gates: Sequence[GateResult],
    tables: Mapping[str, tuple[int, str]],
    released: str,
) -> str:
    """The text of croissant.json.

    Args:
        facts: of the version.
        gates: what became of them.
        tables: size in bytes and SHA-256 of `items.parquet` and `annotations.parquet`, by name.
        released: the day, 2025-01-31.
    """
    dataset, info = facts.protocol.dataset, facts.info
    described = dataset.description or dataset.question or dataset.title
    content = {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "name": re.sub(r"[^A-Za-z0-9_.-]+", "-", dataset.title).strip("-") or "dataset",
        "alternateName": dataset.title,
        "description": described,
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "license": _license(dataset.license),
        "url": f"urn:sha256:{info.id}",
        "version": _semantic(info.name),
        "datePublished": released,
        "citeAs": f"{dataset.title}, version {info.name}, sha256:{info.id}",
        "isLiveDataset": False,
        **_responsible(facts, gates),
        "distribution": [
            *(_file(name, *about) for name, about in tables.items()),
            {
                "@type": "cr:FileSet",
                "@id": "shards",
                "name": "shards",
                "description": "The images, as members of tar files; `shard`, `offset` and "
                "`length` of items.parquet say where each lies.",
                "encodingFormat": "application/x-tar",
                "includes": "**/*.tar",
            },
        ],
        "recordSet": [
            _records("items", ITEMS, "item"),
            _records("annotations", ANNOTATIONS, "annotation"),
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _license(name: str) -> str:
    if not name:
        return "none declared"
    return name if " " in name else f"https://spdx.org/licenses/{name}.html"


def _semantic(name: str) -> str:
    """A version as MAJOR.MINOR.PATCH, which Croissant asks for; others say theirs in `citeAs`."""
    numbers = re.findall(r"\d+", name)[:3]
    return ".".join([*numbers, "0", "0", "0"][:3])


def _file(name: str, size: int, sha256: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": _PARQUET,
        "sha256": sha256,
    }


def _records(name: str, spec: TableSpec, key: str) -> dict[str, Any]:
    fields = []
    for column in spec.columns:
        field: dict[str, Any] = {
            "@type": "cr:Field",
            "@id": f"{name}/{column.name}",
            "name": column.name,
            "description": f"{column.description}{f', {column.unit}' if column.unit else ''}",
            "dataType": _type(column.type),
            "source": {
                "fileObject": {"@id": f"{name}.parquet"},
                "extract": {"column": column.name},
            },
        }
        if pa.types.is_list(column.type):
            field |= {"isArray": True, "arrayShape": "-1"}
        fields.append(field)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "key": {"@id": f"{name}/{key}"},
        "field": fields,
    }


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return _type(kind.value_type)
    if pa.types.is_floating(kind):
        return "sc:Float"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_timestamp(kind):
        return "sc:DateTime"
    return "sc:Text"


def _responsible(facts: Facts, gates: Sequence[GateResult]) -> dict[str, Any]:
    """The RAI vocabulary, as far as it follows from the version."""
    protocol = facts.protocol
    reading = protocol.reading
    domains = {"sites": facts.sites, "scanners": facts.scanners, "stains": facts.stains}
    spread = "; ".join(
        f"{name}: " + ", ".join(f"{one} ({number} cases)" for one, number in held.items())
        for name, held in domains.items()
        if held
    )
    classes = ", ".join(f"{name} ({one.cases} cases)" for name, one in facts.classes.items())
    measured = "; ".join(
        f"{one.name} of {one.subject}: {one.value:.3g} ({one.method})"
        for one in facts.measures
        if one.subject == "all"
    )
    waived = "; ".join(f"{one.gate}: {one.waiver}" for one in gates if one.waiver)
    scales = "; ".join(f"{s.name}: {s.side_px} px at {s.mpp:g} µm/px" for s in protocol.scales)
    unlabelled = (
        "Outside of the regions in exhaustive.parquet, a place without annotation is not known "
        "to be negative."
    )
    return {
        "rai:dataCollection": f"{facts.slides} digitized slides or images of {facts.cases} cases.",
        "rai:dataCollectionType": ["Others"],
        "rai:dataPreprocessingProtocol": [
            f"Resampled to declared scales by area averaging ({scales}).",
            "Slides without a trustworthy µm per pixel were held back.",
        ],
        "rai:dataAnnotationProtocol": (
            f"Guideline version {facts.info.guideline}; {reading.readers_per_item} readers per "
            f"item, {'blinded' if reading.blinded else 'not blinded'}, adjudication: "
            f"{reading.adjudication}. "
            + " ".join(f"{one.name}: {one.definition}" for one in protocol.classes)
        ).strip(),
        "rai:dataAnnotationAnalysis": [measured or "Agreement was not measured."],
        "rai:annotationsPerItem": str(reading.readers_per_item),
        "rai:dataBiases": [
            f"Cases by domain: {spread or 'not recorded'}.",
            f"Cases by class: {classes or 'no labels'}.",
        ],
        "rai:dataLimitations": [unlabelled, *([f"Released with waivers: {waived}"] * bool(waived))],
        "rai:dataUseCases": [protocol.dataset.question or "not declared"],
        "rai:personalSensitiveInformation": [
            "Fields declared as identifying, names of files and of readers, and free text are "
            "left out; that pixels show no names is not proven by this release."
        ],
        "rai:dataReleaseMaintenancePlan": (
            "Versions are immutable; a case can be withdrawn, which re-issues every version under "
            "a new id."
        ),
    }
