"""Azure ML environments as Python prefixes: read, built by uv, kept by content."""
