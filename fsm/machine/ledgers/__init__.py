"""Identities and recipes of each provider protocol: one module for each."""
