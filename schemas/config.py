"""What a developer writes: `DevConfig` and its services, frozen, with defaults filled in. Never reads a base.

The descriptions here are the reference: the JSON Schema and `devcfg explain` print them.
"""

from __future__ import annotations

from typing import Any

from devcfg.schemas.block import Block, block, field, leaf, many, mapping, required
from devcfg.schemas.blocks import (
    RELOAD_WORDS,
    TREATMENTS,
    Command,
    Debug,
    Persist,
    Probes,
    Reload,
    Resources,
    SyncRule,
    probe_rules,
    reload_rule,
    sync_rule,
)
from devcfg.schemas.fields import (
    FORWARD,
    IMAGE_REFERENCE,
    LOCAL_PATH,
    NAME,
    POD_PATH,
    REVERSE,
    SUBDOMAIN_NAME,
    TEXT,
    USER,
    whole,
    words,
)
from devcfg.schemas.inputs import (
    ENV_KEY,
    ENV_VALUE,
    SERVICE_NAME,
    env_mapping,
    no_clock,
    only_replace,
    patch_list,
    template_text,
    workload_name,
)
from devcfg.schemas.patch import Json, Pointer


class Service(Block):
    """One container of one workload, and what dev mode makes of it."""

    workload: str | None = field(
        leaf(
            workload_name,
            type="string",
            pattern="^([^/]+/[^/]+/|v1/)?[^/]+/[^/]+$",
            examples=["deployment/reviews", "argoproj.io/v1alpha1/Rollout/web"],
        ),
        "The workload: `kind/name` or `group/version/kind/name`; default: the only one with the service's name.",
    )
    podTemplate: str | None = field(
        leaf(template_text, type="string", pattern="^/", examples=["/spec/template"]),
        "Where the pod template is in a workload of a kind that devcfg does not know, as a JSON Pointer.",
    )
    container: str | None = field(NAME, "The container; default: the only one, or the one named like the service.")
    mode: str = field(
        leaf(only_replace, enum=["replace"]),
        "`replace` changes the workload in place. `duplicate`, `mesh` and `proxy` are not supported yet.",
        "replace",
    )
    image: str | None = field(IMAGE_REFERENCE, "The dev image; default: keep the base's.")
    imagePullPolicy: str | None = field(
        words("Always", "IfNotPresent", "Never"), "When the node pulls the dev image; default: keep the base's."
    )
    imagePullSecrets: tuple[str, ...] = field(
        many(SUBDOMAIN_NAME), "Secrets to pull the dev image with, beside the base's.", ()
    )
    workdir: str | None = field(POD_PATH, "Where commands start; default: the target of the first sync rule.")
    command: Command = field(block(Command), "What runs in the dev container.", {})
    shell: str | None = field(
        TEXT, "The shell of `devcfg shell`; default: the first of zsh, bash and sh that the image has."
    )
    sync: tuple[SyncRule, ...] = field(
        many(block(SyncRule, sync_rule, type="string", pattern="^[^:]+:/")),
        "Directories kept equal on the laptop and in the container: mappings, or `path:target`.",
        (),
    )
    reload: Reload = field(
        block(Reload, reload_rule, **RELOAD_WORDS),
        "What a settled batch of changes does: `restart`, `none`, `signal:HUP`, or a mapping.",
        {},
    )
    debug: Debug = field(block(Debug), "The debugger.", {})
    ports: tuple[str, ...] = field(
        many(FORWARD),
        "Ports forwarded from 127.0.0.1: `local:remote`, `remote`, or `:remote` for a free local port.",
        (),
    )
    reverse: tuple[str, ...] = field(many(REVERSE), "Ports in the pod that reach the laptop: `remote:local`.", ())
    env: dict[str, str | dict[str, Any] | None] = field(
        mapping(ENV_KEY, ENV_VALUE, before=env_mapping),
        "Environment variables: a string sets one, null removes one, `{valueFrom: …}` passes through. "
        "A plain scalar counts by its source text.",
        {},
    )
    resources: Resources | None = field(
        block(Resources), "Requests and limits that replace the container's: dev work often needs more than production."
    )
    persist: tuple[Persist, ...] = field(many(block(Persist)), "Directories on claims that outlive the pod.", ())
    probes: Probes = field(
        block(Probes, probe_rules, type="string", enum=list(TREATMENTS)),
        "What happens to the probes: `remove`, `keep`, `relax`, or a mapping by probe.",
        {},
    )
    user: str | None = field(USER, "`uid` or `uid:gid`; required where the base says runAsNonRoot without a uid.")
    clock: None = field(leaf(no_clock, **{"not": {}}), "The time the process sees. Not supported yet.")
    patches: tuple[Json, ...] | dict[str, Json] = field(
        leaf(patch_list, type=["array", "object"]),
        "RFC 6902 operations, or an RFC 7386 merge patch, on this workload. "
        "They run last, guarded, and are shown apart.",
        (),
    )
    replicas: int | None = field(
        whole(1, 1000),
        "How many pods (1). A HorizontalPodAutoscaler of the workload gets the same number as minimum and maximum.",
    )


class Output(Block):
    """Where `devcfg render --write` writes, below the config file."""

    component: str = field(
        LOCAL_PATH, "The generated component: safe to delete and regenerate.", "k8s/components/devcfg"
    )
    overlay: str = field(LOCAL_PATH, "The overlay: written once, then yours.", "k8s/overlays/dev")


class Images(Block):
    """The two stock images that dev mode adds, and mirrors for clusters that cannot reach the public registry."""

    tools: str = field(IMAGE_REFERENCE, "The image whose static busybox runs the supervisor.", "busybox:musl")
    agent: str = field(IMAGE_REFERENCE, "The image that runs the sync agent.", "python:3-slim")
    rewrite: dict[str, str] = field(
        mapping(TEXT, TEXT), "Image prefixes and what stands in their place: `{docker.io/: mirror.example/hub/}`.", {}
    )


class DevConfig(Block):
    """The dev config: which services are developed, and how."""

    version: int = field(whole(1, 1), "The version of this format.", 1)
    base: str = field(
        TEXT,
        "The manifests dev mode starts from: a kustomization directory, a directory or file of YAML, "
        "`-` (stdin) or `cluster`.",
        "k8s/base",
    )
    namespace: str | None = field(NAME, "The namespace of base objects that do not carry one.")
    output: Output = field(block(Output), "Where `devcfg render --write` writes.", {})
    images: Images = field(block(Images), "The images that dev mode adds.", {})
    services: dict[str, Service] = required(mapping(SERVICE_NAME, block(Service), least=1), "The services by name.")


def template_pointer(service: Service) -> Pointer | None:
    """Return the given pod template pointer, if there is one."""
    return Pointer.parse(service.podTemplate) if service.podTemplate else None
