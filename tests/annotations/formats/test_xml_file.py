"""XML of strangers: what is broken or hostile is refused, with its line."""

import gzip
import importlib

import pytest
import shapely

from curatome.annotations.formats import Frames, Options
from curatome.annotations.formats.xml_file import read_xml
from curatome.errors import AnnotationError

from .exchange import FRAMES, row, table

XML = ["asap", "imagescope", "ndpa", "halo"]


def form_of(name):
    return importlib.import_module(f"curatome.annotations.formats.{name}").FORMAT


@pytest.mark.parametrize("name", XML)
def test_the_wrong_root_is_refused(name, tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<svg>\n</svg>")
    with pytest.raises(AnnotationError, match=r"a\.xml line 1: the root is <svg>"):
        form_of(name).read(path, FRAMES, Options())


BROKEN = {
    "cut off": (b"<a>\n<b>\n", r"line 3: no element found"),
    "mismatched": (b"<a>\n<b>\n</a>", r"line 3: mismatched tag"),
    "empty": (b"", r"line 1: no element found"),
    "not XML": (b"{}", r"line 1: not well-formed"),
    "bytes": (b"<a>\n\xff\xfe</a>", r"line 2: not well-formed"),
    "entity": (b'<!DOCTYPE a [\n<!ENTITY x "y">]>\n<a>&x;</a>', r"declares XML entities"),
    "external": (b'<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<a/>', r"refers to a DTD"),
    "laughs": (
        b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        r"declares XML entities",
    ),
    "deep": (b"<a>\n" * 101, r"line 101: elements are nested over 100 deep"),
    "encoding": (b'<?xml version="1.0" encoding="klingon"?><a/>', r"line 1: unknown encoding"),
    "cut gzip": (gzip.compress(b"<a>" + b" " * 9999 + b"</a>")[:-20], r"line \d+: "),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_xml_is_refused_with_its_line(case, tmp_path):
    content, message = BROKEN[case]
    path = tmp_path / "b.xml"
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=rf"b\.xml {message}|b\.xml line \d+: .*{message}"):
        read_xml(path)


def test_gzip_and_other_encodings_are_read(tmp_path):
    path = tmp_path / "c.xml"
    path.write_bytes(
        gzip.compress('<?xml version="1.0" encoding="UTF-16"?><a b="µ"/>'.encode("utf-16"))
    )
    assert read_xml(path).get("b") == "µ"


def test_a_class_that_xml_cannot_hold_is_refused(tmp_path):
    before = table(row(1, "point", shapely.Point(1, 2), ["tu\x00mor"]))
    with pytest.raises(AnnotationError, match=r"U\+0000"):
        form_of("asap").write(before, tmp_path / "d.xml", Frames(), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", ["nan", "inf", "1e300", "ten", ""])
def test_a_coordinate_that_is_none_is_refused(bad, tmp_path):
    path = tmp_path / "e.xml"
    path.write_text(
        '<Annotations><Annotation Name="a"><Regions><Region Type="Polygon"><Vertices>\n'
        f'<V X="1" Y="2"/>\n<V X="{bad}" Y="3"/></Vertices></Region></Regions></Annotation>'
        "</Annotations>"
    )
    with pytest.raises(AnnotationError, match=r"e\.xml line 3: X must be a number of at most"):
        form_of("halo").read(path, Frames(), Options())
