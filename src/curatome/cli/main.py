"""The command `curatome`, and its front door: every error ends here as a sentence."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from curatome import __version__
from curatome.cli import (
    add,
    agree,
    annotation,
    build,
    cells,
    check,
    demo,
    drift,
    exchange,
    explain,
    export,
    guideline,
    init,
    release,
    report,
    slides,
    sources,
    status,
    versions,
    withdraw,
)
from curatome.cli.console import ERROR, console, errors
from curatome.errors import CuratomeError

_STOPPED = 130


class _Commands(TyperGroup):
    """All commands; one that is stopped by hand says what became of its work."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say_stopped()
            raise typer.Exit(_STOPPED) from None


def _say_stopped() -> None:
    errors.print("Stopped. What is done is kept; the same command goes on from here.")


app = typer.Typer(
    name="curatome",
    cls=_Commands,
    help="Builds pathology image datasets the way good engineers build software.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (
    init,
    add,
    slides,
    exchange,
    export,
    annotation,
    guideline,
    agree,
    drift,
    build,
    cells,
    check,
    explain,
    sources,
    versions,
    withdraw,
    release,
    report,
    status,
    demo,
):
    module.register(app)


@app.callback(invoke_without_command=True)
def root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    """Slides and annotations in, a standardized, versioned dataset out."""
    if version:
        console.print(f"curatome {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; exit 0 clean, 1 findings, 2 error, 130 stopped."""
    try:
        app(standalone_mode=True)
    except CuratomeError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(ERROR)
    except KeyboardInterrupt:
        _say_stopped()
        sys.exit(_STOPPED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        errors.print(
            f"[bold red]error:[/] {escape(where + (error.strerror or str(error)))}", soft_wrap=True
        )
        sys.exit(ERROR)
    except Exception:
        # The front door: what nobody foresaw ends here too, with its trace and whom to tell.
        traceback.print_exc()
        errors.print(
            "[bold red]error:[/] this is a defect of Curatome, not of your data. Please report "
            f"it with the lines above and the version, {__version__}."
        )
        sys.exit(ERROR)


if __name__ == "__main__":
    main()
