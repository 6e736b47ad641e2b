"""What went wrong in a call, from its log alone: rules over a stream of wire events, our machine beside them, a report.

Never here: files, formats of logs, colours of a terminal (adapters.audit, adapters.cli.audit).
"""
