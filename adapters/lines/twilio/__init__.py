"""Twilio Media Streams: the codec, who may come in (gate, webhook), the connection of a call, its server."""
