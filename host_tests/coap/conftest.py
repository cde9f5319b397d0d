"""What the tests of CoAP share."""

import pytest

from host_tests.chip import Chip


@pytest.fixture(scope="session")
def has_psk():
    """Skips the test where there are no pre-shared keys."""
    with Chip("coap_dtls_asking") as chip:
        if not chip.call("has_psk"):
            pytest.skip("this MicroPython has no pre-shared keys in DTLS (1.29 has them)")
