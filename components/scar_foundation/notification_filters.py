"""S3's notification filters: which keys pass, and how S3 wants their prefixes and suffixes written.

S3 takes a space as `+` and every special character percent-encoded, and accepts without a word what then never matches.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
"""

from typing import NamedTuple
from urllib.parse import quote_plus, unquote_plus

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html#object-key-guidelines-safe-characters
# The slash is in every example of the page above. Letters, digits, '-', '_' and '.' are never encoded here.
_SAFE = "/!*'()"


class Filter(NamedTuple):
    """What one notification watches: keys that start and end with something."""

    start: str
    end: str

    def passes(self, key: str) -> bool:
        """Return whether a key passes."""
        return key.startswith(self.start) and key.endswith(self.end)

    def meets(self, other: "Filter") -> bool:
        """Return whether a key may pass both."""
        starts = self.start.startswith(other.start) or other.start.startswith(self.start)
        return starts and (self.end.endswith(other.end) or other.end.endswith(self.end))


def encoded_filter(text: str) -> str:
    """Return a prefix or suffix of keys as S3 wants it in a filter."""
    return quote_plus(text, safe=_SAFE).replace("~", "%7E")


def decoded_filter(value: str) -> str:
    """Return the prefix or suffix that the value of a filter means."""
    return unquote_plus(value)
