"""How to get a call into each state of each bundled spec. Never a check."""

from __future__ import annotations

from tests.fsm.stories.story import Story

_VAD_TURN = """
    speech_started u1 | user_speaking    | flush_playout() watch_silence
    flushed           | user_speaking    |
"""
_TURN = {
    "server_vad": _VAD_TURN,
    "owned_turns": _VAD_TURN,
    "guarded_turns": _VAD_TURN,
    "push_to_talk": """
        key #       | user_speaking | flush_playout() clear_audio open_uplink watch_silence
        flushed     | user_speaking |
        committable | user_speaking |
    """,
}
_PENDING = {
    "server_vad": """
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
    """,
    "owned_turns": """
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending | create_response(turn)
    """,
    "push_to_talk": """
        key #             | response_pending | close_uplink commit_audio unwatch_silence
        committed u1      | response_pending | create_response(turn)
    """,
}
_PENDING["guarded_turns"] = _PENDING["owned_turns"]
_CREATED = {"server_vad": "created r1", "owned_turns": "created r1 ours"}
_CREATED["guarded_turns"] = _CREATED["push_to_talk"] = _CREATED["owned_turns"]

STATES = (
    "connecting", "awaiting_session_created", "configuring", "configured", "user_speaking", "response_pending",
    "responding", "playing_out", "tool_call", "reconnecting", "closing", "closed",
)  # fmt: skip
LIVE = STATES[:-2]
SESSION = STATES[3:9]


def in_state(spec: str, state: str, owed: str = "none") -> Story:
    """A call in a state; the greeting is not wanted unless told so."""
    story = Story(spec, owed=owed)
    early = {"connecting": "", "awaiting_session_created": "opened", "configuring": "opened\nsession_created"}
    if state in early:
        return story.tell(early[state])
    story.ready()
    made = {
        "configured": (),
        "user_speaking": (_TURN[spec],),
        "response_pending": (_TURN[spec], _PENDING[spec]),
        "responding": (_TURN[spec], _PENDING[spec], _CREATED[spec]),
        "playing_out": (_TURN[spec], _PENDING[spec], _CREATED[spec], "heard r1 i1\ndone r1"),
        "tool_call": (_TURN[spec], _PENDING[spec], _CREATED[spec], "calls r1 c1\ndone r1 calls c1"),
        "reconnecting": ("closed",),
        "closing": ("closed fatal",),
        "closed": ("hung_up",),
    }[state]
    for table in made:
        story.tell(table)
    assert story.state == state, "\n".join(story.told)
    return story
