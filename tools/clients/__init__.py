"""`python -m tools.clients`: clients of other people's hold a call against the simulated provider.

Each in an environment of its own, made on demand; the judge of a call is what the provider saw of it.
"""
