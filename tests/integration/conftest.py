"""Fixtures: `world` is a test's own; `shared` one gateway with one node-smpp for tests that break nothing."""
import os
import pathlib

import pytest

from procs import BUILD
from world import Account, World


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        item.stash[FAILED] = True
        item.session.stash[FAILED] = True


FAILED = pytest.StashKey()


@pytest.fixture
def world(request):
    w = World()
    yield w
    w.close(request.node.stash.get(FAILED, False))


class Shared:
    def __init__(self, world):
        self.world = world
        self.smsc = world.node("smsc")
        self.gateway, self.account = world.start({"acme": self.smsc})

    def new_account(self, name, **kw):
        return Account(self.gateway, name, **kw)


@pytest.fixture(scope="session")
def shared_world(request):
    w = World()
    yield Shared(w)
    w.close(request.session.stash.get(FAILED, False))


@pytest.fixture
def shared(shared_world):
    """Checks after each test that the gateway still runs."""
    yield shared_world
    assert shared_world.gateway.program.popen.poll() is None, shared_world.gateway.log()[-3000:]


def pytest_terminal_summary(terminalreporter, config):
    """What tests have measured; one line for tests/integration/run.sh; a test that was skipped has proven nothing."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
    count = {k: len(terminalreporter.stats.get(k, ())) for k in ("passed", "failed", "error", "skipped")}
    path = os.environ.get("PINBIND_COUNTS")
    if path and not hasattr(config, "workerinput"):
        with pathlib.Path(path).open("a") as f:
            f.write(f"{count['passed']} {count['failed'] + count['error'] + count['skipped']}\n")


BUILD.mkdir(exist_ok=True)
