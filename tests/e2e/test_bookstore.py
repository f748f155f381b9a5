"""The bookstore on a cluster: each service in dev mode by stock kubectl, driven as a developer would, and back."""

from __future__ import annotations

import json

import pytest

SERVICES = ("storefront", "reviews", "details", "ratings", "authors")
EDITED = {
    "storefront": ("storefront.py", 'f"', "Python ", "/api?book=1"),
    "reviews": ("Reviews.java", 'quoted("', "Java ", "/books/1"),
    "details": ("details.rb", 'runtime: "', "Ruby ", "/books/1"),
    "ratings": ("server.mjs", "runtime: `", "Node ", "/books/1"),
    "authors": ("main.go", 'origin{"authors", "', "Go ", "/books/1"),
}
"""The file to edit, what stands before the word in it that is answered, the word, and where it is answered."""

pytestmark = pytest.mark.cluster


def edition(project, service, number):
    """Return a file of a service's source, and its text in which the service calls its language `Edition NUMBER`."""
    file, before, word, _ = EDITED[service]
    text = (project.path / "services" / service / file).read_text()
    assert text.count(before + word) == 1
    return file, text.replace(before + word, f"{before}Edition {number} {word}")


def answered(dev, number):
    """Wait until a service answers with an edition of its source."""
    return dev.until_answer(EDITED[dev.service][3], f"Edition {number}")


@pytest.fixture(scope="module")
def production(shop):
    """The specs of everything before dev mode was there."""
    return shop.main.space.specs() | shop.strict.space.specs()


@pytest.fixture(scope="module")
def dev_mode(shop, production):
    """All five services in dev mode, one after the other, each with the source of edition 1; by service."""
    for service in SERVICES:
        shop.of(service).apply_dev(service)
    found = {}
    for service in SERVICES:
        project = shop.of(service)
        found[service] = dev = project.space.dev_container(service)
        dev.until("waiting")
        assert "waiting for the source in /src: it comes with the sync; to start without it: echo start" in dev.log
        dev.fill(project.path / "services" / service)
        dev.put(*edition(project, service, 1))
        dev.tell("start")
    for dev in found.values():
        dev.until("running run")
    return found


@pytest.fixture(params=SERVICES)
def dev(request, dev_mode):
    """The dev container of one service after the other."""
    return dev_mode[request.param]


def test_the_storefront_shows_what_all_five_services_answer(shop, until):
    script = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9080/?book=1').read().decode())"

    def page():
        return shop.main.space.kubectl("exec", "deploy/storefront", "--", "python", "-c", script).stdout

    text = until(lambda: next((one for one in [page()] if one.count('data-state="ok"') == 5), ""), "a whole page")

    for part in ("The Lantern Bookstore", "312 pages", "Ines Marlow", "missed my stop", "4.3 of 5"):
        assert part in text


def test_a_namespace_that_enforces_restricted_takes_authors_and_refuses_less(shop, dev_mode):
    refused = shop.strict.space.kubectl("run", "weak", "--image=busybox:musl", "--dry-run=server", code=1)

    assert "violates PodSecurity" in refused.stderr
    assert dev_mode["authors"].state.startswith("1 running run")


def test_a_service_in_dev_mode_answers_with_the_edited_source(dev):
    answered(dev, 1)
    assert dev.restarts == 0


def test_a_restart_by_the_fifo_starts_the_next_generation_with_the_new_source(shop, dev, until):
    before = dev.generation
    dev.put(*edition(shop.of(dev.service), dev.service, 2))
    dev.tell("restart")
    # One that reloads itself answers with the new source before it is restarted.
    until(lambda: dev.generation == before + 1, "the next generation")
    dev.until("running run")
    answered(dev, 2)
    until(lambda: f"generation {before + 1}" in dev.log, "its line in the log")


def test_the_storefront_under_development_puts_the_page_together_from_services_under_development(dev_mode, until):
    dev = dev_mode["storefront"]
    page = until(lambda: next((one for one in [dev.ask("/?book=1")] if one.count("Edition") == 4), ""), "four editions")

    assert page.count('data-state="ok"') == 5
    assert "This is the storefront under development." in page


def test_details_reloads_on_the_signal_of_its_config_in_the_same_process(shop, dev_mode):
    dev = dev_mode["details"]
    before = dev.state
    dev.put(*edition(shop.main, "details", 3))
    dev.exec("/devcfg/bin/busybox", "sh", "-c", "kill -HUP $(cat /devcfg/run/details/pid)")
    answered(dev, 3)

    assert dev.state == before


def test_ratings_reloads_itself_when_its_source_changes(shop, dev_mode):
    dev = dev_mode["ratings"]
    before = dev.state
    dev.put(*edition(shop.main, "ratings", 3))
    answered(dev, 3)

    assert dev.state == before


