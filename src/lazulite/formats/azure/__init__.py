"""formats/azure."""
