"""The command `turnspec`: a group of commands, each in a module of its own, imported when it is used.

Exit codes: 0 good, 1 problems found, 2 wrong use. Never here: what a command does.
"""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any, Final

import click

# name: (module, one line of help) - kept here so that `--help` imports no command.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("adapters.cli.demo", "Play a real call between the shipped simulators, about half a minute."),
    "serve": ("adapters.cli.serve", "Take calls from Asterisk, as a configuration file says."),
    "diff": ("adapters.cli.diff", "What changes between two versions of a spec: text, behaviour, recorded calls."),
    "check": ("adapters.cli.check", "Type-check specs: what is wrong, where, and how it comes about."),
    "verify": (
        "adapters.cli.verify",
        "Visit every run of a spec in its world: what holds, or a shortest run where not.",
    ),
    "test": ("adapters.cli.test", "Run scenarios: given events, expected states, effects and deadlines; coverage."),
    "audit": ("adapters.cli.audit", "What went wrong in calls, from their logs alone: anybody's, not only ours."),
    "diagram": ("adapters.cli.diagram", "Write the diagrams and tables of specs, or check that they are fresh."),
    "schema": ("adapters.cli.schema", "Write the JSON Schemas of spec files, or check that they are fresh."),
    "replay": ("adapters.cli.replay", "Step a journal again, through its own spec or another."),
    "simulate": ("adapters.cli.simulate", "Run one of the simulators alone: a provider or a caller."),
}

MOVED: Final[dict[str, str]] = {"accept": "python -m tools.acceptance LOG..., in a checkout"}


class LazyGroup(click.Group):
    """Loads a command's module when the command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in MOVED:
            raise click.UsageError(f"'{cmd_name}' has moved: {MOVED[cmd_name]}", ctx)
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with `turnspec demo`. Then edit a copy of specs/server_vad.yaml, `turnspec check` it, and hear it "
    "with `turnspec demo --spec FILE`. `turnspec COMMAND --help` tells more about each command.",
)
@click.version_option(package_name="turnspec")
def main() -> None:
    """Turn-taking of telephone voice agents as a declarative state machine.

    A call's lifecycle is a spec in YAML: checked before it runs, drawn for review, and the only thing that may act.
    """
