"""How the fuzzer signs in, and what it must leave alone to be able to go on."""

import os

import requests
import schemathesis

PROTECTED = os.environ["FUZZ_PROTECTED"].split(",")


@schemathesis.auth(retry_on=[401])
class Caller:
    """A person with an access token, a device with its key. A session that a case ended is replaced by a new one."""

    def get(self, case, context):
        answer = requests.post(
            os.environ["SERVER_URL"] + "/api/v1/auth/login",
            json={"login": os.environ["FUZZ_USER"], "password": os.environ["SERVER_PASSWORD"]},
            timeout=20,
        )
        if answer.status_code != 200:
            raise RuntimeError(f"signing in: {answer.status_code} {answer.text}")
        return answer.json()["access_token"]

    def set(self, case, data, context):
        schemes = [scheme for alternative in security(case.operation) for scheme in alternative]
        case.headers = case.headers or {}
        if "bearer" in schemes:
            case.headers["Authorization"] = f"Bearer {data}"
        elif "api_key" in schemes:
            case.headers["X-API-Key"] = os.environ["FUZZ_DEVICE_KEY"]


def security(operation):
    """The alternatives of schemes by which the operation can be called."""
    document = operation.schema.raw_schema
    return operation.definition.raw.get("security", document.get("security", []))


@schemathesis.hook
def filter_case(context, case):
    """Whether the case may be sent: the fuzzer's own account and device stay as they are."""
    if case.method == "GET":
        return True
    if any(value in PROTECTED for value in (case.path_parameters or {}).values()):
        return False
    # A device may take itself out of use, and is refused from then on.
    if case.path == "/api/v1/devices/config" and isinstance(case.body, dict):
        return case.body.get("status") not in ("inactive", "maintenance")
    return True
