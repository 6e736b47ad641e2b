"""How a realtime model is spoken to: the seam (`provider`), one package for each protocol, and what these share.

connection.py          one session's socket: bytes out without a task, facts in; what they mean is a `WireCodec`
endpoint.py            where to connect and with which headers; the only holder of a secret
endings.py             which ends of a connection, or failures to open one, it makes sense to retry
encoding.py            how an effect is written: a row of a protocol's table, and its arguments
websocket_provider.py  what a protocol's `Provider` begins with
failover.py            several providers, as one
"""
