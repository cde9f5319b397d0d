"""Services that take seconds to start: one of each for all tests that ask for it."""

import pytest

from host_tests.harness.postgresql import PostgreSql
from host_tests.harness.rabbitmq import RabbitMq


@pytest.fixture(scope="session")
def rabbitmq():
    with RabbitMq() as broker:
        yield broker


@pytest.fixture(scope="session")
def postgresql():
    with PostgreSql() as server:
        yield server
