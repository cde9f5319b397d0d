"""gateway.toml: are its defaults safe, and does it say what is wrong?"""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from petrel.errors import Misuse
from petrel.gateway.config import load


def loaded(tmp_path, text, secrets=None):
    (tmp_path / "gateway.toml").write_text(text)
    if secrets:
        (tmp_path / "gateway.secrets.toml").write_text(secrets)
    return load(tmp_path / "gateway.toml")


def test_no_config_is_a_config():
    config = load()
    assert config.mqtt.url == "mqtt://127.0.0.1:1883" and config.mqtt.topics == ["devices/#"]
    assert config.http.address == ("127.0.0.1", 8080) and config.database.path == "readings.db"


def test_secrets_are_laid_over_it_and_paths_are_beside_it(tmp_path):
    config = loaded(
        tmp_path,
        '[mqtt]\nurl = "mqtts://broker"\nca = "ca.pem"\nusername = "me"\n'
        '[[webhook]]\nurl = "https://a.example/in"\n',
        '[mqtt]\npassword = "p"\n',
    )
    assert (config.mqtt.target.username, config.mqtt.target.password) == ("me", "p")
    assert config.mqtt.ca == str(tmp_path / "ca.pem")
    assert config.data_folder == tmp_path / "gateway-data"
    assert config.webhook[0].name == "webhook a.example/in"


@pytest.mark.parametrize("text, complaint", [
    ("[mqqt]", "mqqt is no key; did you mean mqtt?"),
    ("[mqtt]\nxyz = 1", "mqtt.xyz is no key; there is url, topics"),
    ("mqtt = 3", "mqtt: a table is wanted"),
    ('[spool]\nlimit_mb = "1"', "spool.limit_mb: '1' is not a whole number"),
    ("[spool]\nlimit_mb = 0", "spool.limit_mb: 0 is not from 1 to 1048576"),
    ('[mqtt]\nprotocol = "4"', "mqtt.protocol: '4' is not one of 5, 3.1.1"),
    ('[mqtt]\nurl = "broker"', "mqtt://host:1883"),
    ('[mqtt]\ntopics = ["a/#/b"]', "'#' is allowed only as the whole last level"),
    ('[mqtt]\ntopics = [1]', "mqtt.topics: only text"),
    ('[mqtt]\nshare = "a"\nprotocol = "3.1.1"', 'share needs protocol = "5"'),
    ('[mqtt]\nca = "x"', "mqtt.ca and mqtt.cert go with an mqtts:// url"),
    ('[mqtt]\nurl = "mqtt://10.0.0.1"', "10.0.0.1 is another machine: write mqtts://"),
    ('[http]\nlisten = "8080"', "no address:port"),
    ('[http]\nlisten = "0.0.0.0:80"', "needs http.cert and http.key for TLS, and an http.token"),
    ('[http]\nlisten = "[::]:80"\ntoken = "0123456789abcdef"', "needs http.cert"),
    ('[http]\nlisten = ":80"', "no address:port"),
    ('[http]\ntoken = "short"', "16 characters at least"),
    ('[http]\ncert = "a.pem"', "go together"),
    ('[[webhook]]\nurl = "http://[::1"', "webhook.url: Invalid IPv6 URL"),
    ('[[webhook]]\nurl = "ftp://x"', "webhook.url: 'ftp://x' is no http:// or https:// address"),
    ('[[webhook]]\nurl = "http://x/"', "x is another machine: write https://, or insecure = true"),
    ('[[webhook]]\nurl = "https://x/"\n[[webhook]]\nurl = "https://x/"', "a name of its own"),
    ('[[webhook]]\nurl = "https://x/"\nbatch = 0', "webhook[0].batch: 0 is not from 1 to 1000"),
    ('[[amqp]]', "amqp.url: no amqp://user:password@host/ address"),
    ('[[amqp]]\nurl = "amqp://me:secret@x/"', "amqp.url: x is another machine: write amqps://"),
    ('[[amqp]]\nurl = "amqps://x/"\nqueue_type = "lazy"', "'lazy' is not one of classic, quorum"),
    ('[[amqp]]\nurl = "amqps://x:y/"', "amqp.url: "),
    ('[[amqp]]\nurl = "amqps://x/"\nexchange = ""', "amqp.exchange: it needs a name"),
    ('[[amqp]]\nurl = "amqps://x/"\nname = "database"', "a name of its own"),
    ('[[postgresql]]', "postgresql.url: no postgresql://user:password@host/database address"),
    ('[[postgresql]]\nurl = "postgresql://x:y/"', "postgresql.url: "),
    ('[[postgresql]]\nurl = "postgresql://x/"\nkeep_days = -1', "keep_days: -1 is not from 0"),
    ('[[republish]]', "mqtt://host:1883"),
    ('[[republish]]\nurl = "mqtt://x"', "x is another machine: write mqtts://"),
    ('[[republish]]\nurl = "mqtts://x"\nprefix = "a/#"', "a topic has no + and no #"),
    ('[[republish]]\nurl = "mqtt://127.0.0.1"', "its messages would come in again"),
    ('[mqtt]\ntopics = ["#"]\n[[republish]]\nurl = "mqtt://127.0.0.1"\nprefix = "a/"',
     "its messages would come in again"),
    ('[mqtt]\ntopics = ["a/b"]\n[[republish]]\nurl = "mqtt://127.0.0.1"\nprefix = "a/"',
     "its messages would come in again"),
    ("a = ", "gateway.toml: "),
])
def test_what_is_wrong_is_said(tmp_path, text, complaint):
    with pytest.raises(Misuse) as error:
        loaded(tmp_path, text)
    assert complaint in str(error.value) and "gateway.toml" in str(error.value)


def test_another_machine_is_reached_with_tls_and_a_token(tmp_path):
    config = loaded(tmp_path, '[http]\nlisten = "0.0.0.0:8443"\ncert = "c.pem"\nkey = "k.pem"\n'
                    'token = "0123456789abcdef"')
    assert config.http.address == ("0.0.0.0", 8443)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(Misuse, match=r"gone.toml: No such file"):
        load(tmp_path / "gone.toml")


def test_the_document_names_every_key(tmp_path):
    document = Path(__file__).parents[2] / "docs" / "gateway.md"
    (text,) = re.findall(r"```toml\n(.*?)```", document.read_text(), re.DOTALL)
    config, told = loaded(tmp_path, text), tomllib.loads(text)
    for part in dataclasses.fields(config):
        value, names = getattr(config, part.name), told.get(part.name)
        if isinstance(value, list):
            value, names = value[0], names[0]
        if dataclasses.is_dataclass(value):
            assert set(names) == {field.name for field in dataclasses.fields(value)}, part.name
