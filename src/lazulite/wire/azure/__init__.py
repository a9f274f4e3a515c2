"""wire/azure."""
