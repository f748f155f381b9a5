"""The catalogue of changes of a base, and the bases to change. Never knows what devcfg makes of them."""

from mutations import containers, lists, members, neighbours, workloads
from mutations.bases import BASES
from mutations.site import CHANGES, NotApplicableError, Site

__all__ = [
    "BASES",
    "CHANGES",
    "NotApplicableError",
    "Site",
    "containers",
    "lists",
    "members",
    "neighbours",
    "workloads",
]
