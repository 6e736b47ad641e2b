"""Levels: of one frame, and of many at once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.level import mean_square, mean_squares

_alike = st.integers(0, 5).flatmap(
    lambda size: st.lists(st.binary(min_size=64 * size, max_size=64 * size), max_size=30)
)


@given(_alike | st.lists(st.binary(max_size=9), max_size=9))
def test_together_they_are_what_each_is_alone(frames: Sequence[bytes]) -> None:
    assert mean_squares(frames) == pytest.approx([mean_square(frame) for frame in frames], rel=1e-5)
