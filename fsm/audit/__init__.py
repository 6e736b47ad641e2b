"""What went wrong in a call, from its log alone: rules over a stream of wire events, our machine beside them, a report.

Files, formats of logs, pages and terminals are in adapters.audit.
"""
