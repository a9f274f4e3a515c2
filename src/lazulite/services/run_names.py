"""Names for runs that were given none: easy to say, hard to mix up."""

from __future__ import annotations

import secrets

_FIRST = (
    *("amber", "azure", "brave", "bright", "calm", "clear", "clever", "cool", "deep", "fair"),
    *("fast", "fine", "gentle", "glad", "golden", "grand", "green", "keen", "kind", "light"),
    *("lively", "lucky", "merry", "mild", "neat", "noble", "proud", "quick", "quiet", "rapid"),
    *("silver", "sharp", "smooth", "steady", "still", "swift", "vivid", "warm", "wild", "wise"),
)
_SECOND = (
    *("badger", "bear", "beaver", "bee", "crane", "crow", "deer", "dove", "duck", "eagle"),
    *("elk", "falcon", "finch", "fox", "frog", "goat", "hare", "hawk", "heron", "horse"),
    *("ibis", "jay", "kite", "lark", "lion", "lynx", "mole", "moose", "newt", "otter"),
    *("owl", "panda", "raven", "robin", "seal", "shark", "swan", "tiger", "whale", "wolf"),
)


def random_name() -> str:
    """Return a name such as `swift-otter-417`."""
    number = secrets.randbelow(1000)
    return f"{secrets.choice(_FIRST)}-{secrets.choice(_SECOND)}-{number}"
