"""The commented files that `curatome init` begins with."""

from __future__ import annotations

import json
import re
from importlib.resources import files

from curatome.errors import ProtocolError
from curatome.protocol.models import TASKS

_TITLE = "@TITLE@"
_INCLUDE = re.compile(r"^@include ([a-z]+)@\n", re.MULTILINE)


def template(name: str, title: str) -> str:
    """A commented `curatome.toml` to start from.

    Args:
        name: what the dataset is for, one of `TASKS`.
        title: the dataset's title.

    Raises:
        ProtocolError: there is no such template, or the title is empty.
    """
    if name not in TASKS:
        raise ProtocolError(f'there is no template "{name}". Choose one of: {", ".join(TASKS)}.')
    if not title.strip():
        raise ProtocolError("the dataset's title must not be empty.")
    text = _INCLUDE.sub(lambda found: _read(f"parts/{found[1]}.toml"), _read(f"{name}.toml"))
    return text.replace(_TITLE, _quoted(title.strip()))


def _read(name: str) -> str:
    """The text of a file of `curatome/templates`, where the parts that all share lie in `parts`."""
    return (files("curatome") / "templates" / name).read_text(encoding="utf-8")


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
