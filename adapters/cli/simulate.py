"""`turnspec simulate`: one of the simulators alone, against somebody's own bridge. Watches and judges, no more."""

from __future__ import annotations

import click

from adapters.cli.simulate_caller import caller
from adapters.cli.simulate_provider import provider


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Run one of the simulators alone: the provider's side of a bridge, or Asterisk's with a caller.

    Both speak the real wire, so that what is tested may be anything: turnspec, or a bridge of your own in any language.

    \b
      your bridge, without OpenAI:    turnspec simulate provider --port 8765
                                      (point the bridge at ws://127.0.0.1:8765/v1/realtime)
      your bridge, without Asterisk:  turnspec simulate caller 127.0.0.1:9019  (AudioSocket)
                                      turnspec simulate caller ws://127.0.0.1:9020/media  (chan_websocket)
      both at once:                   the two commands above, in two terminals
      turnspec itself between them:   turnspec serve FILE, in a third

    In a CI: --fail-on, --junit, `expect:` in scripts and scenarios; or pytest, with the fixtures `realtime_provider`
    and `phone` that come with turnspec (docs/kit.md).
    """


command.add_command(provider)
command.add_command(caller)
