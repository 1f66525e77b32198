"""What a start refuses beyond the steps' own refusals.

The facts of a BFF, the form of its declarations, paths, types, operations, problems, policies and surroundings.
"""

from narrows.checks.bff import bff_refusals
from narrows.checks.documents import ceiling_refusals, graphql_refusals
from narrows.checks.forms import form_refusals
from narrows.checks.holes import hole_refusals
from narrows.checks.operations import sendables_of
from narrows.checks.paths import collisions
from narrows.checks.policies import policy_refusals
from narrows.checks.problems import problem_refusals
from narrows.checks.shapes import shape_of
from narrows.checks.surroundings import forgotten_refusals, limit_refusals, settings_refusals, twice_refusals

__all__ = [
    "bff_refusals",
    "ceiling_refusals",
    "collisions",
    "forgotten_refusals",
    "form_refusals",
    "graphql_refusals",
    "hole_refusals",
    "limit_refusals",
    "policy_refusals",
    "problem_refusals",
    "sendables_of",
    "settings_refusals",
    "shape_of",
    "twice_refusals",
]
