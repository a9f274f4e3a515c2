"""formats/yaml."""
