"""Environment variables: what is taken, what is refused, what is warned about."""

import os

import pytest

from process import run

# (settings, what the one line must name besides the first setting and its value)
REFUSED = {
    "a port that is no number": ({"CACHE_PORT": "fifty"}, []),
    "a port out of range": ({"CACHE_PORT": "65536"}, ["65535"]),
    "a negative port": ({"CACHE_PORT": "-1"}, []),
    "a port injected by a cluster": ({"CACHE_PORT": "tcp://10.0.0.1:50051"}, ["enableServiceLinks: false"]),
    "a health port that is no number": ({"CACHE_HEALTH_PORT": "http"}, []),
    "an address that is none": ({"CACHE_HOST": "no such host"}, []),
    "a health address that is none": ({"CACHE_HEALTH_HOST": "no such host"}, []),
    "a negative count": ({"CACHE_MAX_ITEMS": "-1"}, []),
    "a count that is no number": ({"CACHE_MAX_ITEMS": "many"}, []),
    "negative memory": ({"CACHE_MAX_MEMORY_MB": "-5"}, []),
    "memory with a unit": ({"CACHE_MAX_MEMORY_MB": "1GB"}, []),
    "memory beyond any machine": ({"CACHE_MAX_MEMORY_MB": "99999999999999999999"}, []),
    "a value limit over the memory": (
        {"CACHE_MAX_VALUE_BYTES": "1048577", "CACHE_MAX_MEMORY_MB": "1"},
        ["1048576"],
    ),
    "a value limit that is no number": ({"CACHE_MAX_VALUE_BYTES": "4MiB"}, []),
    "an interval that is no number": ({"CACHE_CLEANUP_INTERVAL": "soon"}, []),
    "a negative interval": ({"CACHE_CLEANUP_INTERVAL": "-10"}, []),
    "an unknown log level": ({"CACHE_LOG_LEVEL": "LOUD"}, ["WARNING"]),
    "an unknown log format": ({"CACHE_LOG_FORMAT": "xml"}, ["text", "json"]),
    "an unknown backend": ({"CACHE_BACKEND": "disk"}, ["memory", "redis", "valkey"]),
    "a boolean that is none": ({"CACHE_TLS_ENABLED": "maybe"}, ["true", "false"]),
    "a certificate that is not there": (
        {"CACHE_TLS_CERT_PATH": "/nowhere/certificate.pem", "CACHE_TLS_KEY_PATH": __file__, "CACHE_TLS_ENABLED": "1"},
        [],
    ),
    "a certificate file without a certificate": (
        {"CACHE_TLS_CERT_PATH": __file__, "CACHE_TLS_KEY_PATH": __file__, "CACHE_TLS_ENABLED": "1"},
        [],
    ),
}

# What is missing has no value to name.
INCOMPLETE = {
    "tls without a certificate": ({"CACHE_TLS_ENABLED": "true"}, "CACHE_TLS_CERT_PATH"),
    "tls without a key": ({"CACHE_TLS_ENABLED": "true", "CACHE_TLS_CERT_PATH": __file__}, "CACHE_TLS_KEY_PATH"),
    "mutual tls without an authority": (
        {
            "CACHE_TLS_ENABLED": "true",
            "CACHE_TLS_CERT_PATH": __file__,
            "CACHE_TLS_KEY_PATH": __file__,
            "CACHE_TLS_REQUIRE_CLIENT_AUTH": "true",
        },
        "CACHE_TLS_CLIENT_CA_PATH",
    ),
}

UNKNOWN = {
    "CACHE_MAX_ITEM": "CACHE_MAX_ITEMS",
    "CACHE_LOGLEVEL": "CACHE_LOG_LEVEL",
    "CACHE_MAX_MEMORY_MIB": "CACHE_MAX_MEMORY_MB",
}

# What a cluster injects for a Service called `cache`: no other name was meant.
INJECTED = ["CACHE_SERVICE_HOST", "CACHE_PORT_50051_TCP_ADDR"]

TRUE = ["1", "true", "yes", "y", "on", "TRUE", "Yes", " on "]
FALSE = ["0", "false", "no", "n", "off", "FALSE", "No", " off "]


def complaint(**settings):
    """The one line with which a server refuses to start."""
    outcome = run(**settings)
    lines = [line for line in (outcome.stdout + outcome.stderr).splitlines() if line.strip()]
    assert outcome.returncode == 2, f"exit code {outcome.returncode}: {lines}"
    assert len(lines) == 1, lines
    return lines[0]


def the_warning_about(name, server):
    """The one warning that names it, from a server that starts all the same."""
    server.terminate()
    assert server.exit_code() == 0
    warnings = [line for line in server.log if name in line and "WARN" in line]
    assert len(warnings) == 1, server.log_text()
    return warnings[0]


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_setting_is_refused_with_its_name_and_value(name):
    settings, also = REFUSED[name]
    variable, value = next(iter(settings.items()))
    line = complaint(**settings)
    for part in (variable, value, *also):
        assert part in line, f"{part!r} is not in {line!r}"


@pytest.mark.parametrize("name", INCOMPLETE)
def test_a_setting_that_is_missing_is_named(name):
    settings, missing = INCOMPLETE[name]
    assert missing in complaint(**settings)


def test_a_value_that_is_not_unicode_is_refused():
    assert "CACHE_LOG_LEVEL" in complaint(CACHE_LOG_LEVEL=os.fsdecode(b"\xff\xfe"))


@pytest.mark.parametrize("value", TRUE)
def test_a_boolean_that_is_true(value):
    assert "CACHE_TLS_CERT_PATH" in complaint(CACHE_TLS_ENABLED=value)


@pytest.mark.parametrize("value", FALSE)
def test_a_boolean_that_is_false(start, connect, value):
    assert connect(start(CACHE_TLS_ENABLED=value).grpc).get("k") is None


@pytest.mark.parametrize("level", ["DEBUG", "info", "Warning", "ERROR", "critical", "trace"])
def test_a_log_level_in_any_case_is_known(level):
    # A second setting that is wrong ends the run; the level is not complained about.
    assert "CACHE_LOG_LEVEL" not in complaint(CACHE_LOG_LEVEL=level, CACHE_BACKEND="disk")


def test_blank_settings_count_as_absent(start, connect):
    server = start(CACHE_MAX_ITEMS="", CACHE_MAX_VALUE_BYTES="  ", CACHE_LOG_LEVEL="")
    assert connect(server.grpc).stats().max_items == 0


def test_white_space_around_a_setting_is_ignored(start, connect):
    assert connect(start(CACHE_MAX_ITEMS=" 7 ").grpc).stats().max_items == 7


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_setting_is_warned_about_with_the_nearest_name(start, name):
    warning = the_warning_about(name, start(**{name: "10"}))
    assert UNKNOWN[name] in warning.replace(name, "", 1)


@pytest.mark.parametrize("name", INJECTED)
def test_a_name_injected_by_a_cluster_is_warned_about_with_the_remedy(start, name):
    assert "enableServiceLinks" in the_warning_about(name, start(**{name: "10.0.0.1"}))


def test_a_server_without_wrong_names_warns_of_nothing(start):
    server = start()
    server.terminate()
    server.exit_code()
    assert [line for line in server.log if "WARN" in line] == []
