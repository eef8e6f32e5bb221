"""What the HTTP endpoints of an FDL file become."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from scar_pulumi.deploy.arguments import endpoint_arguments
from scar_pulumi.fdl import load

FILE = """\
functions:
  aws:
  - lambda: {name: a, container: {image: debian}, tags: {team: x, own: a}}
    api_gateway: {name: shared, throttling: {rate_limit: 10}, cors: "*"}
    cloudwatch: {log_retention_policy_in_days: 7}
  - lambda: {name: b, container: {image: debian}, tags: {team: x}}
    api_gateway:
      name: shared
      http_method: POST
      method: {authorizationType: JWT}
      jwt: {issuer: https://issuer.example.org, audience: photos, scopes: run}
      ui: false
  - lambda: {name: c, container: {image: debian}, tags: {team: x}}
    api_gateway: {name: shared, path_part: images/c, method: {authorizationType: AWS_IAM}}
"""


def test_functions_that_share_an_api_have_paths_of_their_own_and_each_its_authorization(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shared.yaml"
    path.write_text(FILE)
    functions = load(path).functions
    components = {name: SimpleNamespace(arn=f"arn:{name}") for name in "abc"}
    assert endpoint_arguments(functions, cast(Any, components)) == {
        "api_name": "shared",
        "stage": "scar",
        "functions": [
            {
                "function_name": "a",
                "function_arn": "arn:a",
                "path": "a",
                "method": "ANY",
                "authorization": "NONE",
            },
            {
                "function_name": "b",
                "function_arn": "arn:b",
                "path": "b",
                "method": "POST",
                "authorization": "JWT",
                "scopes": ["run"],
            },
            {
                "function_name": "c",
                "function_arn": "arn:c",
                "path": "images/c",
                "method": "ANY",
                "authorization": "AWS_IAM",
            },
        ],
        "tokens": {"issuer": "https://issuer.example.org", "audience": ["photos"]},
        "cors": {"allow_origins": ["*"]},
        "throttling": {"rate_limit": 10},
        "log_retention": 7,
        "tags": {"team": "x"},
    }
