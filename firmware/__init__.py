"""The application of the device: sensors -> sampler -> outbox -> uplink -> link -> peer."""

VERSION = "0.1.0"
