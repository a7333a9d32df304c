"""Pages for a browser. A page is one more caller of the HTTP API: it reads and writes nothing by another way."""
