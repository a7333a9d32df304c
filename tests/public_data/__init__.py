"""Public data sets of other trades, from their files to decisions that a server gives: `make public-data`."""
