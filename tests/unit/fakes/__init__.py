"""Fakes that keep the contracts of the ports, for unit tests: fakes, never mocks."""
