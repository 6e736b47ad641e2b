"""Calls whose audio is elsewhere (WebRTC, SIP at the provider): no audio path, a session to attach to, and ways in."""
