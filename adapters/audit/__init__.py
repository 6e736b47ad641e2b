"""Logs of calls, read for an audit: one small reader for each format, all of them streams. Never what a log means."""
