"""A WebSocket of either side: the sans-I/O protocol of `websockets` under our own asyncio.Protocol. Never a policy.

A message goes from `data_received` straight to a sink, several per wake-up, and a write is one call: no task, queue or
await per frame. Never here: which line, which provider, JSON.
"""
