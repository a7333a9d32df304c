"""Types of the part of NetworKit that we use: NetworKit publishes none."""

from networkit import centrality as centrality
from networkit import community as community
from scipy.sparse import csr_array

class Graph:
    def sortEdges(self) -> None: ...

def GraphFromCsr(matrix: csr_array, *, directed: bool, weighted: bool = ...) -> Graph: ...