def test_a_crash_keeps_the_container_and_its_code_is_in_the_log(shop, dev_mode):
    dev = dev_mode["storefront"]
    dev.put("storefront.py", "raise SystemExit(7)\n")
    dev.tell("restart")
    dev.until("exited 7")
    assert "run: exited with code 7; the container stays" in dev.log
    dev.put(*edition(shop.main, "storefront", 3))
    dev.tell("start")
    answered(dev, 3)

    assert dev.restarts == 0


def test_a_dev_process_that_is_killed_is_named_with_its_signal(dev_mode):
    dev = dev_mode["details"]
    dev.exec("/devcfg/bin/busybox", "sh", "-c", "kill -KILL $(cat /devcfg/run/details/pid)")
    dev.until("exited 137")
    assert "exited with code 137 (signal 9)" in dev.log
    dev.tell("start")
    dev.until("running run")

    assert dev.restarts == 0


@pytest.mark.parametrize("service", ["reviews", "authors"])
def test_a_failed_build_keeps_the_old_process(shop, dev_mode, service):
    dev = dev_mode[service]
    answered(dev, 2)
    pid = dev.busybox("cat", f"/devcfg/run/{service}/pid")
    dev.put(EDITED[service][0], "this is no program\n")
    dev.tell("restart")
    dev.until("build-failed")
    assert "goes on" in dev.log
    answered(dev, 2)
    assert dev.busybox("cat", f"/devcfg/run/{service}/pid") == pid
    dev.put(*edition(shop.of(service), service, 3))
    dev.tell("restart")

    answered(dev, 3)


@pytest.mark.parametrize("service", ["authors", "ratings"])
def test_a_container_that_is_killed_goes_on_where_it_was(dev_mode, until, service):
    dev = dev_mode[service]
    answered(dev, 3)
    before = dev.generation
    kill_container(dev, until)
    dev.until("running run")

    assert dev.generation == before + 1
    answered(dev, 3)


def test_a_process_that_was_stopped_stays_so_when_the_container_is_killed(dev_mode, until):
    dev = dev_mode["storefront"]
    dev.tell("stop")
    dev.until("stopped")
    kill_container(dev, until)
    dev.until("stopped")
    assert "stopped, as it was before the container restarted" in dev.log
    dev.tell("start")
    dev.until("running run")

    answered(dev, 3)


def test_two_containers_restart_apart(dev_mode, until):
    dev = dev_mode["reviews"]
    kill_container(dev, until)
    dev.until("running run")
    statuses = dev.space.get("pod", dev.pod)["status"]["containerStatuses"]

    assert {one["name"]: one["restartCount"] for one in statuses} == {"access-log": 0, "devcfg-agent": 0, "reviews": 1}


def test_an_autoscaler_is_held_at_one_pod_and_holds_the_workload_there(shop, dev_mode, until):
    space = shop.main.space
    scaler = space.get("hpa", "ratings")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 1)
    space.kubectl("scale", "deployment/ratings", "--replicas=2")

    until(lambda: space.get("deployment", "ratings")["spec"]["replicas"] == 1, "one pod of ratings")


def test_a_deleted_pod_ends_by_the_quit_of_its_hook_and_not_by_the_grace_period(shop, dev_mode):
    for service in ("reviews", "details", "authors"):
        dev = dev_mode[service]
        # Were the grace period needed, this would run into the timeout of kubectl.
        dev.space.kubectl("delete", "pod", dev.pod, "--grace-period=900", "--timeout=90s")
        events = dev.space.kubectl("get", "events", "--field-selector", f"involvedObject.name={dev.pod}").stdout
        assert "FailedPreStopHook" not in events

    for service in ("reviews", "details", "authors"):
        assert shop.of(service).space.dev_container(service).state.endswith("waiting")


def test_the_base_applied_again_gives_back_every_spec_byte_for_byte(shop, production, dev_mode):
    main, strict = shop.main.space, shop.strict.space
    changed = {name for name, spec in (main.specs() | strict.specs()).items() if spec != production[name]}
    assert len(changed) == 6  # five workloads and the autoscaler
    shop.main.apply_base()
    shop.strict.apply_base("-l", "app=authors")

    assert main.specs() | strict.specs() == production


def test_what_dev_mode_added_is_found_by_its_label(shop):
    main = shop.main.space
    main.kubectl("delete", "configmap,pvc", "-l", "devcfg.dev/workload")

    assert json.loads(main.kubectl("get", "configmap,pvc", "-o", "json").stdout)["items"]
    names = main.kubectl("get", "configmap,pvc", "-o", "name").stdout.split()
    assert sorted(names) == ["configmap/bookstore", "configmap/kube-root-ca.crt"]


def kill_container(dev, until):
    """End every process of the container at once, as a node out of memory would; PID 1 follows its last child."""
    before = dev.restarts
    dev.exec("/devcfg/bin/busybox", "sh", "-c", "kill -KILL -1", code=None)
    until(lambda: dev.restarts == before + 1, f"a restarted container of {dev.service}")
