"""Logs of calls, read for an audit, all of them as streams; the report for a terminal and as a page."""
