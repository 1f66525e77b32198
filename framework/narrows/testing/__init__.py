"""What a BFF is tested with: fakes in place of the world, and the comparison of a rehearsal with the live call."""

from narrows.testing.fakes import Clock, Network, Records, bearer, running, serving
from narrows.testing.fidelity import Comparison, Difference, Request, Stage, compare, unasked

__all__ = [
    "Clock",
    "Comparison",
    "Difference",
    "Network",
    "Records",
    "Request",
    "Stage",
    "bearer",
    "compare",
    "running",
    "serving",
    "unasked",
]
