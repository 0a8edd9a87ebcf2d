"""What callers see while one of several caches is killed, restarted, drained, added or taken away:
no wrong value, errors of calls in flight only, and a hit ratio that recovers. `scaling.py` drives it."""

import os

import pytest
import scaling

pytestmark = pytest.mark.skipif(
    os.environ.get("TINY_CACHE_TEST_TRANSPORT") == "hyper",
    reason="which server has a key does not depend on the transport",
)


# The load tester's own lateness, in microseconds, above which the machine stood still: calls then fail
# at servers to which nothing happened.
STALLED_US = 500_000


def rehearsed(plan):
    """The reports of a rehearsal on a machine that did not stall, or of the last of three tries. A wrong
    value is none of the machine's doing, in any of them."""
    for _ in range(3):
        reports = scaling.rehearse_both(plan)
        for behind, report in reports.items():
            assert report["verification"]["violations"] == [], f"{behind}: {scaling.figures(report)}"
        if all(report["slip_us"]["max"] < STALLED_US for report in reports.values()):
            break
    return reports


@pytest.mark.parametrize("plan", ["FAILURES", "SCALING"])
def test_caches_that_go_and_come_cost_hits_and_never_a_wrong_value(plan):
    plan = getattr(scaling, plan)
    if any(what == "add" for _, what, _ in plan["events"]) and not scaling.can_have_own_hosts():
        pytest.skip("needs root and unshare, to give the load tester a name whose addresses change")
    first, last = plan["events"][0][0], plan["events"][-1][0]
    for behind, report in rehearsed(plan).items():
        told = f"{behind}: {scaling.figures(report)}"
        found, seconds = report["verification"], report["seconds"]
        assert found["confirmed"] > 5000, told
        # The library retries what may be repeated, and all of these may. Envoy repeats what no server saw.
        assert report["failed"] <= (0 if behind == "library" else 8 * len(plan["events"])), told
        events = [at for at, _, _ in plan["events"]]
        failed = [n for n, second in enumerate(seconds) if second["failed"]]
        assert all(any(at - 1 <= n <= at + 2 for at in events) for n in failed), told
        ratios = scaling.hit_ratios(report)
        # The event was one: values were lost, or moved.
        assert min(ratios[first : first + 4]) < 0.95, told
        # A server has a share of the keys and not more.
        assert min(ratios) > 0.4, told
        assert max(ratios[last + 3 :]) > 0.85, told
