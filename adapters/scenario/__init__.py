"""Scenarios with files and sockets. Never here: what a line means."""
