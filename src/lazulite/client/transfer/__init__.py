"""Moves runs and models between stores of MLflow and a workspace; see ADR 0012."""
