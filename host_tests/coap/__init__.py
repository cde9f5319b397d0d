"""Tests of lib/coap."""
