"""Pictures as SVG by pygraphviz, whose wheel carries Graphviz: no system package. Optional: the extra `draw`.

Never here: what is drawn (fsm.draw.dot).
"""

from __future__ import annotations

from typing import Final

NEEDS: Final = "drawing SVG needs pygraphviz: pip install 'turnspec[draw]'"


class CannotDraw(Exception):
    """Graphviz is not installed, or refuses the text."""


def svg(dot: str) -> str:
    """DOT text as SVG. Raises CannotDraw."""
    try:
        import pygraphviz  # optional, and half a second to import
    except ImportError:
        raise CannotDraw(NEEDS) from None
    try:
        drawn = pygraphviz.AGraph(string=dot).draw(format="svg", prog="dot")
    except (OSError, ValueError, RuntimeError) as error:  # DotError is a ValueError
        raise CannotDraw(f"Graphviz refuses the picture: {error}") from None
    assert isinstance(drawn, bytes)
    return drawn.decode("utf-8")
