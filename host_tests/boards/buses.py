"""Buses of a stand-in board (I2C, ADC, 1-Wire). On MicroPython."""
