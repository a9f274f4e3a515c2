"""The unmodified azure-ai-ml against a real server."""
