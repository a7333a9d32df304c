"""Prove properties of releases, if the solver z3 is installed: the extra `prove`. We import it only for a proof."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from engine.errors import Rejected
from engine.lang.model.program import Release

if TYPE_CHECKING:
    from engine.verify.prove.losses import LossProof
    from engine.verify.prove.warnings import Lint

INSTALL_HINT: Final = "pip install z3-solver, as the extra `prove` does"


def is_installed() -> bool:
    """Whether the solver is installed."""
    return find_spec("z3") is not None


def require_solver(where: str) -> None:
    """Raise Rejected `no_solver` unless the solver is installed."""
    if not is_installed():
        raise Rejected("the solver z3 is not installed", where=where, hint=INSTALL_HINT, code="no_solver")


def lint(release: Release) -> "Lint":
    """The warnings about a release. Raises Rejected `no_solver`."""
    require_solver("--prove")
    from engine.verify.prove.warnings import lint as prove  # the solver takes long to import

    return prove(release)


def no_loss(old: Release, new: Release) -> "LossProof":
    """Prove that nobody loses from one release to the next. Raises Rejected `no_solver`."""
    require_solver("--prove")
    from engine.verify.prove.losses import prove_no_loss

    return prove_no_loss(old, new)
