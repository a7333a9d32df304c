"""The migrations, step by step. `api.store.database.open_database` runs the missing ones."""
