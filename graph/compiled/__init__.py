"""Graphs at size: NetworkX graphs over compressed sparse rows, and the algorithms of the backend on them."""

from graph.compiled.columns import from_columns
from graph.compiled.graphs import Compiled, DiGraph, Graph

__all__ = ["Compiled", "DiGraph", "Graph", "from_columns"]
