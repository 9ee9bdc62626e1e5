"""XML that strangers wrote: no entities, no endless nesting, and the line of every element."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast
from xml.etree import ElementTree
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, XMLReader

from defusedxml import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from curatome.annotations.formats.entries import FARTHEST
from curatome.durable import write_file
from curatome.errors import AnnotationError

_DEEPEST = 100
_GZIP = b"\x1f\x8b"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class Element:
    """One element, and where it is in its file.

    Attributes:
        tag: as written.
        attributes: by name.
        file: name of its file.
        line: of its opening tag, from 1.
        text: of its own, without that of its children, stripped.
        children: in order.
    """

    tag: str
    attributes: Mapping[str, str]
    file: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.file} line {self.line}"

    def get(self, name: str, default: str = "") -> str:
        """An attribute."""
        return self.attributes.get(name, default)

    def all(self, *tags: str) -> list[Element]:
        """Its children of these names."""
        return [child for child in self.children if child.tag in tags]

    def child(self, tag: str) -> Element | None:
        """The first child of a name."""
        return next((child for child in self.children if child.tag == tag), None)

    def say(self, tag: str, default: str = "") -> str:
        """The text of the first child of a name."""
        found = self.child(tag)
        return default if found is None else found.text

    def need(self, name: str) -> str:
        """An attribute, or else the text of the child of that name.

        Raises:
            AnnotationError: there is neither.
        """
        if name in self.attributes:
            return self.attributes[name]
        found = self.child(name)
        if found is None:
            raise AnnotationError(
                f"{self.place}: <{self.tag}> has no {name}. Export the file again."
            )
        return found.text

    def number(self, name: str, farthest: float = FARTHEST) -> float:
        """A coordinate or length, from an attribute or a child.

        Args:
            name: of either.
            farthest: greatest absolute value it may have.

        Raises:
            AnnotationError: it is missing, no number, or too large.
        """
        return to_number(self.need(name), f"{self.place}: {name}", farthest)


def to_number(written: str, what: str, farthest: float = FARTHEST) -> float:
    """A finite number of sensible size.

    Args:
        written: the number as text.
        what: place and name, for messages.
        farthest: greatest absolute value it may have.

    Raises:
        AnnotationError: it is none.
    """
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not abs(value) <= farthest:
        raise AnnotationError(
            f'{what} must be a number of at most {farthest:.0f}. Got "{written[:40]}".'
        )
    return value


def read_xml(path: Path) -> Element:
    """The root of an XML file, gzip or not.

    Raises:
        AnnotationError: it is not well-formed, declares entities, or is nested too deeply.
        OSError: it cannot be read.
    """
    handler = _Builder(path.name)
    parser = cast(XMLReader, DefusedExpatParser(forbid_dtd=False))
    parser.setContentHandler(handler)
    try:
        with path.open("rb") as stream:
            zipped = stream.read(2) == _GZIP
            stream.seek(0)
            parser.parse(cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if zipped else stream)
    except SAXParseException as error:
        raise AnnotationError(
            f"{path.name} line {error.getLineNumber()}: {error.getMessage()}. It is broken or "
            "cut off; export or copy it again."
        ) from error
    except DefusedXmlException as error:
        raise AnnotationError(
            f"{path.name} line {handler.line}: it declares XML entities or refers to a DTD, "
            "which no tool for annotations does. Do not trust the file."
        ) from error
    except (gzip.BadGzipFile, zlib.error, EOFError, LookupError, ValueError) as error:
        raise AnnotationError(
            f"{path.name} line {handler.line}: {error}. Export or copy it again."
        ) from error
    if handler.root is None:
        raise AnnotationError(f"{path.name} line 1: there is no XML element.")
    return handler.root


class _Builder(ContentHandler):
    def __init__(self, file: str) -> None:
        super().__init__()
        self.root: Element | None = None
        self._file = file
        self._open: list[Element] = []
        self._texts: list[list[str]] = []

    @property
    def line(self) -> int:
        locator = getattr(self, "_locator", None)
        return 1 if locator is None else int(locator.getLineNumber() or 1)

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        element = Element(name, dict(attrs.items()), self._file, self.line)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])
        if len(self._open) > _DEEPEST:
            raise AnnotationError(
                f"{element.place}: elements are nested over {_DEEPEST} deep. No tool for "
                "annotations writes that."
            )

    def characters(self, content: str) -> None:
        self._texts[-1].append(content)

    def endElement(self, name: str) -> None:  # noqa: N802
        del name
        self._open.pop().text = "".join(self._texts.pop()).strip()


def write_xml(path: Path, root: ElementTree.Element) -> None:
    """Write a tree whole, indented by tabs.

    Raises:
        AnnotationError: a text holds characters that XML cannot hold.
        OSError: the disk is full or the folder is not writable.
    """
    ElementTree.indent(root, "\t")
    content = ElementTree.tostring(root, encoding="unicode")
    if found := _NOT_XML.search(content):
        around = content[max(0, found.start() - 40) : found.start()].split('"')[-1]
        raise AnnotationError(
            f'XML cannot hold the character U+{ord(found[0]):04X} after "{around}". Rename the '
            "class or annotation."
        )
    write_file(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{content}\n')


def exact(value: float) -> str:
    """The shortest text that gives the same number back, whole numbers without a point."""
    return str(int(value)) if value == int(value) else repr(float(value))
