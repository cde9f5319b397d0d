"""What the gateway counts, in Prometheus's text format."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


class Metrics:
    """Reads a Service when it is asked; keeps nothing itself."""

    def __init__(self, service):
        self._service = service
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self):
        return generate_latest(self._registry)

    def collect(self):
        service, intake = self._service, self._service.spool.intake
        for name, text, value in (
            ("readings", "New readings", intake.readings),
            ("duplicates", "Readings that had come before", intake.duplicates),
            ("foreign", "Messages that are no readings of Petrel's", intake.foreign),
            ("undecodable", "Messages that are not even text", intake.undecodable),
            ("frames_dropped", "Frames whose profile never came", intake.decoder.dropped),
            ("commits", "Transactions of the spool", service.writer.commits),
            ("coap_taken", "Messages over CoAP", service.coap.taken),
            ("coap_refused", "Messages over CoAP that could not be taken", service.coap.refused),
            ("coap_odd", "Datagrams that are no CoAP", service.coap.odd),
            ("viewers_too_slow", "Viewers who did not read", service.hub.too_slow),
        ):
            yield CounterMetricFamily(f"petrel_{name}", text, value)
        for name, text, value in (
            ("spool_last", "The newest message's number", service.newest),
            ("spool_failing", "1 while the spool can't be written", bool(service.writer.problem)),
            ("arrivals_waiting", "Messages not on disk yet", service.writer.waiting),
            ("viewers", "WebSockets that look", len(service.hub.viewers)),
        ):
            yield GaugeMetricFamily(f"petrel_{name}", text, value)
        yield from self._mqtt()
        yield from self._sinks()

    def _mqtt(self):
        source = self._service.mqtt
        if source:
            yield GaugeMetricFamily("petrel_mqtt_connected", "1 while subscribed at the broker",
                                    source.state == "connected")
            yield CounterMetricFamily("petrel_mqtt_connects", "Connections", source.connects)
            yield CounterMetricFamily("petrel_mqtt_unwanted", "QoS 0 messages dropped",
                                      source.unwanted)

    def _sinks(self):
        service = self._service
        for kind, name, text, value in (
            (CounterMetricFamily, "delivered", "Messages delivered", lambda f: f.delivered),
            (CounterMetricFamily, "set_aside", "Messages refused", lambda f: f.aside),
            (CounterMetricFamily, "failures", "Attempts that failed",
             lambda f: f.attempts_failed),
            (CounterMetricFamily, "unrouted", "Messages, or values of them, that no queue wanted",
             lambda f: getattr(f.sink, "unrouted", 0)),
            (GaugeMetricFamily, "behind", "Messages it does not have yet",
             service.behind),
        ):
            family = kind(f"petrel_sink_{name}", text, labels=["sink"])
            for feed in service.feeds:
                family.add_metric([feed.sink.name], value(feed))
            yield family
