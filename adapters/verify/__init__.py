"""Verification with files, processes, a screen and SPIN. Never here: what is judged."""
