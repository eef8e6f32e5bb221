"""Functions without a supervisor, behind the gateway of one that has it: what calls cost at least."""

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.world import World

_BUNDLE = Path(__file__).resolve().parents[1] / "supervisor_image" / "bundle.py"
# Plain loops over the Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
_LOOP = """
import base64, http.client, json, os, socket, subprocess
address = os.environ["AWS_LAMBDA_RUNTIME_API"]
root = "/2018-06-01/runtime/invocation/"
api = http.client.HTTPConnection(address)
api.sock = socket.socket()
api.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
api.sock.connect((address.partition(":")[0], int(address.partition(":")[2])))
def ask(method, path, body=None):
    api.request(method, root + path, body)
    answer = api.getresponse()
    return answer.headers, answer.read()
while True:
    headers, event = ask("GET", "next")
    event = json.loads(event)
    body = event.get("body") or ""
    body = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    document = {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": work(body).decode()}
    ask("POST", headers["Lambda-Runtime-Aws-Request-Id"] + "/response", json.dumps(document).encode())
"""
_WORK = {
    "bare": "def work(body): return body",
    "loop": """
def work(body):
    with open("/tmp/input", "wb") as file: file.write(body)
    variables = {"INPUT_FILE_PATH": "/tmp/input", "PATH": "/bin"}
    return subprocess.run(["/opt/scar/function/script"], stdout=subprocess.PIPE, env=variables).stdout
""",
}


def deploy_bare(world: World, name: str, function: Mapping[str, Any]) -> str:
    """Deploy a function that runs a loop in the same image and behind the same API; return its URL."""
    entrypoint = [*runpy.run_path(str(_BUNDLE))["ENTRYPOINT"][:-1], _WORK[name] + _LOOP]
    made = world.client("lambda").create_function(
        FunctionName=name,
        Role="arn:aws:iam::000000000000:role/bench",
        PackageType="Image",
        Code={"ImageUri": function["image"]},
        ImageConfig={"EntryPoint": entrypoint},
        MemorySize=256,
        Timeout=30,
    )
    world.client("lambda").add_permission(
        FunctionName=name, StatementId="bench", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    stage = str(function["url"]).rpartition("/")[0]
    _route(world.client("apigatewayv2"), stage.split("/")[-2], f"ANY /{name}", made["FunctionArn"])
    return f"{stage}/{name}"


def _route(client: Any, api: str, key: str, arn: str) -> None:
    integration = client.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )
    client.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{integration['IntegrationId']}")
