"""What Batch answers to a request that it does not take."""


class ClientError(Exception):
    """The request is wrong: Batch's ClientException. The message is for whoever sent it."""
