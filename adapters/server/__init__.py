"""The process that takes calls."""
