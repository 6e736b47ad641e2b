"""Specs as pictures and pages, as text. Never here: a renderer."""
