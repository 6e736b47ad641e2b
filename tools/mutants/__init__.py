"""Specs broken in every systematic way, and who notices."""
