"""Lower what the services of a workload share: annotations, tools, volumes, replicas, strategy. Never one container."""

from __future__ import annotations

from devcfg.compiler.kinds import Kind
from devcfg.compiler.lowering.agent import sidecar
from devcfg.compiler.lowering.fragment import Bound, Element, Fragment
from devcfg.compiler.lowering.image import mirrored
from devcfg.compiler.lowering.security import init_security
from devcfg.compiler.witness import Witness, append_all
from devcfg.schemas.naming import (
    AGENT_SOURCE,
    PLAN_ANNOTATION,
    ROOT,
    SHARED_VOLUME,
    SOURCE_VOLUME,
    TOOLS_CONTAINER,
    config_map_name,
    container_annotation,
)
from devcfg.schemas.patch import Json, Op, Operation, Pointer, Role

TOOLS_SCRIPT = (
    "umask 0; d=/devcfg; mkdir -p $d/bin $d/run $d/home && cp /bin/busybox $d/bin/.new && chmod 755 $d/bin/.new "
    "&& mv $d/bin/.new $d/bin/busybox && cp /devcfg-source/supervisor.sh $d/bin/supervisor.sh"
)
TOOLS_RESOURCES: Json = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def lower_annotations(bounds: tuple[Bound, ...], digest: str) -> tuple[Operation, ...]:
    """Name the dev containers and the plan on the pod template. The first part is what the guard component does."""
    first = bounds[0]
    witness, path = first.witness, first.binding.template / "metadata" / "annotations"
    steps: list[Operation] = []
    if witness.peek(path) is None:
        if witness.peek(path.parent) is None:
            steps += [
                Operation(Op.TEST, path.parent, None, "", Role.FRAME),
                Operation(Op.ADD, path.parent, {}, "", Role.FRAME),
            ]
        else:
            steps.append(Operation(Op.TEST, path, None, "", Role.GUARD))
        steps.append(Operation(Op.ADD, path, {}, "", Role.GUARD))
    for bound in bounds:
        key = path / container_annotation(bound.name)
        source = bound.field("container")
        steps += [
            Operation(Op.TEST, key, None, source, Role.GUARD),
            Operation(Op.ADD, key, bound.binding.name, source, Role.GUARD),
        ]
    steps += [
        Operation(Op.TEST, path / PLAN_ANNOTATION, None, "", Role.ASSUME),
        Operation(Op.ADD, path / PLAN_ANNOTATION, digest, f"services.{first.name}"),
    ]
    default = path / DEFAULT_CONTAINER
    if witness.peek(default) is not None:
        witness.read(default, first.field("container"))
    else:
        steps += [
            Operation(Op.TEST, default, None, first.field("container"), Role.ASSUME),
            Operation(Op.ADD, default, first.binding.name, first.field("container")),
        ]
    return tuple(steps)


def lower_pod(bounds: tuple[Bound, ...], shared: Fragment, kind: Kind | None) -> tuple[Operation, ...]:
    """Append to the pod's lists: the sidecar, init containers with the tools first, volumes, pull secrets."""
    first = bounds[0]
    source = first.field("command")
    volumes: tuple[Element, ...] = (
        ({"name": SHARED_VOLUME, "emptyDir": {}}, source),
        ({"name": SOURCE_VOLUME, "configMap": {"name": config_map_name(first.workload)}}, source),
        *shared.volumes,
    )
    inits = ((_tools(first), source), *shared.inits)
    steps = append_all(first.witness, first.pod / "containers", ((sidecar(bounds, shared.synced, kind), source),))
    steps += append_all(first.witness, first.pod / "initContainers", inits)
    # Where no claim asks for Recreate, a volume that the base gains may be one that does.
    exact = kind is not None and kind.rolling and not shared.claims
    steps += append_all(first.witness, first.pod / "volumes", volumes, exact=exact)
    if shared.pull_secrets:
        path = first.pod / "imagePullSecrets"
        known = first.witness.items(path, "name", shared.pull_secrets[0][1]) or ()
        fresh: dict[str, Element] = {}
        for value, field in shared.pull_secrets:
            if value["name"] not in known:
                fresh.setdefault(value["name"], (value, field))
        steps += append_all(first.witness, path, tuple(fresh.values()), exact=True)
    return steps


def lower_replicas(bounds: tuple[Bound, ...], kind: Kind | None) -> tuple[Operation, ...]:
    """Run one pod (or as many as asked for) where the kind has replicas."""
    if kind is None or not kind.scaled:
        return ()
    wanted, source = replicas(bounds)
    return (Operation(Op.ADD, Pointer(("spec", "replicas")), wanted, source),)


def replicas(bounds: tuple[Bound, ...]) -> tuple[int, str]:
    """Return how many pods, and the field that says so."""
    for bound in bounds:
        if bound.service.replicas is not None:
            return bound.service.replicas, bound.field("replicas")
    return 1, bounds[0].field("replicas")


def lower_strategy(bounds: tuple[Bound, ...], kind: Kind | None, claims: tuple[Json, ...]) -> tuple[Operation, ...]:
    """Recreate instead of rolling where a claim can be mounted once: a rolling update would wait for itself."""
    if kind is None or not kind.rolling:
        return ()
    first = bounds[0]
    source = next((bound.field("persist[0]") for bound in bounds if bound.service.persist), "")
    if not claims and not _mounts_claim(first):
        return ()
    return (Operation(Op.ADD, Pointer(("spec", "strategy")), {"type": "Recreate"}, source),)


def _mounts_claim(bound: Bound) -> bool:
    """Any claim counts: how many may mount it stands in another object, which this patch cannot assert."""
    witness, path = bound.witness, bound.pod / "volumes"
    if not witness.exists(path):
        return False
    found = False
    for at in range(len(witness.peek(path))):
        name = witness.read(path / at / "persistentVolumeClaim" / "claimName")
        found = found or name is not None
    return found


def lower_autoscaler(witness: Witness, wanted: int, source: str) -> tuple[Operation, ...]:
    """Hold an autoscaler of the workload at the wanted number."""
    for member in ("kind", "name", "apiVersion"):
        witness.read(Pointer(("spec", "scaleTargetRef", member)), source)
    spec = Pointer(("spec",))
    return (
        *witness.tests(),
        Operation(Op.ADD, spec / "minReplicas", wanted, source),
        Operation(Op.ADD, spec / "maxReplicas", wanted, source),
    )


def lower_bystander(witness: Witness) -> tuple[Operation, ...]:
    """Assert that the autoscaler of another workload stays one."""
    for member in ("kind", "name"):
        witness.read(Pointer(("spec", "scaleTargetRef", member)))
    return witness.tests()


def _tools(bound: Bound) -> Json:
    return {
        "name": TOOLS_CONTAINER,
        "image": mirrored(bound.images.tools, bound.images),
        "command": ["/bin/busybox", "sh", "-c", TOOLS_SCRIPT],
        "resources": TOOLS_RESOURCES,
        **init_security(bound),
        "volumeMounts": [
            {"name": SHARED_VOLUME, "mountPath": ROOT},
            {"name": SOURCE_VOLUME, "mountPath": AGENT_SOURCE, "readOnly": True},
        ],
    }
