"""Whole-program tests: a real server in a process of its own."""
