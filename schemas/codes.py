"""Every code that a finding can have, with what it means and what to do. Never decides when one applies."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """What a code stands for: a title of a few words, and a text of two to four sentences."""

    title: str
    text: str


_READING = {
    "alias-expansion": Code(
        "aliases that multiply the file",
        "The aliases of this file stand for many times what it says by itself, which is how a small file fills a "
        "machine's memory. It is refused before anything is built of it. Share less through aliases, or write the "
        "values out.",
    ),
    "bad-merge": Code(
        "`<<` with something other than a mapping",
        "The merge key `<<` takes in the keys of a mapping, or of each mapping in a list. Write `<<: *anchor`, where "
        "the anchor stands at a mapping.",
    ),
    "control-character": Code(
        "a character that a file must not hold",
        "The file holds a control character, an invisible one, or half of one; editors and YAML readers do not agree "
        "on what it means. Remove it. Inside double quotes it can be written as an escape.",
    ),
    "directive": Code(
        "a line that starts with `%`",
        "YAML directives change how the rest of a file is read. Only `%YAML 1.2` is known here, and it changes "
        "nothing. Leave the line out.",
    ),
    "duplicate-key": Code(
        "a key that stands twice in one mapping",
        "Many readers take the last one in silence, so that half of what was written has no effect. Here it is an "
        "error, in the config and in the base. Remove one of the two; the note says where the first one is.",
    ),
    "empty-file": Code(
        "a config that says nothing",
        "The file is empty, or holds only comments. A dev config names at least one service under `services:`.",
    ),
    "encoding": Code(
        "a file that is not UTF-8",
        "A dev config and a base are read as UTF-8 only, because every other choice is a guess. Save the file as "
        "UTF-8; a byte order mark at its start does no harm.",
    ),
    "explicit-tag": Code(
        "a YAML tag",
        "Tags such as `!!str` or `!include` tell a YAML reader to build something special. None is supported. Put "
        "quotes around a value that is meant as a text, or write it in place of the include.",
    ),
    "key-not-string": Code(
        "a key that is no text",
        "A key must be a plain text; a number, a truth value, null, a list or a template such as `{{ x }}` is none. "
        "Put quotes around it where it is meant as a text.",
    ),
    "not-a-mapping": Code(
        "a config that is a list or a single value",
        "A dev config is a mapping: lines of `key: value`, among them `services:`. Is this the right file?",
    ),
    "recursive-alias": Code(
        "an anchor that contains itself",
        "An alias stands inside the very value that its anchor names, so the value would never end. Write out what is "
        "meant.",
    ),
    "several-documents": Code(
        "a second document in the config",
        "A dev config is one YAML document. Leave out the `---` in the middle of the file and all below it, or make "
        "two files and choose one with `-f`.",
    ),
    "tab-indentation": Code(
        "a tab as indentation",
        "YAML does not allow tabs where the indentation tells what belongs together. Replace them by spaces.",
    ),
    "too-deep": Code(
        "values nested too deeply",
        "The file nests lists and mappings deeper than any real config or manifest. It is refused before anything is "
        "built of it. Is this the right file?",
    ),
    "too-large": Code(
        "a file that is too large",
        "A dev config may have 256 KiB and a manifest file 32 MiB; the file is refused before it is parsed. Is this "
        "the right file?",
    ),
    "too-many-aliases": Code(
        "more aliases than a config may have",
        "The file uses more than a hundred aliases. Share larger pieces, or write the values out.",
    ),
    "too-many-nodes": Code(
        "more values than a file may have",
        "The file holds more values than any real config or base. It is refused before anything is built of it. Is "
        "this the right file?",
    ),
    "unknown-alias": Code(
        "an alias without its anchor",
        "`*name` stands for the value at `&name`, and no such anchor stands above it. Correct the name, or put quotes "
        "around a text that starts with `*`.",
    ),
    "yaml-syntax": Code(
        "a file that is not YAML",
        "The file cannot be read as YAML; the caret stands where the reader gave up, and the message says what it "
        "expected there. The cause is often a little above: an indentation, a quote or a bracket.",
    ),
}
_FIELDS = {
    "bad-path": Code(
        "a path that cannot be used",
        "Paths on the laptop are relative to the config file and stay below it; paths in the container are absolute "
        "and leave `/devcfg`, `/proc`, `/sys` and `/dev` alone. This keeps a config that someone else wrote from "
        "reading or writing anything outside the project.",
    ),
    "bad-port": Code(
        "ports that cannot be understood",
        "`ports` takes `local:remote`, `remote` or `:remote` (a free local port), `reverse` takes `remote:local`; each "
        "a number from 1 to 65535. Addresses cannot be given: forwards are bound to 127.0.0.1.",
    ),
    "bad-value": Code(
        "a value that the field does not take",
        "The value has the right type, but is none that this field takes; the message says what was wanted and what "
        "was found. `devcfg explain FIELD` shows the field with examples.",
    ),
    "empty-value": Code(
        "a value that says nothing",
        "An empty text, list or mapping stands where something was wanted. A field that is not needed is left out as a "
        "whole, with its key.",
    ),
    "missing-key": Code(
        "a key that has to be there",
        "The block cannot work without this key. Add it; `devcfg explain FIELD` shows what it takes.",
    ),
    "not-supported": Code(
        "something that comes with a later version",
        "The field or value is known and planned, but does not work yet. It is refused, because a config that is "
        "accepted and then ignored would be worse. Leave it out.",
    ),
    "unknown-key": Code(
        "a key that does not exist",
        "The block has no such key. Slips and the words of other tools get a suggestion beside the caret. `devcfg "
        "explain FIELD` lists the keys of a block.",
    ),
    "wrong-type": Code(
        "a value of the wrong type",
        "A mapping, a list, a text or a number was wanted, and something else was found. Where a text is wanted, a "
        "plain `true`, `1e3` or `0o17` counts as it is written; null never does.",
    ),
}
_PROJECT = {
    "bad-json": Code(
        "an editor's file that is no JSON",
        "Entries are put into `.vscode/launch.json` and `tasks.json` without touching what else stands there, which "
        "only works where the file can be read: an object in UTF-8, comments and trailing commas allowed. Nothing was "
        "written. Mend the place that is shown.",
    ),
    "bad-name": Code(
        "an object with a name that no object can have",
        "Kubernetes takes no such kind, version, name or namespace: names hold no `/`, no `%` and nothing invisible. "
        "Files are named after objects, so the base is refused. A template that nobody filled in looks like this, too.",
    ),
    "base-build": Code(
        "a kustomization that does not build",
        "`kubectl kustomize` (or `kustomize build`) refused the base, and its own words follow. Run the command in the "
        "hint to see the same, mend the base, and validate again.",
    ),
    "base-tool": Code(
        "neither kubectl nor kustomize",
        "The base is a kustomization, which only kubectl or kustomize can build, and neither is on the PATH. Install "
        "one of them, or point `base` at plain YAML.",
    ),
    "cluster-base": Code(
        "a base that is the cluster",
        "With `base: cluster` there are no manifests to check against, so only the file itself was checked. `--base "
        "FILE|DIR|-` checks it against manifests for one call.",
    ),
    "empty-base": Code(
        "a base without any object",
        "The directory, file or stream that `base` names holds no Kubernetes object. A directory is read without the "
        "directories below it, unless it has a kustomization.",
    ),
    "missing-path": Code(
        "a directory to sync that is not there",
        "The rule's `path` is not a directory on this machine. The files that devcfg renders do not need it, so this "
        "is a warning; a session would have nothing to sync. Paths are relative to the config file.",
    ),
    "no-base": Code(
        "a base that is not there",
        "What `base` names (`k8s/base`, where it names nothing) cannot be found or read. The path is relative to the "
        "config file. `--base` names another one for one call.",
    ),
    "no-kind": Code(
        "an object without `kind` or `apiVersion`",
        "Every object of a base needs `apiVersion`, `kind` and `metadata.name`, each a text. A file that holds no "
        "Kubernetes objects does not belong in the base.",
    ),
    "no-name": Code(
        "an object without a name",
        "Every object of a base needs `metadata.name`. `generateName` is not enough: kustomize cannot build such an "
        "object either.",
    ),
    "not-an-object": Code(
        "a document that is no object",
        "A document of the base is a list or a single value, where a Kubernetes object was wanted. Check for a `---` "
        "too many, or for a file that does not belong in the base.",
    ),
    "not-json": Code(
        "a number that JSON does not have",
        "Kubernetes objects are JSON, which knows no infinity and no NaN. Put quotes around a text that only looks "
        "like such a number.",
    ),
    "outside-root": Code(
        "a path that leads out of the project",
        "A link on the way leads out of the directory of the config file. devcfg neither syncs nor writes there, "
        "because a project that someone else made could name any place on your machine. Use a directory inside.",
    ),
}
_BINDING = {
    "already-dev-mode": Code(
        "a base that is in dev mode",
        "The workload carries our annotation: the base was taken from a cluster in dev mode, or names the overlay that "
        "devcfg wrote. Dev mode on top of dev mode could not be taken back. Point `base` at the manifests without it.",
    ),
    "ambiguous-container": Code(
        "a pod with several containers",
        "The workload has several containers and none has the service's name, so it is not clear which one is "
        "developed. Say it: `container: NAME`.",
    ),
    "ambiguous-workload": Code(
        "several workloads that fit",
        "More than one object of the base fits the service's `workload`, or its name. The notes say where they are. "
        "Name one in full, as `kind/name` or `group/version/kind/name`.",
    ),
    "no-pod-template": Code(
        "a workload without a pod template",
        "It is not known where this kind keeps its pod template, or there are no containers at the given place. Say "
        "where with `podTemplate: /spec/template`, a JSON Pointer.",
    ),
    "wrong-shape": Code(
        "a workload of another shape",
        "A place of the workload in the base holds something else than Kubernetes has there, such as a text for a "
        "list. The API server would refuse it, too.",
    ),
    "same-container": Code(
        "two services for one container",
        "Two services are bound to the same container of the same workload, and only one process can have it. Give "
        "each its own container, or make them one service.",
    ),
    "unknown-container": Code(
        "a container that the workload does not have",
        "The pod template has no container of that name; init containers do not count. The names that exist are in the "
        "message or beside the caret.",
    ),
    "unknown-workload": Code(
        "a workload that the base does not have",
        "No object of the base fits the service. kustomize would pass over a patch for it in silence, so it is an "
        "error here. Correct `workload`, or `base`.",
    ),
}
_RULES = {
    "claims-deleted": Code(
        "a scale-down that deletes claims",
        "Dev mode runs one pod, and this StatefulSet deletes the claims of the pods that are scaled away "
        "(`persistentVolumeClaimRetentionPolicy`). Nothing brings their files back. Set `replicas` to the base's "
        "number, or to another one if they may go.",
    ),
    "conflicting-writers": Code(
        "a patch over a field of dev mode",
        "An operation of `patches` writes a place that a field of the service writes already, and the order would "
        "decide. Use the field, which is named in the message.",
    ),
    "disruption-budget": Code(
        "a PodDisruptionBudget over one pod",
        "Dev mode runs one pod, and a budget of the base selects it. The budget is left alone; it may hold up the "
        "drain of a node while dev mode lasts.",
    ),
    "duplicate-target": Code(
        "one directory twice",
        "Two rules name the same directory of one container, or of one pod, whose agent has the targets of all its "
        "services. One volume can be mounted there: make them one rule, or choose another directory.",
    ),
    "fixed-kind": Code(
        "a kind that cannot be changed in place",
        "The API server refuses a change to the containers of a Pod, or to the template of a Job, that exists already. "
        "Delete the object before you apply the rendered one.",
    ),
    "flux-substitution": Code(
        "`${` in a value",
        "Flux puts values of its own in place of `${NAME}` in everything it applies. Write `$NAME` where a shell reads "
        "it, or `$${NAME}` if Flux applies the output.",
    ),
    "keda-scaled": Code(
        "a workload that KEDA scales",
        "KEDA would scale the workload away from the one pod of dev mode, and has no setting that a patch could hold. "
        "Pause it in the base with the annotation that the hint names.",
    ),
    "mixed-users": Code(
        "services of one pod that run as different users",
        "The services of a workload share one agent, which runs as the user of the first of them. What it writes for "
        "the others belongs to that user, and their processes may not be able to change it. Give them one `user`.",
    ),
    "mount-conflict": Code(
        "a mount over a mount of the base",
        "The base mounts a volume where dev mode wants one, and one of them would hide the other. Choose another "
        "target.",
    ),
    "name-conflict": Code(
        "a name of the base that dev mode gives too",
        "A volume or container of the base has a name that dev mode gives to one of its own. `kubectl apply` would "
        "merge the two without a word. Give it another name in the base.",
    ),
    "nested-target": Code(
        "a sync target inside another",
        "Two sync targets of a service, or of services of one pod, lie one inside the other, so that a change below "
        "both would travel twice. Sync them with one rule, or side by side.",
    ),
    "not-applicable": Code(
        "a field that this workload cannot have",
        "The field means something that this kind of workload does not have, such as replicas of a DaemonSet. Leave "
        "the key out.",
    ),
    "nothing-to-remove": Code(
        "a variable that the base does not set",
        "`null` in `env` takes a variable of the base away, and the container's `env` has none of that name. A "
        "variable that `envFrom` or the image sets cannot be removed: set it to an empty text, or leave the line out.",
    ),
    "old-pods-stay": Code(
        "a workload that keeps its pods",
        "A ReplicaSet, an update strategy `OnDelete` or a paused workload lets pods that run already be, whatever the "
        "new template says. Resume it, or delete its pods, once dev mode is applied.",
    ),
    "patch-fails": Code(
        "a patch that does not apply",
        "An operation of `patches` cannot be carried out on the workload, or would change which object it is. Patches "
        "run last: they see the workload as the rest of dev mode leaves it.",
    ),
    "replicas-conflict": Code(
        "two numbers of replicas for one workload",
        "Several services are containers of one workload, which has one number of replicas. Say it at one of them.",
    ),
    "requests-over-limits": Code(
        "requests above their limits",
        "The API server refuses a container that requests more of something than its limit allows. Raise the limit, or "
        "lower the request.",
    ),
    "security-relevant": Code(
        "patches that change what the pod may do",
        "`patches` change a service account, a host path, a capability or something of that kind. Dev mode itself "
        "never needs this, so look at it twice, and in a review too.",
    ),
    "selector-broken": Code(
        "labels that another object selects by",
        "With the labels that `patches` leave, a Service or another object of the base selects other pods than "
        "before. Leave the labels that it selects by as they are.",
    ),
    "shared-claim": Code(
        "one claim for several pods",
        "`persist` makes a claim that one node can mount, and the service asks for several replicas. Pods on other "
        "nodes would not start. Set `replicas: 1`.",
    ),
    "tight-limits": Code(
        "production's limits in dev mode",
        "The container keeps the limits of the base, and compilers and debuggers often need more than the service "
        "itself. Set `resources` if the pod is killed for its memory or slow to build.",
    ),
    "unknown-user": Code(
        "a uid that nothing says",
        "The base says `runAsNonRoot`, but no uid, and Kubernetes starts no image whose user might be root. `id -u` in "
        "the dev image tells the number: `user: 1000`.",
    ),
    "waiting-probe": Code(
        "a probe that ends what waits for its debugger",
        "With `debug.wait` the program stands still until a debugger has come, and a liveness or startup probe that is "
        "kept restarts the container meanwhile. Leave `probes` out, which removes them, or `relax` them.",
    ),
    "weakens-security": Code(
        "a user that the base does not allow",
        "The service asks for root where the base does not let the container run as root. Dev mode never makes a pod "
        "less strict. Choose another uid.",
    ),
}

CODES: dict[str, Code] = {
    code: text for group in (_READING, _FIELDS, _PROJECT, _BINDING, _RULES) for code, text in sorted(group.items())
}
"""All codes: of reading YAML, of fields, of the project, of binding, of the rules."""
