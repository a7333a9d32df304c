"""How the database came to its present shape, step by step; `api.store.database.open_database` runs what is missing."""
