"""Records and rules of the workspace. Pure: no I/O, clock, randomness or logging."""
