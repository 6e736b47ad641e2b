"""Calls that go wrong, by the thousand: every fault the simulators know, drawn from a seed, over every line."""
