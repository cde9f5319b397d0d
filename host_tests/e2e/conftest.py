"""A device behind a proxy."""

from pathlib import Path

import pytest

from host_tests.e2e.proofs import SOON_S, quick


@pytest.fixture
def running(proxy, receiver, device):
    """A device that has been sending for a moment."""
    started = device(quick(proxy.port))
    receiver.wait_readings("d1", 20, SOON_S)
    return started


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Whoever else computes makes a device late, and its connection slow."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.alone)
