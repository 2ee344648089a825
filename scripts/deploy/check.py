"""Checks deploy/ against a real server (scripts/deploy.sh starts it): every metric, label and URL of the Grafana dashboards
is there, the dashboards are sound, the compose files name only what exists, and Portico accepts the settings in them."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
URL = os.environ["SERVER_URL"]
faults = []


def check(kept, fault):
    if not kept:
        faults.append(fault)


def request(method, path, headers=None, body=None):
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(URL + path, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(call, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def done(method, path, headers=None, body=None):
    status, text = request(method, path, headers, body)
    if status >= 300:
        sys.exit(f"{method} {path}: {status} {text}")
    return json.loads(text)


# --- Something of everything that is measured

def traffic():
    """A device's id and a service's key, after requests and messages of each kind."""
    sign_in = {"username": os.environ["SERVER_ADMIN"], "password": os.environ["SERVER_PASSWORD"]}
    bearer = {"Authorization": "Bearer " + done("POST", "/api/v1/auth/login", body=sign_in)["access_token"]}
    new = {"name": "Thermometer", "device_type": "sensor"}
    device = done("POST", "/api/v1/devices/register", bearer, new)["device"]
    done("POST", "/api/v1/telemetry", {"X-API-Key": device["api_key"]}, {"data": {"temperature": 21.5}})
    host, port = os.environ["SERVER_MQTT"].rsplit(":", 1)
    topic = f"devices/{device['id']}/telemetry"

    def publish(key, payload):
        command = ["mosquitto_pub", "-h", host, "-p", port, "-i", device["id"], "-u", device["id"], "-P", key, "-q", "1"]
        subprocess.run([*command, "-t", topic, "-m", payload], capture_output=True, timeout=20)

    publish(device["api_key"], '{"data": {"temperature": 22}}')
    publish(device["api_key"], "nonsense")
    publish("wrong", "{}")
    key = done("POST", "/api/v1/service-keys", bearer, {"name": "Grafana", "scopes": ["read_all_devices"]})
    return device["id"], key["api_key"]


def metrics():
    """The labels of each metric at /metrics."""
    found = {}
    for line in request("GET", "/metrics")[1].splitlines():
        if line and not line.startswith("#"):
            name, labels = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s", line).groups()
            found.setdefault(name, set()).update(re.findall(r"(\w+)=\"", labels or ""))
    return found


# --- Grafana

def check_grafana(device, key):
    sources = {}
    for path in (DEPLOY / "grafana/provisioning/datasources").glob("*.yaml"):
        for source in yaml.safe_load(path.read_text())["datasources"]:
            sources[source["uid"]] = source["type"]
    dashboards = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
    check(len(dashboards) >= 2, "there are no dashboards")
    uids = set()
    wanted = set()
    for path in dashboards:
        dashboard = json.loads(path.read_text())
        label = path.name
        check(dashboard["uid"] not in uids, f"{label}: the uid is another's")
        uids.add(dashboard["uid"])
        check(dashboard["title"] and dashboard["schemaVersion"] >= 36, f"{label}: no title or an old schema")
        variables = {variable["name"] for variable in dashboard["templating"]["list"]}
        taken = set()
        ids = [panel["id"] for panel in dashboard["panels"]]
        check(len(ids) == len(set(ids)), f"{label}: panels with the same id")
        text = json.dumps(dashboard)
        for name in re.findall(r"\$\{?(\w+)\}?", text):
            check(name in variables or name.startswith("__"), f"{label}: there is no variable {name}")
        for panel in dashboard["panels"]:
            where = f"{label}: {panel['title']}"
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            check(place["x"] + place["w"] <= 24 and not cells & taken, f"{where}: lies on another panel")
            taken |= cells
            if panel["type"] == "row":
                continue
            check(panel.get("description"), f"{where}: no description")
            check(panel["targets"], f"{where}: no queries")
            for query in panel["targets"]:
                check(sources.get(query["datasource"]["uid"]) == query["datasource"]["type"], f"{where}: unknown datasource")
                if "expr" in query:
                    wanted.add((where, query["expr"]))
                else:
                    check_url(where, query, device, key)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query" and variable["datasource"]["type"] != "prometheus":
                check_url(f"{label}: variable {variable['name']}", variable["query"]["infinityQuery"], device, key)
    check(len(wanted) > 20, "hardly any queries of metrics")
    check_metrics(wanted)


def check_url(where, query, device, key):
    url = query["url"]
    check(url.startswith("${portico}/api/v1/"), f"{where}: {url} is not Portico's")
    now = int(time.time() * 1000)
    values = {"portico": "", "device": device, "key": "temperature", "__from": str(now - 86_400_000), "__to": str(now)}
    path = re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], url)
    status, text = request(query["url_options"]["method"], path, {"X-API-Key": key})
    if status != 200:
        faults.append(f"{where}: {path}: {status} {text}")
        return
    rows = json.loads(text)
    for part in filter(None, query["root_selector"].split(".")):
        rows = rows[part]
    rows = rows if isinstance(rows, list) else [rows]
    check(rows, f"{where}: {path}: nothing there to show")
    for column in query["columns"]:
        check(all(column["selector"] in row for row in rows), f"{where}: {path}: no {column['selector']}")


def check_metrics(wanted):
    deadline = time.monotonic() + 30
    while True:
        found = metrics()
        missing = []
        for where, expression in wanted:
            names = re.findall(r"\b(portico_\w+)", expression)
            if not names and "up{" not in expression:
                missing.append(f"{where}: no metric in {expression}")
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression))
            for group in re.findall(r"\bby \(([^)]*)\)", expression):
                labels |= {label.strip() for label in group.split(",")}
            for name in names:
                if name not in found:
                    missing.append(f"{where}: no metric {name} at /metrics")
                    continue
                # Prometheus adds where a metric was read.
                unknown = labels - found[name] - {"instance", "job"}
                if unknown:
                    missing.append(f"{where}: {name} has no label {', '.join(sorted(unknown))}")
        # Some are counted by a job, every few seconds.
        if not missing or time.monotonic() > deadline:
            faults.extend(missing)
            return
        time.sleep(0.5)


# --- Compose, Prometheus

def check_compose(path):
    text = path.read_text()
    compose = yaml.safe_load(text)
    label = path.name
    services, volumes = compose["services"], set(compose.get("volumes") or {})
    secrets = set(compose.get("secrets") or {})
    check(compose["name"] and services, f"{label}: no name or no services")
    known = set(re.findall(r"^#? ?([A-Z_]+)=", (DEPLOY / "compose.env.example").read_text(), re.M))
    for name, default in re.findall(r"\$\{([A-Z_]+)(:-)?", text):
        check(default or name in known, f"{label}: {name} is not in compose.env.example")
    for name, service in services.items():
        where = f"{label}: {name}"
        check("image" in service or "build" in service, f"{where}: neither an image nor a build")
        check(not str(service.get("image", ":")).endswith(":latest") and ":" in str(service.get("image", ":")),
              f"{where}: an image without a version")
        if "build" in service:
            check((DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file(), f"{where}: no Dockerfile")
        for other in service.get("depends_on") or {}:
            check(other in services, f"{where}: depends on {other}, which is not there")
        for secret in service.get("secrets") or []:
            check(secret in secrets, f"{where}: there is no secret {secret}")
        for volume in service.get("volumes") or []:
            source = volume.split(":")[0]
            if not source.startswith("."):
                check(source in volumes, f"{where}: there is no volume {source}")
            elif Path(source).name != "passwords":
                # That file is made by whoever sets it up.
                check((DEPLOY / source).exists(), f"{where}: there is no {source}")
        if name.startswith("portico"):
            check_settings(where, service["environment"])
    check(volumes <= {volume.split(":")[0] for service in services.values() for volume in service.get("volumes") or []},
          f"{label}: a volume that nobody uses")


def check_settings(where, environment):
    """Portico itself reads the settings, with something in the place of each variable."""
    values = {"POSTGRES_PASSWORD": "a", "MQTT_PASSWORD": "b", "INSTANCE_KEY": "0" * 64,
              "PUBLIC_URL": "https://portico.example", "METRICS_TOKEN": "c" * 32}
    fill = lambda text: re.sub(r"\$\{(\w+)[^}]*\}", lambda match: values[match[1]], str(text))
    settings = {name: fill(value) for name, value in environment.items()}
    result = subprocess.run([os.environ["PORTICO_BIN"], "config", "check"], cwd="/", capture_output=True, text=True,
                            env={"PATH": os.environ["PATH"], **settings})
    check(result.returncode == 0, f"{where}: {result.stderr}")


def check_prometheus():
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    services = yaml.safe_load((DEPLOY / "compose.scaled.yaml").read_text())["services"]
    for job in config["scrape_configs"]:
        for group in job["static_configs"]:
            for target in group["targets"]:
                check(target.split(":")[0] in services, f"prometheus.yml: there is no service {target}")
    check(config["scrape_configs"][0]["job_name"] == "portico", "prometheus.yml: the dashboards ask for the job portico")


check_grafana(*traffic())
check_prometheus()
for path in sorted(DEPLOY.glob("compose*.yaml")):
    check_compose(path)
if faults:
    sys.exit("\n".join(["deploy/ is not sound:", *faults]))
