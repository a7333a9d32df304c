from typing import Any, Literal

from numpy.typing import NDArray
from scipy.sparse import sparray

def breadth_first_order(
    csgraph: sparray, i_start: int, *, return_predecessors: Literal[True]
) -> tuple[NDArray[Any], NDArray[Any]]: ...
def connected_components(
    csgraph: sparray, directed: bool = True, connection: Literal["weak", "strong"] = "weak"
) -> tuple[int, NDArray[Any]]: ...
