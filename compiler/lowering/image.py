"""Lower `image`, `imagePullPolicy` and `imagePullSecrets`. Never asks a registry."""

from __future__ import annotations

from devcfg.compiler.lowering.fragment import Bound, Fragment
from devcfg.schemas.config import Images
from devcfg.schemas.patch import Operation


def lower_image(bound: Bound) -> Fragment:
    """Put the dev image in place of the base's."""
    service = bound.service
    operations: list[Operation] = []
    if service.image:
        operations.append(bound.set("image", mirrored(service.image, bound.images), "image"))
    if service.imagePullPolicy:
        operations.append(bound.set("imagePullPolicy", service.imagePullPolicy, "imagePullPolicy"))
    secrets = tuple(
        ({"name": name}, bound.field(f"imagePullSecrets[{at}]")) for at, name in enumerate(service.imagePullSecrets)
    )
    return Fragment(tuple(operations), pull_secrets=secrets)


def mirrored(image: str, images: Images) -> str:
    """Return the image with the longest matching prefix of `images.rewrite` replaced.

    Prefixes match the full reference, so that `docker.io/` also matches `busybox:musl`.
    """
    full = full_reference(image)
    matches = [prefix for prefix in images.rewrite if full.startswith(prefix) or image.startswith(prefix)]
    if not matches:
        return image
    prefix = max(matches, key=len)
    subject = full if full.startswith(prefix) else image
    return images.rewrite[prefix] + subject[len(prefix) :]


def full_reference(image: str) -> str:
    """Return the reference with the registry and `library/` that a container runtime fills in."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"
