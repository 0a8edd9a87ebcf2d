"""The manifests: rendered with kustomize and held against the JSON schemas of Kubernetes,
and against what the server and its documents say. Needs no cluster and no Docker."""

import functools
import os
import pathlib
import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

DOCKER = pathlib.Path(__file__).resolve().parents[1]
SETTINGS = DOCKER.parent / "server" / "src" / "settings" / "variables.rs"
# The first with all that is used, and the last of the package with the schemas.
VERSIONS = ("1.30", "1.37")
# Defined in a cluster by the operator, not by Kubernetes: no schema is at hand.
FOREIGN = {"monitoring.coreos.com/v1"}

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl here to render the manifests")


@functools.cache
def render(overlay):
    """The manifests of one of the directories here, or of an absolute path."""
    outcome = subprocess.run(
        ["kubectl", "kustomize", str(DOCKER / "kubernetes" / overlay)], capture_output=True, text=True, timeout=60
    )
    assert outcome.returncode == 0, outcome.stderr
    return list(yaml.safe_load_all(outcome.stdout))


def the(kind, name="tiny-cache", overlay="base"):
    [found] = [m for m in render(overlay) if m["kind"] == kind and re.fullmatch(name, m["metadata"]["name"])]
    return found


def pod():
    return the("StatefulSet")["spec"]["template"]


def container():
    [only] = pod()["spec"]["containers"]
    return only


