"""The cookbook: which of its parts go together, and what a search has found of each of them and each pair."""
