"""The caller's end of each kind of line."""
