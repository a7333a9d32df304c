"""NetworkX graphs over compressed sparse rows, for large graphs, and the algorithms that the backend runs on them."""

from graph.compiled.columns import from_columns
from graph.compiled.graphs import Compiled, DiGraph, Graph

__all__ = ["Compiled", "DiGraph", "Graph", "from_columns"]
