"""`python -m turnspec`, and what the command `turnspec` runs."""

from __future__ import annotations

from adapters.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main(prog_name="turnspec")
