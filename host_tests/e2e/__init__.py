"""The real firmware as a process, the real Mosquitto, recorded data, and faults in between."""
