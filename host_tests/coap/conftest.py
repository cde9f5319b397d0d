"""What the tests of CoAP share."""

import pytest

from host_tests.chip import Chip
from petrel import runtime


@pytest.fixture(params=["coap", "microcoapy"])
def link(request):
    """The links of CoAP, one after the other."""
    if request.param == "microcoapy" and runtime.microcoapy_folder() is None:
        pytest.skip("microCoAPy is not here; try: make setup")
    return request.param


@pytest.fixture(scope="session")
def has_psk():
    """Skips the test where there are no pre-shared keys."""
    with Chip("coap_dtls_asking") as chip:
        if not chip.call("has_psk"):
            pytest.skip("this MicroPython has no pre-shared keys in DTLS (1.29 has them)")
