"""Azure Machine Learning's REST API."""
