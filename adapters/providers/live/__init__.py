"""How GPT-Live is spoken to (docs/facts/gpt_live.md): full duplex, the model decides who speaks.

Pure: `protocol` (wire text to events, effects to wire events), `session` (what a session is started with), `utterances`
(what the model says, found in endless audio), `reader` (what each needs to remember of a session). I/O: `connection`.
"""
