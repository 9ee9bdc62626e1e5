"""What every model of the protocol has in common: frozen, no unknown keys, no loose types."""

from __future__ import annotations

from typing import Annotated

import pydantic


class Settings(pydantic.BaseModel):
    """A table of `curatome.toml`. It cannot be changed, and knows no other keys than its own."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Integer = Annotated[int, pydantic.Strict()]
"""A whole number; neither `true` nor `"3"`."""

Number = Annotated[float, pydantic.Strict()]
"""A finite number, whole or not; neither `true` nor `"0.5"`."""

Flag = Annotated[bool, pydantic.Strict()]
"""`true` or `false`; neither 1 nor `"yes"`."""

Key = Annotated[str, pydantic.StringConstraints(min_length=1)]
"""A key that the user chose, taken as it is written."""

Name = Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=1)]
"""A text with at least one visible character."""
