"""Scenarios of spec authors: read, run, measured, made. Never here: files."""
