"""`curatome explain` in the terminal, as JSON and as a page."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image

from curatome.cli import explain, terminal_picture
from curatome.cli.terminal_picture import as_iterm, as_kitty, encoder
from curatome.rules.illustrated import picture_of
from curatome.rules.registry import all_rules


def test_every_rule_is_listed_and_explained(run) -> None:
    out = run("explain").out
    assert all(rule.code in out and rule.name in out for rule in all_rules())
    result = run("explain", "syn004")
    assert result.code == 0
    for text in ("SYN004 self-crossing", "Why it matters", "Fails", "Passes", "What to do"):
        assert text in result.out
    assert "alpha = 0.01" in run("explain", "DRF003").out
    only = run("explain", "DRF").out
    assert "DRF001" in only
    assert "SYN001" not in only


def test_as_json_and_what_is_unknown(run) -> None:
    held = run("explain", "DRF003", "--json").json
    assert held["settings"]["alpha"]["default"] == 0.01
    assert held["picture"] == str(picture_of("DRF003"))
    assert run("explain", "CHK001", "--json").json["picture"] is None
    assert len(run("explain", "--json").json["rules"]) == len(all_rules())
    result = run("explain", "SYN999")
    assert (result.code, "SYN has SYN001" in result.err) == (2, True)


def test_without_a_terminal_it_is_told_where_the_picture_lies(run, monkeypatch) -> None:
    monkeypatch.setenv("KITTY_WINDOW_ID", "1")
    out = run("explain", "CLN001").out
    assert f"Picture: {picture_of('CLN001')}, or curatome explain CLN001 --open" in out
    assert "\x1b_G" not in out
    assert "Picture" not in run("explain", "CHK001").out


def test_a_terminal_that_can_shows_it(run, monkeypatch) -> None:
    monkeypatch.setattr(explain, "encoder", lambda _: as_iterm)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    out = run("explain", "CLN001").out
    picture = picture_of("CLN001").read_bytes()
    assert as_iterm(picture, 90) in out
    assert "Picture:" not in out


@pytest.mark.parametrize(
    ("variables", "encode"),
    [
        ({"KITTY_WINDOW_ID": "1", "TERM": "xterm-kitty"}, "as_kitty"),
        ({"TERM": "xterm-ghostty"}, "as_kitty"),
        ({"TERM_PROGRAM": "WezTerm", "TERM": "xterm-256color"}, "as_iterm"),
        ({"TERM_PROGRAM": "iTerm.app"}, "as_iterm"),
        ({"LC_TERMINAL": "iTerm2"}, "as_iterm"),
        ({"KITTY_WINDOW_ID": "1", "TMUX": "/tmp/tmux"}, None),
        ({"TERM_PROGRAM": "iTerm.app", "TERM": "screen.xterm"}, None),
        ({"TERM": "xterm-256color"}, None),
        ({}, None),
    ],
)
def test_terminals_are_known_by_their_variables(variables, encode) -> None:
    known = None if encode is None else getattr(terminal_picture, encode)
    assert encoder(variables) is known


def test_a_picture_survives_both_protocols() -> None:
    png = picture_of("SYN004").read_bytes()
    commands = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", as_kitty(png, 80))
    assert base64.b64decode("".join(text for _, text in commands)) == png
    assert all(len(text) <= 4096 for _, text in commands)
    assert commands[0][0] == "a=T,f=100,q=2,c=80,m=1"
    assert [keys[-3:] for keys, _ in commands] == ["m=1"] * (len(commands) - 1) + ["m=0"]
    (found,) = re.findall(r"\x1b\]1337;File=inline=1;size=(\d+);width=80:(.*)\a", as_iterm(png, 80))
    assert (int(found[0]), base64.b64decode(found[1])) == (len(png), png)


def test_a_page_of_one_rule(run, tmp_path) -> None:
    path = tmp_path / "new" / "page.html"
    result = run("explain", "CLN001", "--html", path)
    assert (result.code, f"Written: {path}" in result.out) == (0, True)
    page = path.read_text(encoding="utf-8")
    assert "<title>CLN001 loose-outline · Curatome</title>" in page
    assert "Why it matters" in page
    assert "<code>least_px</code>" in page
    assert 'class="contents"' not in page
    (source,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert base64.b64decode(source) == picture_of("CLN001").read_bytes()


def test_a_page_of_all_rules_by_family(run, tmp_path) -> None:
    path = tmp_path / "rules.html"
    assert run("explain", "--html", path).code == 0
    page = path.read_text(encoding="utf-8")
    codes = [rule.code for rule in all_rules()]
    assert re.findall(r'<article class="rule" id="(\w+)">', page) == codes
    targets = set(re.findall(r'id="([^"]+)"', page))
    links = set(re.findall(r'href="([^"]+)"', page))
    assert all(link[0] == "#" and link[1:] in targets for link in links)
    assert {f"#{code}" for code in codes} < links
    assert page.count("<img ") == sum(picture_of(code) is not None for code in codes)
    assert set(re.findall(r'src="([^,]+),', page)) == {"data:image/png;base64"}


def test_opening_writes_a_page_and_shows_it(run, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(explain.webbrowser, "open", lambda url: shown.append(url) or False)
    result = run("explain", "CLN001", "--open")
    assert result.code == 0
    assert "no browser" in result.out
    assert shown[0].startswith("file:///")
    assert shown[0].endswith("curatome-CLN001.html")


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_pictures_are_small_and_wide_enough(rule) -> None:
    path = picture_of(rule.code)
    if path is None:
        assert rule.family in ("CHK", "ACQ", "SYN")
        return
    content = path.read_bytes()
    assert len(content) < 100_000
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        assert picture.width >= 720
        assert picture.width / picture.height == pytest.approx(720 / 336, rel=0.01)
