"""Tests mirror src; contract/, wire/, e2e/, upgrade/ and bench/ stand across it."""
