"""Logs of calls, read for the question whether the world could have produced them. Never the answer to it."""
