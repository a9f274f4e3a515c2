"""Protocols between the rules and the world: at most twelve methods each."""
