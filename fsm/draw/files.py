"""The files in `diagrams/` that belong to a spec, as text. The caller writes them, or compares them with what is there.

Never here: reading or writing a file.
"""

from __future__ import annotations

from fsm.draw.flow import leads
from fsm.draw.mermaid import mermaid
from fsm.draw.page import page
from fsm.draw.picture import picture
from fsm.language.loader import Loaded


def pages(loaded: Loaded, up: str = "../") -> dict[str, str]:
    """Text by path relative to the folder of diagrams: `<spec>.md` and `<spec>.mmd`.

    `up` leads from that folder to where the file names that the spec was loaded under begin (the repository's root).
    """
    name, found = loaded.spec.name, leads(loaded)
    drawn = picture(loaded, found)
    return {f"{name}.md": page(loaded, found, drawn, up), f"{name}.mmd": mermaid(loaded.spec, drawn)}
