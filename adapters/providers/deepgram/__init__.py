"""How Deepgram's Voice Agent is spoken to (docs/facts/deepgram_agent.md): the provider owns the turns.

Pure: `protocol` (effects to wire events, wire text to events), `session` (what a session is told once), `reader` (what
nobody says and the order does: where an answer begins and ends). I/O: `connection`.
"""
