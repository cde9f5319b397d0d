"""A device behind a proxy."""

import pytest

from host_tests.e2e.proofs import SOON_S, quick


@pytest.fixture
def running(proxy, receiver, device):
    """A device that has been sending for a moment."""
    started = device(quick(proxy.port))
    receiver.wait_readings("d1", 20, SOON_S)
    return started
