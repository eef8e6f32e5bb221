"""S3's XML documents, read and written by a parser: keys and tags may be any text."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

ElementTree.register_namespace("", "http://s3.amazonaws.com/doc/2006-03-01/")


def parsed(document: bytes) -> Element:
    """Return a document; raise ParseError. Paths in it start with `{*}`, as some documents have no namespace."""
    return ElementTree.fromstring(document)  # noqa: S314 - MiniStack's, or from a program of this machine's user


def serialized(root: Element) -> bytes:
    """Return a document as text, with S3's namespace as the default one."""
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def texts(document: bytes, path: str) -> list[str]:
    """Return the texts of all elements at a path such as `.//{*}Bucket/{*}Name`."""
    return [element.text or "" for element in parsed(document).iterfind(path)]
