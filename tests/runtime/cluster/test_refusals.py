"""What a server's sentences mean; each is one that Kubernetes 1.34 has said."""

import json

import pytest

from devcfg.runtime.cluster.errors import (
    ClusterError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    GuardError,
    MissingError,
    RejectedError,
    UnreachableError,
)
from devcfg.runtime.cluster.kinds import USUAL
from devcfg.runtime.cluster.refusals import Refusal, error_of
from devcfg.runtime.cluster.request import JSON_PATCH, Page, Request

PODS, DEPLOYMENTS = (next(one.resource for one in USUAL if one.resource.kind == kind) for kind in ("Pod", "Deployment"))
GET = Request("get", DEPLOYMENTS, "shop", "web")
PATCH = Request("patch", DEPLOYMENTS, "shop", "web", media=JSON_PATCH)
CREATE = Request("create", PODS, "shop", "web")
QUOTA = 'pods "web" is forbidden: exceeded quota: tiny, requested: pods=1, used: pods=0, limited: pods=0'
SECURITY = 'pods "web" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
ENDING = 'configmaps "x" is forbidden: unable to create new content in namespace shop because it is being terminated'
DENIED = (
    'deployments.apps "web" is forbidden: '
    'User "alice" cannot patch resource "deployments" in API group "apps" in the namespace "shop"'
)
EXEC = (
    'pods "web-1" is forbidden: '
    'User "system:serviceaccount:a:b" cannot get resource "pods/exec" in API group "" in the namespace "a"'
)
WEB = {"name": "web", "group": "apps", "kind": "deployments"}


def status(code, reason, message, details=None):
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details or {}}
    return Refusal.read(code, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("asked", "answer", "error", "exit_code"),
    [
        (GET, (404, "NotFound", 'deployments.apps "web" not found', WEB), MissingError, 4),
        (GET, (404, "NotFound", "the server could not find the requested resource"), MissingError, 4),
        (
            CREATE,
            (404, "NotFound", 'namespaces "shop" not found', {"name": "shop", "kind": "namespaces"}),
            MissingError,
            4,
        ),
        (PATCH, (403, "Forbidden", DENIED, WEB), ForbiddenError, 5),
        (CREATE, (403, "Forbidden", QUOTA), RejectedError, 1),
        (CREATE, (403, "Forbidden", SECURITY), RejectedError, 1),
        (CREATE, (403, "Forbidden", ENDING), RejectedError, 1),
        (CREATE, (409, "AlreadyExists", 'pods "web" already exists'), ConflictError, 1),
        (PATCH, (409, "Conflict", "Operation cannot be fulfilled: the object has been modified"), ConflictError, 1),
        (PATCH, (422, "Invalid", "the server rejected our request due to an error in our request"), GuardError, 3),
        (
            PATCH,
            (422, "Invalid", 'Deployment.apps "web" is invalid: spec.replicas', {"causes": [{}]}),
            RejectedError,
            1,
        ),
        (CREATE, (422, "Invalid", "the server rejected our request due to an error in our request"), RejectedError, 1),
        (CREATE, (400, "", 'admission webhook "x.example" denied the request: no'), RejectedError, 1),
        (GET, (410, "Expired", "too old resource version: 1 (2)"), ExpiredError, 1),
        (GET, (401, "Unauthorized", "Unauthorized"), UnreachableError, 6),
        (GET, (503, "ServiceUnavailable", "apiserver is shutting down"), UnreachableError, 6),
        (PATCH, (504, "Timeout", "request did not complete within requested timeout"), UnreachableError, 6),
        (PATCH, (500, "InternalError", 'failed calling webhook "x.example": EOF'), ClusterError, 1),
        (Page("/apis/nope.io"), (404, "NotFound", "the server could not find the requested resource"), MissingError, 4),
    ],
)
def test_each_refusal_is_the_error_that_it_means(asked, answer, error, exit_code):
    found = error_of(asked, status(*answer))

    assert (type(found), found.exit_code) == (error, exit_code)


@pytest.mark.parametrize(
    ("asked", "message", "verb", "resource"),
    [
        (PATCH, DENIED, "patch", "deployments"),
        (Request("get", PODS, "a", "web-1", "exec"), EXEC, "get", "pods/exec"),
    ],
)
def test_a_missing_permission_names_verb_and_resource_as_a_role_does(asked, message, verb, resource):
    found = error_of(asked, status(403, "Forbidden", message))

    assert (found.verb, found.resource) == (verb, resource)
    assert f"may not {verb} `{resource}` in namespace `{asked.namespace}`" in found.message
    assert message in found.hint


def test_no_value_of_an_object_that_a_server_repeats_is_passed_on():
    repeated = json.dumps({"spec": {"env": [{"name": "TOKEN", "value": "hunter2"}]}})
    said = f' "" is invalid: patch: Invalid value: {json.dumps(repeated)}: json: cannot unmarshal string into field x'
    found = error_of(PATCH, status(422, "Invalid", said, {"causes": [{}]}))

    assert found.message == "invalid value: json: cannot unmarshal string into field x"


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"[1, 2]", b"\xff\xfe", b"null"])
def test_what_a_proxy_says_is_a_refusal_too(body):
    assert isinstance(error_of(GET, Refusal.read(502, body)), UnreachableError)


def test_an_object_and_a_namespace_that_are_missing_have_their_own_sentences():
    missing = error_of(GET, status(404, "NotFound", 'deployments.apps "web" not found', WEB))
    nowhere = error_of(CREATE, status(404, "NotFound", "…", {"name": "shop", "kind": "namespaces"}))

    assert missing.message == "there is no deployment `web` in namespace `shop`"
    assert nowhere.message == "there is no namespace `shop`"
