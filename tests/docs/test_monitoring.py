# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The example alert rules and the dashboard: every metric exists, every alert fires and goes quiet again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_mkt import metrics
from tests.docs.blocks import ROOT

FOLDER = ROOT / "docs" / "monitoring"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PROMTOOL = shutil.which("promtool")
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
METRIC = re.compile(r"\bairflow_(mkt_\w+)")
LABEL = re.compile(r"{{ ?\$?(?:labels\.)?(\w+) ?}}")
STEADY = "7x130"
FULL, EASED = "0.99x60 0.2x70", "0.5x130"


def names() -> dict[str, metrics.Metric]:
    """Every name that statsd_exporter may give to a metric."""
    found = {}
    for name, metric in metrics.METRICS.items():
        own = name.replace(".", "_")
        found |= {own + suffix: metric for suffix in (("_sum", "_count") if metric.kind == "timer" else ("",))}
    return found


def check_expression(expression: str, labels: set[str]) -> None:
    used = [names()[name] for name in METRIC.findall(expression)]
    assert used
    assert all(labels <= set(metric.tags) for metric in used), f"{labels} in {expression}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_are_about_metrics_that_exist(rule: dict[str, Any]) -> None:
    check_expression(rule["expr"], set(LABEL.findall(rule["annotations"]["summary"])))


def test_the_dashboard_shows_metrics_that_exist_and_nearly_all() -> None:
    shown = set()
    for panel in json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]:
        for target in panel["targets"]:
            check_expression(target["expr"], set(LABEL.findall(target["legendFormat"])))
            shown |= {names()[name].meaning for name in METRIC.findall(target["expr"])}
    assert shown == {metric.meaning for metric in metrics.METRICS.values()}


@pytest.mark.skipif(
    PROMTOOL is None and not IN_CI, reason="promtool is not installed (Debian and Ubuntu: apt install prometheus)"
)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_fires_and_goes_quiet_again(rule: dict[str, Any], tmp_path: Path) -> None:
    """A fault is counted in minute 10; an hour later nothing more was. What never changes is no reason to call."""
    metric = "airflow_" + METRIC.findall(rule["expr"])[0]
    gauge = names()[metric.removeprefix("airflow_")].kind == "gauge"
    begins = [FULL] if gauge else ["_x10 9x120", "0x10 9x120"]
    labels = {"vendor": "v", "what": "budgets", "budget": "default"}
    for values, fires in [*((each, True) for each in begins), (EASED if gauge else STEADY, False)]:
        said = ",".join(f'{name}="{value}"' for name, value in labels.items())
        alert = {
            "exp_labels": {**labels, **rule["labels"]},
            "exp_annotations": {
                name: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)
                for name, text in rule["annotations"].items()
            },
        }
        moments = {"12m" if fires and not gauge else "45m": [alert] if fires else [], "125m": []}
        test = {
            "rule_files": [str(FOLDER / "alerts.yaml")],
            "evaluation_interval": "1m",
            "tests": [
                {
                    "interval": "1m",
                    "input_series": [{"series": f"{metric}{{{said}}}", "values": values}],
                    "alert_rule_test": [
                        {"eval_time": at, "alertname": rule["alert"], "exp_alerts": expected}
                        for at, expected in moments.items()
                    ],
                }
            ],
        }
        path = tmp_path / "test.yaml"
        path.write_text(json.dumps(test), encoding="utf-8")
        done = subprocess.run([str(PROMTOOL), "test", "rules", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
