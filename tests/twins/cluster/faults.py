"""Things that go wrong on the way to the server, for `MemoryCluster.around`. Each is told of every call, twice."""

from cluster.twin import Moment
from devcfg.runtime.cluster.errors import UnreachableError


def loses_answer(verb, plural, times=1):
    """Do what was asked and lose the answer, for the first calls of a verb on a resource."""
    left = [times]

    def around(call, moment):
        if moment is Moment.AFTER and (call.verb, call.resource.plural) == (verb, plural) and left[0]:
            left[0] -= 1
            raise UnreachableError("the connection to memory broke: the answer was lost")

    return around


def away(calls):
    """Answer nothing for that many calls."""
    left = [calls]

    def around(call, moment):
        if moment is Moment.BEFORE and left[0]:
            left[0] -= 1
            raise UnreachableError("memory cannot be reached: connection refused")

    return around


def killed_after(calls, error):
    """Raise an error of the test's own once that many calls were answered, and at each one after them."""
    seen = [0]

    def around(call, moment):
        if moment is Moment.AFTER:
            seen[0] += 1
        if seen[0] >= calls:
            raise error

    return around
