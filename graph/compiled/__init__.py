"""Graphs at size: NetworkX graphs over compressed sparse rows, and the algorithms of the backend on them."""

from graph.compiled.columns import from_columns
from graph.compiled.graphs import DiGraph, Graph

__all__ = ["DiGraph", "Graph", "from_columns"]
