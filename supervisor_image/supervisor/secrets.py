"""Secrets that are kept where the function's role may read them, and not in its environment."""

from supervisor import aws
from supervisor.errors import ConfigurationInvalid


def value(provider: str, kind: str, name: str) -> str:
    """The text of a parameter of SSM or of a secret; `provider` is whom an error names."""
    try:
        if kind == "ssm":
            document = {"Name": name, "WithDecryption": True}
            return str(aws.call("ssm", "AmazonSSM.GetParameter", document)["Parameter"]["Value"])
        return str(aws.call("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": name})["SecretString"])
    except (aws.AwsError, OSError, KeyError, ValueError) as error:
        raise ConfigurationInvalid(
            f"storage provider {provider!r}: {kind}:{name} cannot be read: {error}; let the function's role read it"
        ) from error
