"""Where devcfg may go: to production by the user config alone, to new places after a yes, nowhere by a repo."""

import json
import os
import stat

import pytest

from devcfg.runtime.cluster.cluster import Identity
from devcfg.runtime.devmode.errors import NotAdmittedError
from devcfg.runtime.devmode.guard import admit, memory_path, production_words
from devcfg.runtime.devmode.preferences import Preferences, Spot, preferences_path, read_preferences
from devcfg.schemas.errors import DevcfgError, UsageError

PRODUCTION = [
    ("prod", "https://10.0.0.1:6443", "shop"),
    ("shop-production", "https://10.0.0.1:6443", "shop"),
    ("kind-dev", "https://api.prod.example.com", "shop"),
    ("kind-dev", "https://prod1.k8s.example.com:443", "shop"),
    ("gke_acme-prod_europe-west1-b_main", "https://34.1.2.3", "default"),
    ("arn:aws:eks:eu-west-1:123:cluster/shopProd", "https://abc.eks.amazonaws.com", "default"),
    ("PROD-EU", "https://10.0.0.1", "default"),
    ("dev", "https://10.0.0.1", "production"),
    ("dev", "https://10.0.0.1", "shop-prd"),
    ("dev", "https://10.0.0.1", "prd01"),
    ("dev", "https://10.0.0.1", "live"),
    ("dev", "https://10.0.0.1", "shop-live-eu"),
    ("live_cluster", "https://10.0.0.1", "shop"),
    ("euprod", "https://10.0.0.1", "shop"),
    ("dev", "https://cluster-live.example.com", "shop"),
    ("dev", "https://10.0.0.1", "pre-prod"),
    ("ProdCluster", "https://10.0.0.1", "shop"),
    ("aks-shop-prod2", "https://aks-x.hcp.westeurope.azmk8s.io", "web"),
    ("production-admin@production", "https://10.0.0.1", "web"),
    ("dev", "https://10.0.0.1", "team-a-prod"),
]
ORDINARY = [
    ("kind-kind", "https://127.0.0.1:6443", "default"),
    ("minikube", "https://192.168.49.2:8443", "bookstore"),
    ("docker-desktop", "https://kubernetes.docker.internal:6443", "default"),
    ("dev", "https://api.dev.example.com", "product-page"),
    ("dev", "https://10.0.0.1", "delivery"),
    ("dev", "https://10.0.0.1", "alive"),
    ("dev", "https://10.0.0.1", "reproduce-1234"),
    ("products", "https://10.0.0.1", "producer"),
    ("dev", "https://products.example.com", "catalog"),
    ("staging", "https://10.0.0.1", "shop-staging"),
    ("nonprod", "https://10.0.0.1", "shop"),
    ("acme-non-prod", "https://10.0.0.1", "shop"),
    ("dev", "https://10.0.0.1", "olive"),
    ("livekit-dev", "https://10.0.0.1", "livekit"),
    ("dev", "https://10.0.0.1", "liveness-tests"),
    ("rancher-desktop", "https://127.0.0.1:6443", "review-prodigy"),
    ("gke_acme-dev_europe-west1_main", "https://34.1.2.3", "pr-1932"),
    ("eks-test", "https://abc.eks.amazonaws.com", "reproduction"),
    ("k3d-local", "https://0.0.0.0:40000", "relive"),
    ("dev", "https://deliver.example.com", "oliver"),
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def enter(context, server, namespace, preferences=None, *, yes=True, ask=None):
    admit(Identity(context, server, "default", "me"), namespace, preferences or Preferences(), yes=yes, ask=ask)


@pytest.mark.parametrize(("context", "server", "namespace"), PRODUCTION)
def test_what_looks_like_production_is_refused_even_with_yes(home, context, server, namespace):
    with pytest.raises(NotAdmittedError, match="looks like production"):
        enter(context, server, namespace)


@pytest.mark.parametrize(("context", "server", "namespace"), ORDINARY)
def test_no_ordinary_name_is_refused(home, context, server, namespace):
    assert production_words(Identity(context, server, "default", "me"), namespace) == ()

    enter(context, server, namespace)


def test_production_opens_by_the_user_config_alone(home):
    context, server, namespace = PRODUCTION[0]
    entry = f"allow: [{{server: '{server}', namespace: {namespace}}}]\n"
    (home / "devcfg.local.yaml").write_text(entry)
    (home / "config.yaml").write_text(entry)
    with pytest.raises(NotAdmittedError):
        enter(context, server, namespace, read_preferences())

    (home / "config/devcfg").mkdir(parents=True)
    (home / "config/devcfg/config.yaml").write_text(entry)

    assert read_preferences().allow == (Spot(server, namespace),)
    enter(context, server, namespace, read_preferences(), yes=False)


def test_the_first_use_asks_and_the_second_does_not(home):
    asked = []
    enter("dev", "https://10.0.0.1", "shop", yes=False, ask=lambda text: asked.append(text) or True)
    enter("dev", "https://10.0.0.1", "shop", yes=False)

    assert len(asked) == 1
    assert "`shop` of `https://10.0.0.1`" in asked[0]


def test_a_no_is_not_remembered_and_another_namespace_is_asked_about_again(home):
    for _ in range(2):
        with pytest.raises(NotAdmittedError, match="was not accepted"):
            enter("dev", "https://10.0.0.1", "shop", yes=False, ask=lambda _: False)
    enter("dev", "https://10.0.0.1", "shop")

    with pytest.raises(UsageError, match="nobody can be asked"):
        enter("dev", "https://10.0.0.1", "other", yes=False)


def test_what_is_remembered_is_the_users_own(home):
    enter("dev", "https://10.0.0.1", "shop")

    with open(memory_path()) as file:
        assert json.load(file) == [{"server": "https://10.0.0.1", "namespace": "shop"}]
        assert stat.S_IMODE(os.stat(memory_path()).st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("allowed: []\n", "unknown key `allowed`"),
        ("allow: [{server: a}]\n", "an entry of `allow` is wrong"),
        ("allow: everything\n", "an entry of `allow` is wrong"),
        ("images: {tool: a}\n", "`images.tool` is wrong"),
        ("- a\n", "a dev config is a mapping"),
    ],
)
def test_a_user_config_that_is_wrong_is_an_error_that_names_it(home, text, said):
    (home / "config/devcfg").mkdir(parents=True)
    (home / "config/devcfg/config.yaml").write_text(text)

    with pytest.raises(DevcfgError, match=said):
        read_preferences()


def test_a_missing_or_empty_user_config_says_nothing(home):
    assert read_preferences() == Preferences()

    (home / "config/devcfg").mkdir(parents=True)
    (home / "config/devcfg/config.yaml").write_text("# later\n")

    assert read_preferences() == Preferences()
    assert preferences_path() == str(home / "config/devcfg/config.yaml")
