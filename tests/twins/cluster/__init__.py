"""A cluster in memory: an honest twin of the API server and its controllers, held to the suite of the real one.

world = World("shop")
cluster = world.client()                          # may do everything
alice = world.client("alice", rules=role["rules"])
await world.settle()                              # until the controllers have nothing left to do
"""

from cluster.faults import away, killed_after, loses_answer
from cluster.pods import crashing, pending, pulling_fails, running, unready
from cluster.process import Process
from cluster.rules import Rules
from cluster.twin import Call, MemoryCluster, Moment
from cluster.world import World

__all__ = [
    "Call",
    "MemoryCluster",
    "Moment",
    "Process",
    "Rules",
    "World",
    "away",
    "crashing",
    "killed_after",
    "loses_answer",
    "pending",
    "pulling_fails",
    "running",
    "unready",
]
