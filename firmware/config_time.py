"""The rules of a config's section `time`: where an ESP32 or a Pico W has its time from."""

ROOT = {
    # NTP servers, asked in turn; none: the clock is not set.
    "servers": (["pool.ntp.org", "time.google.com"], "list", 0, 4, (..., "text", 1, 253)),
    # The clock is compared again so often.
    "resync_s": (86400, "seconds", 600, 604800),
}
