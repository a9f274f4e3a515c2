"""formats/mlflow."""
