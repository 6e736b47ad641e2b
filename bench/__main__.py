"""`python -m bench`: everything that is measured, in some minutes. Each part runs alone as `python -m bench.step|calls`."""

from __future__ import annotations

from bench import calls, step


def main() -> None:
    step.show(rounds=300, calls=100)
    calls.show(calls.WHO, (50, 100, 250), seconds=10.0, spread=8.0, settle=6.0, rounds=1)


if __name__ == "__main__":
    main()
