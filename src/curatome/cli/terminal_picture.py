"""Pictures in terminals that can show them: kitty's protocol, and that of iTerm2.

https://sw.kovidgoyal.net/kitty/graphics-protocol and https://iterm2.com/documentation-images.html.
A terminal is known by the variables that it sets; none is asked, for that may never be answered.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

_CHUNK = 4096
"""Characters of one command of kitty's protocol at most."""
Encode = Callable[[bytes, int], str]


def encoder(variables: Mapping[str, str]) -> Encode | None:
    """How the terminal wants a picture; None if it is not known to show any.

    Inside of tmux and screen none is shown, as they do not pass it on by themselves.

    Args:
        variables: of the environment.
    """
    term, program = variables.get("TERM", ""), variables.get("TERM_PROGRAM", "")
    if "TMUX" in variables or term.startswith(("tmux", "screen")):
        return None
    if "KITTY_WINDOW_ID" in variables or term in ("xterm-kitty", "xterm-ghostty"):
        return as_kitty
    if program in ("iTerm.app", "WezTerm") or variables.get("LC_TERMINAL") == "iTerm2":
        return as_iterm
    return None


def as_kitty(png: bytes, columns: int) -> str:
    """A PNG in kitty's protocol, so many columns wide."""
    text = base64.b64encode(png).decode()
    chunks = [text[k : k + _CHUNK] for k in range(0, len(text), _CHUNK)]
    out = []
    for number, chunk in enumerate(chunks, 1):
        first = f"a=T,f=100,q=2,c={columns}," if number == 1 else ""
        out.append(f"\x1b_G{first}m={int(number < len(chunks))};{chunk}\x1b\\")
    return "".join(out) + "\n"


def as_iterm(png: bytes, columns: int) -> str:
    """A PNG in iTerm2's protocol, so many columns wide."""
    text = base64.b64encode(png).decode()
    return f"\x1b]1337;File=inline=1;size={len(png)};width={columns}:{text}\a\n"
