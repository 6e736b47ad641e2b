"""How Gemini Live is spoken to (docs/facts/gemini_live.md): the model takes its turns by itself, and asks for nothing.

Pure: `session` (what a session is set up with), `protocol` (effects to wire messages, and what an event carries besides
its meaning for a turn), `messages` (one wire message is several events), `codec` (what must be remembered of a session:
answers without ids, open calls, the handle of its resumption). I/O: `connection`, `provider`.
"""
