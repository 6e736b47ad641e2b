"""The spec language: YAML text to typed values, names and slots checked. Never here: what a running call does."""
