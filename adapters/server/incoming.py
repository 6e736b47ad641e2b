"""Telephone calls that the provider announces by its webhook, and who takes a call: one that rings is let in first.

A delivery is answered at once; its call goes on in a task of its own, and whoever hears a ringing tone is told by SIP
that he is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import structlog

from adapters.audio.speech import SOUND_BEGAN
from adapters.call.words import printable
from adapters.lines.line import CallData, CallLeg
from adapters.lines.refusal import CallRefusal, OnRefused
from adapters.lines.sideband import sip
from adapters.lines.sideband.attachments import Attachments
from adapters.lines.sideband.control import SidebandControlError
from adapters.lines.sideband.leg import SidebandLeg
from adapters.lines.sideband.settings import SipWebhookSettings
from adapters.lines.sideband.webhook import IncomingSipCall, SipWebhook, WebhookRefusal
from adapters.providers.provider import EncodingError
from adapters.server.agents import AGENT, Agent, Agents
from adapters.server.store import CallStore
from fsm.language.spec import Spec

log = structlog.get_logger(__name__)


class IncomingCalls:
    """`take` for each delivery."""

    def __init__(self, settings: SipWebhookSettings, attachments: Attachments, on_refused: OnRefused) -> None:
        """`on_refused`: of calls."""
        self.path = settings.path
        self.on_delivery_refused: Callable[[WebhookRefusal], None] = lambda _why: None
        self._agent_header = settings.agent_header.lower()
        self._webhook = SipWebhook(settings.secrets)
        self._attachments = attachments
        self._on_refused = on_refused

    def take(self, headers: Mapping[str, str], body: bytes) -> WebhookRefusal | None:
        """`headers`: names in lower case. None: the delivery was good, whatever becomes of its call."""
        taken = self._webhook.take(headers, body)
        if isinstance(taken, IncomingSipCall):
            return self._begin(taken)
        self.on_delivery_refused(taken)
        return taken

    def refuse(self, why: WebhookRefusal) -> None:
        """One that could not even be read."""
        self.on_delivery_refused(self._webhook.refuse(why))

    def _begin(self, call: IncomingSipCall) -> WebhookRefusal | None:
        caller_id, dialled = (sip.number_of(call.headers.get(name, "")) for name in (sip.CALLER, sip.DIALLED))
        variables = sip.variables_of(call.headers)
        if agent := call.headers.get(self._agent_header, "").strip():
            variables[AGENT] = agent
        why = self._attachments.attach(
            call.call_id, caller_id=caller_id, dialled=dialled, variables=variables, rings=True
        )
        if why == CallRefusal.LIVE_CALL:
            self.refuse(WebhookRefusal.REPEATED)
            return WebhookRefusal.REPEATED
        if why is not None:
            self._on_refused(call.call_id, why)
            self._attachments.turn_away(call.call_id, why)
        log.info("sideband_call_announced", call_id=call.call_id, refused=why or "")
        return None


@attrs.frozen
class NotTaken:
    """A call that nobody here takes: the name of the reason, and the reason."""

    why: CallRefusal
    text: str


async def held_at(store: CallStore, leg: CallLeg) -> str:
    """Which other node has a call that rings here: its delivery has come again, to us. "": none."""
    return await store.holder(leg.call_id) if isinstance(leg, SidebandLeg) and leg.rings else ""


def without_audio(spec: Spec) -> str:
    """Why this spec cannot hold a call whose audio is elsewhere; "": it can (docs/sideband.md)."""
    if spec.turn_detection.manual:
        return f"{spec.name} opens and closes turns by the audio that we send, and none comes by here"
    if SOUND_BEGAN in spec.vocabulary.events:
        return f"{spec.name} goes by what is heard of the caller on the line, and nothing is heard here"
    return ""


async def agent_of(agents: Agents, leg: CallLeg, data: CallData) -> Agent | NotTaken:
    """Who takes a call; a caller who hears a ringing tone is let in, into the agent's session, before that is known."""
    agent = agents.of(data)
    if agent is None:
        return NotTaken(CallRefusal.UNKNOWN_AGENT, f"there is no agent '{printable(data.variables[AGENT])}'")
    if why := agent.providers.refusal():
        return NotTaken(CallRefusal.NO_PROVIDER, f"no provider would take it: {why}")
    if isinstance(leg, SidebandLeg) and (text := without_audio(agent.settings.spec)):
        return NotTaken(CallRefusal.SPEC_UNFIT, text)
    if isinstance(leg, SidebandLeg) and leg.rings:
        try:
            await leg.accept(agent.session_to_accept(leg.call_id, data))
        except (SidebandControlError, EncodingError) as error:
            return NotTaken(CallRefusal.NOT_ACCEPTED, str(error))
    return agent
