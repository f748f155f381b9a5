"""What lowering one config block yields: operations on the container, parts for the pod's lists. Never their order."""

from __future__ import annotations

from dataclasses import dataclass

from devcfg.compiler.witness import Witness
from devcfg.schemas.config import Images, Service
from devcfg.schemas.patch import Json, Op, Operation, Pointer
from devcfg.schemas.plan import Binding


@dataclass(frozen=True, slots=True)
class Bound:
    """One service with its binding, and the witness of the workload it is lowered against."""

    binding: Binding
    service: Service
    images: Images
    workload: str
    """The workload's id, for names."""
    witness: Witness

    @property
    def name(self) -> str:
        """The service's name."""
        return self.binding.service

    @property
    def at(self) -> Pointer:
        """The dev container."""
        return self.binding.container

    @property
    def pod(self) -> Pointer:
        """The pod spec."""
        return self.binding.template / "spec"

    def field(self, path: str) -> str:
        """Name a config field of this service, as comments and `explain` do."""
        return f"services.{self.name}.{path}"

    def set(self, member: str, value: Json, field: str) -> Operation:
        """Set one member of the dev container."""
        return Operation(Op.ADD, self.at / member, value, self.field(field))


Element = tuple[Json, str]
"""A list element and the config field it comes from."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Operations on the container, and elements for lists that several blocks or services share."""

    operations: tuple[Operation, ...] = ()
    mounts: tuple[Element, ...] = ()
    volumes: tuple[Element, ...] = ()
    inits: tuple[Element, ...] = ()
    pull_secrets: tuple[Element, ...] = ()
    claims: tuple[Json, ...] = ()
    synced: tuple[Element, ...] = ()
    """The mounts that the agent has as well, at the same paths."""

    def __add__(self, other: Fragment) -> Fragment:
        return Fragment(
            self.operations + other.operations,
            self.mounts + other.mounts,
            self.volumes + other.volumes,
            self.inits + other.inits,
            self.pull_secrets + other.pull_secrets,
            self.claims + other.claims,
            self.synced + other.synced,
        )
