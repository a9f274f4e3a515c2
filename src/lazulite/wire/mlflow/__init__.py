"""MLflow's REST API over the workspace."""
