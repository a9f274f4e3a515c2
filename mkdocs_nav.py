"""Orders and names the sections of the site; their pages are those of the folders of docs/."""

from __future__ import annotations

from typing import Any

SECTIONS = {
    "Tutorial": "Tutorial",
    "Howto": "How to",
    "Reference": "Reference",
    "Explain": "Explained",
    "Adr": "Decisions",
}


def on_nav(nav: Any, **_: Any) -> None:
    """Sort the folders as a reader meets them: what is not a folder comes first."""
    order = list(SECTIONS)
    nav.items.sort(key=lambda item: order.index(item.title) + 1 if item.is_section else 0)
    for item in nav.items:
        if item.is_section:
            item.title = SECTIONS[item.title]