def settings():
    return the("ConfigMap", "tiny-cache-.*")["data"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", ["base", "clients", "envoy", "monitoring", "tier"])
def test_the_manifests_are_valid(overlay, version):
    own = [manifest for manifest in render(overlay) if manifest["apiVersion"] not in FOREIGN]
    assert len(own) >= 6
    for manifest in own:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_would_not_be_valid():
    manifest = {**the("PodDisruptionBudget"), "spec": {"maxUnavailble": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


def selectors(overlay):
    """Whatever chooses pods by their labels."""
    spec = the("StatefulSet", ".*", overlay)["spec"]
    chosen = [spec["selector"], the("PodDisruptionBudget", ".*", overlay)["spec"]["selector"]]
    chosen += [each["labelSelector"] for each in spec["template"]["spec"]["topologySpreadConstraints"]]
    chosen += [m["spec"]["podSelector"] for m in render(overlay) if m["kind"] == "NetworkPolicy"]
    services = [m["spec"]["selector"] for m in render(overlay) if m["kind"] == "Service"]
    return [each["matchLabels"] for each in chosen] + services


def test_every_selector_finds_the_pods():
    labels = pod()["metadata"]["labels"].items()
    found = selectors("monitoring")
    assert len(found) == 7
    for selector in found:
        assert selector and selector.items() <= labels


def test_two_caches_in_a_namespace_are_told_apart(tmp_path):
    base = os.path.relpath(DOCKER / "kubernetes" / "base", tmp_path)
    another = {
        "resources": [base],
        "nameSuffix": "-sessions",
        "labels": [{"pairs": {"app.kubernetes.io/instance": "sessions"}, "includeSelectors": True}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(another), encoding="utf-8")
    overlay = str(tmp_path)
    template = the("StatefulSet", ".*", overlay)["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    for selector in selectors(overlay):
        assert selector.items() <= labels and not selector.items() <= pod()["metadata"]["labels"].items()
    assert not any(selector.items() <= labels for selector in selectors("monitoring"))
    monitor = the("ServiceMonitor", overlay="monitoring")["spec"]["selector"]["matchLabels"].items()
    services = [m for m in render(overlay) if m["kind"] == "Service"]
    assert len(services) == 1 and not any(monitor <= each["metadata"]["labels"].items() for each in services)
    names = {(m["kind"], m["metadata"]["name"]) for m in render(overlay)}
    assert not names & {(m["kind"], m["metadata"]["name"]) for m in render("monitoring")}


PAGES = DOCKER.parent / "docs"


def shown(page, heading, directory):
    """Writes the kustomization that a page shows below a heading; its directory."""
    text = (PAGES / page).read_text(encoding="utf-8")
    shown = re.search(rf"^## {re.escape(heading)}\n.*?```yaml\n(.*?)```", text, re.S | re.M)[1]
    # kustomize takes no absolute path for a base.
    base = os.path.relpath(DOCKER / "kubernetes" / "base", directory.resolve())
    (directory / "kustomization.yaml").write_text(shown.replace("../base", base), encoding="utf-8")
    return str(directory)


def test_the_documents_name_the_second_cache_as_kustomize_does(tmp_path):
    overlay = shown("kubernetes.md", "A second set of caches", tmp_path)
    stateful_set = the("StatefulSet", ".*", overlay)
    name, nodes = stateful_set["metadata"]["name"], stateful_set["spec"]["serviceName"]
    text = (PAGES / "kubernetes.md").read_text(encoding="utf-8")
    for each in (f"`{name}`", f"`{name}-0`", f"`{name}-0.{nodes}:50051`"):
        assert each in text, each
    # What the runbook's variables stand for: the pod without its number, which names the policy too.
    text = (PAGES / "operations.md").read_text(encoding="utf-8")
    assert f"`{name}-0` and `{name}`" in text.replace("\n", " ")
    assert the("NetworkPolicy", ".*", overlay)["metadata"]["name"] == name


def test_the_tls_that_the_documents_show_mounts_what_the_settings_name(tmp_path):
    overlay = shown("kubernetes.md", "TLS", tmp_path)
    pod = the("StatefulSet", overlay=overlay)["spec"]["template"]["spec"]
    [volume], [mount] = pod["volumes"], pod["containers"][0]["volumeMounts"]
    assert volume["name"] == mount["name"] and mount["readOnly"]
    values = the("ConfigMap", "tiny-cache-.*", overlay)["data"]
    assert values["CACHE_TLS_ENABLED"] == "true" and values["CACHE_MAX_MEMORY_MB"] == settings()["CACHE_MAX_MEMORY_MB"]
    # The names that `kubectl create secret tls` gives.
    assert values["CACHE_TLS_CERT_PATH"] == mount["mountPath"] + "/tls.crt"
    assert values["CACHE_TLS_KEY_PATH"] == mount["mountPath"] + "/tls.key"
    for page in ("kubernetes.md", "operations.md"):
        text = (PAGES / page).read_text(encoding="utf-8")
        assert f"kubectl create secret tls {volume['secret']['secretName']} --cert=server.pem --key=server.key" in text
    services = [m["spec"]["ports"] for m in render(overlay) if m["kind"] == "Service"]
    assert not any("appProtocol" in port for ports in services for port in ports if port["name"] == "grpc")


def test_nothing_balances_calls_over_independent_caches():
    for overlay in ("base", "clients", "monitoring", "tier"):
        services = [m["spec"] for m in render(overlay) if m["kind"] == "Service"]
        assert {m["kind"] for m in render(overlay)}.isdisjoint({"Ingress", "HTTPRoute", "GRPCRoute", "Deployment"})
        assert all(spec["clusterIP"] == "None" for spec in services)
    assert the("StatefulSet")["spec"]["replicas"] == 3


def envoy_config():
    """The configuration that the overlay gives to Envoy."""
    return yaml.safe_load(the("ConfigMap", "tiny-cache-envoy-.*", "envoy")["data"]["envoy.yaml"])


def test_the_overlay_balances_over_proxies_alone_and_those_hash():
    caches = pod()["metadata"]["labels"].items()
    [balanced] = [m for m in render("envoy") if m["kind"] == "Service" and m["spec"].get("clusterIP") != "None"]
    selector = balanced["spec"]["selector"].items()
    assert not selector <= caches
    template = the("Deployment", "tiny-cache-envoy", "envoy")["spec"]["template"]
    assert selector <= template["metadata"]["labels"].items()
    # None of the base's selectors takes an Envoy for a cache.
    assert not any(chosen.items() <= template["metadata"]["labels"].items() for chosen in selectors("base"))
    [listener] = envoy_config()["static_resources"]["listeners"]
    [manager] = [chain["filters"][0]["typed_config"] for chain in listener["filter_chains"]]
    [route] = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert route["route"]["hash_policy"] == [{"header": {"header_name": "x-cache-key"}}]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert listener["address"]["socket_address"]["port_value"] == ports["grpc"]
    assert envoy_config()["admin"]["address"]["socket_address"]["port_value"] == ports["admin"]


def test_the_overlay_has_the_configuration_that_was_rehearsed():
    """`make test-scaling` drives what docs/scaling.md shows."""
    text = (PAGES / "scaling.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    static = envoy_config()["static_resources"]
    [cluster], [expected] = static["clusters"], shown["clusters"]
    [manager] = [chain["filters"][0]["typed_config"] for chain in static["listeners"][0]["filter_chains"]]
    assert manager["route_config"]["virtual_hosts"][0]["routes"] == shown["routes"]
    names = [
        endpoint["endpoint"]["address"]["socket_address"]["address"]
        for endpoint in cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    ]
    # More names than pods: one that does not exist yet has no address, and no part of the ring.
    replicas, service = the("StatefulSet")["spec"]["replicas"], the("StatefulSet")["spec"]["serviceName"]
    assert names == [f"tiny-cache-{n}.{service}" for n in range(len(names))] and len(names) > replicas
    of = lambda of: {**of, "load_assignment": None}  # noqa: E731
    assert of(cluster) == of(expected)


def test_callers_of_another_namespace_are_let_in_by_a_label_and_to_grpc_alone():
    [rule] = the("NetworkPolicy", "tiny-cache-clients", overlay="clients")["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"tiny-cache-client": "true"}}}]
    assert rule["ports"] == [{"port": "grpc"}]


def test_alerts_and_legends_name_pods_and_tell_caches_apart():
    [endpoint] = the("ServiceMonitor", overlay="monitoring")["spec"]["endpoints"]
    relabelled = {each["targetLabel"]: each["sourceLabels"] for each in endpoint["relabelings"]}
    assert relabelled == {
        "cache": ["__meta_kubernetes_service_label_app_kubernetes_io_instance"],
        "instance": ["__meta_kubernetes_pod_name"],
    }


def test_a_node_can_be_drained_while_a_server_is_not_ready():
    assert the("PodDisruptionBudget")["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_the_next_server_is_updated_when_the_last_one_had_time_to_fill():
    assert the("StatefulSet")["spec"]["minReadySeconds"] >= 60


def test_the_names_of_the_pods_come_from_a_headless_service():
    service = the("Service", the("StatefulSet")["spec"]["serviceName"])
    assert service["spec"]["clusterIP"] == "None"


def test_every_port_that_is_named_is_one_of_the_container():
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {"grpc": 50051, "http": 8080}
    assert {port["targetPort"] for port in the("Service", "tiny-cache-nodes")["spec"]["ports"]} <= ports.keys()
    assert container()["livenessProbe"]["httpGet"]["port"] in ports
    for policy in [m for m in render("monitoring") if m["kind"] == "NetworkPolicy"]:
        assert {p["port"] for rule in policy["spec"]["ingress"] for p in rule["ports"]} <= ports.keys()


def test_a_server_whose_connections_are_all_taken_stays_in_its_services():
    """A gRPC probe needs one of the connections of CACHE_MAX_CONNECTIONS: it failed when all
    were taken, and a full pod left its Services."""
    ready = container()["readinessProbe"]["httpGet"]
    assert ready == {"path": "/ready", "port": "http"}
    assert {"name": "http", "containerPort": 8080} in container()["ports"]


def test_the_monitor_scrapes_each_server_once():
    monitor = the("ServiceMonitor", overlay="monitoring")["spec"]
    [endpoint] = monitor["endpoints"]
    wanted = monitor["selector"]["matchLabels"].items()
    scraped = [
        service["metadata"]["name"]
        for service in render("monitoring")
        if service["kind"] == "Service"
        and wanted <= service["metadata"]["labels"].items()
        and endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    ]
    assert scraped == ["tiny-cache-nodes"]


def test_the_grace_is_longer_than_the_sleep_and_the_drain():
    sleep = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = float(settings()["CACHE_SHUTDOWN_GRACE_SECONDS"])
    assert pod()["spec"]["terminationGracePeriodSeconds"] > sleep + drain + 0.5
    # Seen to be gone before the port closes.
    readiness = container()["readinessProbe"]
    assert sleep > 0 and readiness["periodSeconds"] * readiness["failureThreshold"] < sleep + drain


def mebibytes(quantity):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]


def memory_is_requested_in_full_and_is_enough(overlay):
    """docs/sizing.md: entries, the process, large messages under way, connections."""
    [only] = the("StatefulSet", overlay=overlay)["spec"]["template"]["spec"]["containers"]
    resources, values = only["resources"], the("ConfigMap", "tiny-cache-.*", overlay)["data"]
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    entries, connections = int(values["CACHE_MAX_MEMORY_MB"]), int(values["CACHE_MAX_CONNECTIONS"])
    need = 1.35 * entries + 10 + max(entries / 16, 4) + connections * 18 / 1024
    assert mebibytes(resources["limits"]["memory"]) >= need
    return entries


def test_memory_is_requested_in_full_and_is_enough():
    memory_is_requested_in_full_and_is_enough("base")


def test_the_cache_of_2_gib_that_the_documents_show_fits(tmp_path):
    overlay = shown("sizing.md", "A cache of 2 GiB in Kubernetes", tmp_path)
    assert memory_is_requested_in_full_and_is_enough(overlay) == 2048


def test_there_are_as_many_workers_as_cores_are_asked_for():
    resources = container()["resources"]
    assert "cpu" not in resources["limits"]
    assert settings()["CACHE_WORKERS"] == resources["requests"]["cpu"]


def test_every_setting_is_one_that_the_server_knows():
    known = re.findall(r'"(CACHE_\w+)" =', SETTINGS.read_text(encoding="utf-8"))
    assert settings().keys() <= set(known)


def test_a_pod_answers_at_whichever_family_its_first_address_is_of():
    assert settings()["CACHE_HEALTH_HOST"] == "[::]"
    assert "CACHE_HOST" not in settings()  # [::] by itself


def test_a_pod_has_no_rights():
    spec = pod()["spec"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
    own = container()["securityContext"]
    assert own["readOnlyRootFilesystem"] and own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}


def test_the_tier_is_reached_and_its_password_is_where_it_is_looked_for():
    [named] = [m for m in render("tier") if m["kind"] == "ConfigMap"]
    settings = named["data"]
    assert settings["CACHE_BACKEND"] == "redis" and settings["CACHE_MAX_MEMORY_MB"]
    template = the("StatefulSet", overlay="tier")["spec"]["template"]["spec"]
    [only] = template["containers"]
    [mount] = [each for each in only["volumeMounts"] if each["name"] == "backend"]
    assert settings["CACHE_BACKEND_PASSWORD_PATH"] == f"{mount['mountPath']}/password"
    assert {"name": "backend", "secret": {"secretName": "tiny-cache-backend", "defaultMode": 0o440}} in template["volumes"]
    rules = the("NetworkPolicy", "tiny-cache-tier", overlay="tier")["spec"]["egress"]
    assert 6379 in [port["port"] for rule in rules for port in rule["ports"]]
