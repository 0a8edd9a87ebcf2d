"""Reads single figures off the page of metrics."""

from prometheus_client.parser import text_string_to_metric_families

from web import fetch


def figure(server, name):
    """The value of a metric without labels."""
    page = fetch(server, "/metrics").body.decode()
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(f"{name} "))


def calls_that_ended(server, rpc, status):
    """How many calls of `package.Service/Method` ended with a status."""
    wanted = {"rpc_method": rpc, "rpc_response_status_code": status}
    page = fetch(server, "/metrics").body.decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "rpc_server_call_duration_seconds_count" and wanted.items() <= sample.labels.items()
    )
