"""What instances run when they start, in the form that Batch can merge with its own part.

https://docs.aws.amazon.com/batch/latest/userguide/launch-templates.html
"""

import base64
import hashlib


def encoded_user_data(script: str) -> str:
    """Return a shell script as base64 of a MIME document; one that is a MIME document already stays as it is."""
    text = script if script.startswith(("MIME-Version:", "Content-Type: multipart/")) else _document(script)
    return base64.b64encode(text.encode()).decode()


def _document(script: str) -> str:
    # Made of the script, so that the same script is the same document.
    boundary = hashlib.sha256(script.encode()).hexdigest()[:24]
    return (
        f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{boundary}"\n\n--{boundary}\n'
        f'Content-Type: text/x-shellscript; charset="us-ascii"\n\n{script}\n--{boundary}--\n'
    )
