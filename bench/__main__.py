"""`python -m bench`: all that is measured, in some minutes. `python -m bench.step` and `bench.calls` are its parts."""

from __future__ import annotations

from bench import calls, step


def main() -> None:
    step.show(rounds=300, calls=100)
    calls.show(calls.Plan())


if __name__ == "__main__":
    main()
