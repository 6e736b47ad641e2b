"""Small bridges as people write them, and how the kit tests them (docs/kit.md). None of them has turnspec's machine."""
