"""The last word: who moves, hangs up or marks the caller's channel from outside. Never the media."""
