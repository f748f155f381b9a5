"""Lower `user`, and give init containers a security context no weaker than the dev container's. Never weakens one."""

from __future__ import annotations

from devcfg.compiler.lowering.fragment import Bound, Fragment
from devcfg.schemas.patch import Json, Op, Operation, Role

_COPIED = ("runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "seLinuxOptions")


def lower_user(bound: Bound) -> Fragment:
    """Run the dev process as the uid (and gid) that the config names."""
    # What the pod says is inherited, not written: asserted on the base alone, for the API server writes `{}` there.
    bound.witness.read(bound.pod / "securityContext", "", Role.PRISTINE)
    if not bound.service.user:
        return Fragment()
    path, field = bound.at / "securityContext", bound.field("user")
    operations: list[Operation] = []
    if not bound.witness.read(path, field):
        operations.append(Operation(Op.ADD, path, {}, field))
    operations += [Operation(Op.ADD, path / member, value, field) for member, value in _ids(bound).items()]
    return Fragment(tuple(operations))


def init_security(bound: Bound) -> dict[str, Json]:
    """Return the `securityContext` of an init container beside this dev container: same user, nothing more."""
    context = bound.witness.read(bound.at / "securityContext")
    own = context if isinstance(context, dict) else {}
    copied = {member: own[member] for member in _COPIED if member in own}
    return {
        "securityContext": {
            **copied,
            **_ids(bound),
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
    }


def _ids(bound: Bound) -> dict[str, Json]:
    uid, _, gid = (bound.service.user or "").partition(":")
    ids: dict[str, Json] = {}
    if uid:
        ids["runAsUser"] = int(uid)
    if gid:
        ids["runAsGroup"] = int(gid)
    return ids
