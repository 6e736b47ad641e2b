"""The command `turnspec`: a group of commands, each in a module of its own, imported when it is used.

Exit codes: 0 good, 1 problems found, 2 wrong use. Never here: what a command does.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Mapping
from typing import Any, Final

import click

# Each command's one line of help by its name, which is its module's: kept here so that `--help` imports no command.
GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "Try it, run it": {
        "demo": "Play a real call between the shipped simulators, about half a minute.",
        "serve": "Take calls from Asterisk, as a configuration file says.",
        "doctor": "Try what a configuration needs: provider, ports, files, Asterisk.",
        "top": "Show the calls of a running server, and what it measures.",
    },
    "Write a spec": {
        "check": "Type-check specs: what is wrong, where, and how it comes about.",
        "new": "Start a spec of your own: what it extends and includes, its scenarios, its configuration.",
        "show": "Show what a spec changes of the one it extends, or the whole as one text.",
        "prompts": "Make the recordings of a spec of their texts, by a command of yours.",
        "verify": "Visit every run of a spec in its world: what holds, or a shortest run where not.",
        "test": "Run scenarios: given events, expected states, effects and deadlines; coverage.",
        "diff": "Compare two versions of a spec: text, behaviour, recorded calls.",
        "diagram": "Draw specs: diagrams and tables, or check that they are fresh.",
        "lsp": "Serve an editor: problems, completion, meanings, definitions, as you type.",
        "schema": "Write the JSON Schemas by which editors complete specs.",
    },
    "Look into calls": {
        "audit": "Find what went wrong in calls from their logs, whoever took them.",
        "replay": "Step a journal again, through its own spec or another.",
    },
    "Test a bridge of your own": {
        "simulate": "Run one of the simulators alone: a provider or a caller.",
    },
}
COMMANDS: Final = tuple(name for group in GROUPS.values() for name in group)

MOVED: Final[dict[str, str]] = {"accept": "python -m tools.acceptance LOG..., in a checkout"}


class LazyGroup(click.Group):
    """Loads a command's module when the command is named."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in MOVED:
            raise click.UsageError(f"'{cmd_name}' has moved: {MOVED[cmd_name]}", ctx)
        if cmd_name not in COMMANDS:
            import difflib  # only for an error

            close = difflib.get_close_matches(cmd_name, COMMANDS, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(COMMANDS)}"
            raise click.UsageError(f"there is no command '{cmd_name}'; {hint}", ctx)
        command = importlib.import_module(f"{__name__}.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().main(*args, **extra)
        except OSError as error:  # a full disk, a folder that is read-only: of the machine, and not of the program
            what = error.filename if error.filename is not None else "the output cannot be written"
            click.echo(f"turnspec: {what}: {error.strerror or error}", err=True)
            sys.stdout = io.StringIO()  # or Python tries once more at its end
            sys.exit(1)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in group.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with `turnspec demo`. Then `turnspec new` a spec of your own, `turnspec check` it, and hear it "
    "with `turnspec demo --spec FILE`. `turnspec COMMAND --help` explains a command.",
)
@click.version_option(package_name="turnspec")
def main() -> None:
    """Turn-taking of telephone voice agents as a declarative state machine.

    A call's lifecycle is a spec in YAML: checked before it runs, drawn for review, and the only thing that may act.
    """
