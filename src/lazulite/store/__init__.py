"""The database behind `ports/store.py`: SQLite or PostgreSQL. It keeps no files but its own."""
