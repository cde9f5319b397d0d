"""The proof: tests, fault injectors and the harness that starts devices, brokers and receivers."""
