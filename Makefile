# Petrel: every target sets up what is missing by itself; `make` alone lists them.
PYTHON ?= python3
BIN    := .venv/bin
# Many tests mostly wait: three at once keep two cores busy. JOBS=0 runs them one by one.
JOBS   ?= 3
# A program that Python has compiled once starts in half the time, and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
SOAKED := host_tests/e2e/test_wifi.py host_tests/test_boards.py \
	host_tests/test_sleep.py host_tests/mqtt/test_exactly_once.py host_tests/mqtt/test_client.py \
	host_tests/e2e/test_power_loss.py host_tests/e2e/test_once.py \
	host_tests/journal/test_endurance.py::test_many_records host_tests/simulate/test_simulate.py \
	host_tests/coap/test_dtls_sessions.py
SETUP  := @$(PYTHON) tools/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help setup setup-services test demo bench fuzz soak flash lint

help: ## this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST)

setup: ## set up .venv, MicroPython and Mosquitto, and nothing else
	$(SETUP) --again
	@echo "Ready. Try: make demo"

setup-services: ## RabbitMQ, PostgreSQL, Chromium, tshark, which some tests need; none is left running
	$(SETUP)
	@$(BIN)/python -m petrel.setup.services

# Two phases: side by side, then what depends on time. Status 5: ARGS select nothing there.
test: ## run the tests, JOBS=3 at a time; ARGS="-k name" narrows them
	$(SETUP) --need-mosquitto
	@$(BIN)/python -m pytest --phase=together -n $(JOBS) --dist worksteal $(ARGS); beside=$$?; \
	$(BIN)/python -m pytest --phase=alone $(ARGS); alone=$$?; \
	case $$beside,$$alone in 0,0|0,5|5,0) ;; *) exit 1;; esac

demo: ## broker, three virtual devices and a live view; FOR=20 ends it after 20 s
	$(SETUP)
	@$(BIN)/petrel demo $(if $(FOR),--for $(FOR))

bench: ## run every measurement, as tables and as build/bench.json
	$(SETUP) --need-mosquitto
	@$(BIN)/python -m petrel.bench $(ARGS)

fuzz: ## random and damaged frames and MQTT packets, a million and 100,000; COUNT=1000 for fewer
	$(SETUP)
	@$(BIN)/python -m host_tests.frame.fuzz --count $(or $(COUNT),1000000)
	@$(BIN)/python -m host_tests.coap.fuzz --count $(or $(COUNT),1000000)
	@$(BIN)/python -m host_tests.mqtt.fuzz --count $(or $(COUNT),100000)

flash: ## the application onto a board; PORT=/dev/ttyUSB0, ARGS="--new-config"
	$(SETUP)
	@$(BIN)/petrel flash $(if $(PORT),--port $(PORT)) $(ARGS)

soak: ## storms of WiFi and MQTT for minutes, 10 million records, 150 power cuts; takes hours
	$(SETUP) --need-mosquitto
	@PETREL_SOAK=1 $(BIN)/python -m pytest -s $(or $(ARGS),$(SOAKED))

lint: ## ruff and pyright
	$(SETUP)
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@for port in device esp32 rp2; do $(BIN)/basedpyright --project tools/pyright_$$port.json || exit 1; done
