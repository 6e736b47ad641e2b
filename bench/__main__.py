"""`python -m bench`: all that is measured, in some minutes. `python -m bench.step` and `bench.calls` are its parts."""

from __future__ import annotations

from bench import calls, step
from bench.bridge import WHO


def main() -> None:
    step.show(rounds=300, calls=100)
    calls.show(WHO, (50, 100, 250), seconds=10.0, spread=8.0, settle=6.0, rounds=1)


if __name__ == "__main__":
    main()
