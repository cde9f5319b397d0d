"""Do the documents say what the code does?"""

import json
import re

import pytest

from petrel import ROOT, packages, reference
from petrel.check import verdict

README = ROOT / "README.md"


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def test_the_readme_s_reference_is_made_from_the_rules():
    text = README.read_text()
    assert reference.update(text) == text, "type: .venv/bin/python -m petrel.reference"


def test_every_rule_is_explained():
    for row in reference.markdown().splitlines()[2:]:
        assert re.search(r"\| [^|]+ \|$", row), f"no comment above {row.split('|')[1]}"


@pytest.mark.parametrize("example", blocks(README.read_text(), "json"))
def test_the_readme_s_configs_pass_the_check(example):
    file = ROOT / "build" / "readme_example.json"
    config = json.loads(example)
    for sensor in config["sensors"]:
        if "file" in sensor:
            sensor["file"] = str(ROOT / sensor["file"])
    file.write_text(json.dumps(config))
    assert verdict(file) == []


def test_the_config_that_comes_along_passes_the_check():
    assert verdict(ROOT / "config.json") == []


def test_links_in_the_documents_lead_somewhere():
    for document in [README, *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_package_files_are_made_from_the_libraries():
    old = [path for path, text in packages.generated().items()
           if not path.exists() or path.read_text() != text]
    assert not old, "type: .venv/bin/python -m petrel.packages"
