"""`curatome explain`: rules in words and pictures."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from curatome.cli.checked import COLORS
from curatome.cli.console import JsonOption, console, print_json
from curatome.cli.terminal_picture import encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curatome.rules.rule import Rule

_WIDTH = 96
_COLUMNS = 90
"""How wide a picture is in the terminal."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    code: Annotated[
        str, typer.Argument(help="A rule, CLN001, or a family, CLN; all rules if not given.")
    ] = "",
    html: Annotated[
        Path | None, typer.Option("--html", help="Write it with its pictures as one HTML file.")
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Show it with its pictures in the browser.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """What a rule finds, why that matters, and what to do about it."""
    from curatome.rules.registry import rule_of
    from curatome.workflows.explain import rules_of

    rules = rules_of(code) or (rule_of(code),)
    single = code.upper() == rules[0].code
    if html is not None or open_:
        _page(rules, html, opened=open_)
    elif as_json:
        plain = [plain_rule(rule) for rule in rules]
        print_json(plain[0] if single else {"rules": plain})
    elif single:
        _print_rule(rules[0])
    else:
        _print_list(rules)


def _page(rules: Sequence[Rule], path: Path | None, *, opened: bool) -> None:
    from curatome.workflows.explain import explain_html

    name = f"curatome-{rules[0].code if len(rules) == 1 else 'rules'}.html"
    path = path or Path(tempfile.mkdtemp(prefix="curatome-")) / name
    explain_html(rules, path)
    console.print(f"Written: {escape(str(path))}", soft_wrap=True)
    if opened and not webbrowser.open(path.resolve().as_uri()):
        console.print("There is no browser here that could be opened; open that file in one.")


def plain_rule(rule: Rule) -> dict[str, object]:
    """A rule without its code, of JSON's types."""
    from curatome.rules.illustrated import picture_of

    plain = {name: value for name, value in vars(rule).items() if name != "look"}
    settings = {name: {"default": d, "why": why} for name, (d, why) in rule.settings.items()}
    picture = picture_of(rule.code)
    shown = None if picture is None else str(picture)
    return {**plain, "needs": list(rule.needs), "settings": settings, "picture": shown}


def _print_list(rules: Sequence[Rule]) -> None:
    from curatome.rules.rule import FAMILIES

    for family, title in FAMILIES.items():
        own = [rule for rule in rules if rule.family == family]
        if own:
            console.print(f"[bold]{family}[/] {escape(title)}", soft_wrap=True)
        for rule in own:
            color = COLORS[rule.severity]
            mark = "  [dim]--fix[/]" if rule.fixable else ""
            console.print(
                f"  [bold]{rule.code}[/] [{color}]{rule.severity!s:<7}[/] {rule.name}{mark}"
            )
    console.print(
        "[dim]One of them: curatome explain CODE. With pictures: curatome explain --open[/]"
    )


def _print_rule(rule: Rule) -> None:
    """All texts of a rule, and its picture."""
    from curatome.workflows.explain import default_text, promised

    color = COLORS[rule.severity]
    fixable = ", mended by --fix" if rule.fixable else ""
    scope = "each image by itself" if rule.scope == "image" else "the whole dataset"
    console.print(f"[bold]{rule.code} {rule.name}[/]  [{color}]{rule.severity}[/]{fixable}")
    shown = _shows_picture(rule)
    parts = {
        "What": rule.what,
        "Why it matters": rule.why,
        "Fails": rule.bad,
        "Passes": rule.good,
        "What to do": rule.fix,
        "How it is found": f"{rule.method} It looks at {scope}.",
        "Promise": promised(rule),
    }
    for title, text in parts.items():
        if text:
            console.print(f"\n[bold]{title}[/]")
            _wrapped(text)
    if rule.settings:
        console.print(f"\n[bold]Settings[/], under \\[check.rules.{rule.code}]")
        for name, (default, why) in rule.settings.items():
            _wrapped(f"{name} = {default_text(default)}  {why}.")
    if not shown:
        _tell_of_picture(rule)


def _shows_picture(rule: Rule) -> bool:
    """Show the picture of a rule, if it has one and the terminal can show it."""
    from curatome.rules.illustrated import picture_of

    encode = encoder(os.environ) if sys.stdout.isatty() else None
    picture = picture_of(rule.code)
    if encode is None or picture is None:
        return False
    sys.stdout.write("\n" + encode(picture.read_bytes(), min(_COLUMNS, console.width)))
    sys.stdout.flush()
    return True


def _tell_of_picture(rule: Rule) -> None:
    from curatome.rules.illustrated import picture_of

    picture = picture_of(rule.code)
    if picture is not None:
        told = f"Picture: {picture}, or curatome explain {rule.code} --open"
        console.print(f"\n[dim]{escape(told)}[/]", soft_wrap=True)


def _wrapped(text: str) -> None:
    console.print(
        escape(textwrap.fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")),
        soft_wrap=True,
    )
