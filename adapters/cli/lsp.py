"""`turnspec lsp`: the language server that editors start. Never what it answers (adapters.lsp)."""

from __future__ import annotations

from typing import Final

import click

NEEDS: Final = "the language server needs pygls: pip install 'turnspec[editor]'"


@click.command()
@click.option("--stdio", is_flag=True, help="Speak over stdin and stdout: what it does anyway; some editors say so.")
def command(stdio: bool) -> None:  # noqa: ARG001
    """Serve an editor over stdin and stdout by the Language Server Protocol (docs/editor.md).

    While a spec is being typed: the problems of `turnspec check` in the file they are in, what may stand at a place,
    what a word means and where it is defined, and the outline of the text.

    Exit code: 0 the editor has ended it, 1 the extra `editor` is not installed.
    """
    try:
        from adapters.lsp.server import new_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise click.ClickException(NEEDS) from None
    new_server().start_io()
