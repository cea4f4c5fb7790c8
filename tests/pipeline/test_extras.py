"""What recipes need beside the core: each fits in an interpreter that sees nothing else."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import plait

ROOT = Path(__file__).resolve().parents[2]

EVALUATE = """
import sys
sys.path[:0] = sys.argv[1:3]
import json, plait
events = [
    {"user": f"u{user}", "item": f"i{(user * step) % 17}", "time": 1_000_000 * step + user,
     "event": "purchase"}
    for user in range(1, 40) for step in range(1, 7)
]
items = [{"item": f"i{item}", "title": f"thing {item % 4}"} for item in range(17)]
short = {"sequence": {"training": {"epochs": 1}}}
recipes = {
    "core": ["default", "shop"],
    "deep": [{"name": "full", "extends": "full", "models": short}],
}[sys.argv[3]]
with plait.open(None) as workspace:
    workspace.ingest(events=events, items=items)
    report = workspace.evaluate("leave-one-out", recipes, k=(10,), fusion_methods=True)
print(json.dumps({
    "rows": [row.model for row in report.results],
    "absent": report.data.get("absent", {}),
    "loaded": [name for name in ("torch", "lightgbm", "pandas", "optuna") if name in sys.modules],
}))
"""


def name_of(requirement):
    """The name of a package in a requirement, as indexes spell it."""
    return re.split(r"[\s\[<>=!~(;]", requirement.strip())[0].lower().replace("_", "-")


def closure(extras):
    """The installed packages that Plait needs with some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = list(project["dependencies"])
    for extra in extras:
        direct += project["optional-dependencies"][extra]
    reached, waiting = set(), [name_of(requirement) for requirement in direct]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        try:
            requirements = distribution(name).requires or ()
        except PackageNotFoundError:  # of another platform or version of Python
            continue
        reached.add(name)
        waiting += [name_of(line) for line in requirements if "extra ==" not in line]
    return reached


def link_packages(folder, extras):
    """Links to what these packages installed, as a `site-packages` of nothing else."""
    folder.mkdir()
    for name in closure(extras):
        installed = distribution(name)
        tops = {file.parts[0] for file in installed.files or () if ".." not in file.parts}
        for top in tops - {"__pycache__"}:
            target = Path(str(installed.locate_file(top)))
            if target.exists() and not (folder / top).exists():
                (folder / top).symlink_to(target)
    return folder


def evaluated(folder, *extras):
    """What an interpreter evaluates that sees Plait and these packages alone."""
    packages = link_packages(folder / "packages", extras)
    what = extras[0] if extras else "core"
    command = [sys.executable, "-I", "-S", "-c", EVALUATE]
    command += [str(packages), str(Path(plait.__file__).parent.parent), what]
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_default_and_shop_fit_on_the_core_and_name_the_rows_that_need_more(tmp_path):
    outcome = evaluated(tmp_path)
    for recipe in ("default", "shop"):
        expected = {"fused", "popular", "neighbours", "linear", "fused:weighted"}
        assert {f"{recipe}/{row}" for row in expected} <= set(outcome["rows"])
        assert f"{recipe}/fused:lambdarank" not in outcome["rows"]
    assert outcome["absent"] == {"fused:lambdarank": "deep"}
    assert outcome["loaded"] == []


def test_full_fits_with_deep_alone(tmp_path):
    outcome = evaluated(tmp_path, "deep")
    assert {"fused", "sequence", "fused:lambdarank"} <= set(outcome["rows"])
    assert outcome["absent"] == {}
    assert "torch" in outcome["loaded"]
    assert not {"pandas", "optuna"} & set(outcome["loaded"])
