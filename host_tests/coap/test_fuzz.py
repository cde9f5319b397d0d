"""The short version of `make fuzz` for CoAP."""
# pyright: reportAttributeAccessIssue=false

from host_tests.coap import fuzz


def test_what_comes_breaks_nothing_and_nothing_grows(seed):
    target = fuzz.run(20_000, seed)
    assert target.engine.rejected > 1000
    assert target.engine.serving.duplicates > 0
