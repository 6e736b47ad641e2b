"""What is tried: who calls where, what the agents do, and what the dialplan must and must not have done then."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class DialplanTrial:
    """`does`: beginnings of applications, in this order, with others between them."""

    name: str
    dial: str
    """EXTENSION@CONTEXT"""
    first: tuple[str, ...] = ()
    """What the agent at 127.0.0.1 does with its calls (agents.py)."""
    second: tuple[str, ...] = ()
    does: tuple[str, ...]
    never: tuple[str, ...] = ()
    caller: str = "application Milliwatt"
    calls: tuple[int, int] = (1, 0)
    """How many come to each."""
    rate_hz: int = 0
    """0: any."""
    dialled: str = ""
    """That was announced, for the call that came."""
    mistake: str = ""
    """That is named in our log."""


_SORRY: Final = "Playback(tt-allbusy"
_END: Final = "Hangup("

TRIALS: Final = (
    DialplanTrial(name="served", dial="100@agent", does=("TryExec(AudioSocket(", "Hangup("), never=(_SORRY,)),
    DialplanTrial(name="refused", dial="100@agent", first=("refuse",), does=(_SORRY, _END)),
    DialplanTrial(name="provider failed", dial="100@agent", first=("provider_failed",), does=(_SORRY, _END)),
    DialplanTrial(
        name="died once",
        dial="100@agent",
        first=("die", "completed"),
        does=("TryExec(", "TryExec(", _END),
        never=(_SORRY,),
        calls=(2, 0),
    ),
    DialplanTrial(
        name="died twice",
        dial="100@agent",
        first=("die", "die"),
        does=("TryExec(", "TryExec(", _SORRY, _END),
        calls=(2, 0),
    ),
    DialplanTrial(
        name="put through",
        dial="100@agent",
        first=("transfer:sales",),
        does=("Dial(PJSIP/sales,30,r", "Playback(vm-nobodyavail"),
        never=(_SORRY,),
    ),
    DialplanTrial(
        name="put through to nobody",
        dial="100@agent",
        first=("transfer:nobody",),
        does=("Log(WARNING", "Playback(vm-nobodyavail"),
        never=(_SORRY,),
    ),
    DialplanTrial(name="no door, served", dial="100@agent-no-http", does=("TryExec(", _END), never=(_SORRY,)),
    DialplanTrial(name="no door, refused", dial="100@agent-no-http", first=("refuse",), does=(_SORRY, _END)),
    DialplanTrial(
        name="channel, served in wideband",
        dial="101@agent-dial",
        does=("Dial(AudioSocket/", _END),
        never=(_SORRY,),
        rate_hz=16_000,
    ),
    DialplanTrial(
        name="channel, refused", dial="101@agent-dial", first=("refuse",), does=("Dial(AudioSocket/", _SORRY, _END)
    ),
    DialplanTrial(
        name="WebSocket, served",
        dial="102@agent-websocket",
        does=("Dial(WebSocket/agent", _END),
        never=(_SORRY,),
        rate_hz=16_000,
    ),
    DialplanTrial(name="WebSocket, refused", dial="102@agent-websocket", first=("refuse",), does=(_SORRY, _END)),
    DialplanTrial(
        name="no ARI application", dial="103@agent-ari", does=("Stasis(agent", "TryExec(", _END), never=(_SORRY,)
    ),
    DialplanTrial(
        name="outbound, a human",
        dial="hello@try",
        caller="extension s@agent-outbound",
        does=("AMD(", "TryExec(", _END),
        never=(_SORRY, "WaitForSilence("),
    ),
    DialplanTrial(
        name="queue first", dial="105@agent-queue", does=("Queue(support,,,,30", "TryExec(", _END), never=(_SORRY,)
    ),
    DialplanTrial(
        name="agent first, refused",
        dial="106@agent-queue",
        first=("refuse",),
        does=("TryExec(", "Queue(support,,,,300", _SORRY),
    ),
    DialplanTrial(
        name="agent first, served", dial="106@agent-queue", does=("TryExec(", _END), never=("Queue(", _SORRY)
    ),
    DialplanTrial(
        name="second server",
        dial="107@agent-two",
        first=("refuse",),
        does=("TryExec(", "TryExec(", _END),
        never=(_SORRY,),
        calls=(1, 1),
    ),
    DialplanTrial(name="first server", dial="107@agent-two", does=("TryExec(", _END), never=(_SORRY,)),
    DialplanTrial(
        name="both refuse",
        dial="107@agent-two",
        first=("refuse",),
        second=("refuse",),
        does=("TryExec(", "TryExec(", _SORRY, _END),
        calls=(1, 1),
    ),
    DialplanTrial(
        name="no consent",
        dial="108@agent-consent",
        does=("Read(CONSENT", "TryExec(", _END),
        never=("MixMonitor(", _SORRY),
    ),
    DialplanTrial(
        name="CDR and report",
        dial="109@agent-cdr",
        does=("Set(CDR(userfield)=", "TryExec(", _END, "UserEvent(AgentResult,"),
        never=(_SORRY,),
    ),
    DialplanTrial(
        name="announced",
        dial="110@agent-announced",
        does=("Set(SAID=", "TryExec(", _END),
        never=(_SORRY,),
        dialled="110",
    ),
    DialplanTrial(
        name="not answered", dial="unanswered@try", does=("TryExec(AudioSocket(",), calls=(0, 0), mistake="said_nothing"
    ),
    DialplanTrial(
        name="not allowed", dial="not-allowed@try", does=("TryExec(AudioSocket(", "NoOp(FAILED"), calls=(0, 0)
    ),
    DialplanTrial(
        name="G.711 called PCM", dial="g711@try", first=("talk",), does=("Dial(AudioSocket/",), mistake="g711"
    ),
)
