"""The rules of a config's section `board`: what is soldered to an ESP32 or a Pico W."""

ROOT = {
    # Pin of a status LED, a number or `"LED"` for the Pico W's own.
    "led": (None, "pin"),
    # true: the LED lights when its pin is low.
    "led_inverted": (False, "boolean"),
    # A pin that means safe mode while it is held low at a start; null: none.
    "safe_pin": (None, "pin"),
    # Two letters, for the channels and the power that the country's rules allow its WiFi.
    "country": (None, "text", 2, 2),
}
