"""Base images on disk: `docker save` archives of every age, OCI layouts, each packed as a tar or not."""

import json
from pathlib import Path

from scar_components.images.base import Base, Document, diff_ids, parse_document
from scar_components.images.errors import ImageError
from scar_components.images.layers import Progress, gzip_layer
from scar_components.images.oci import check_manifest, choose, digest_of, is_index
from scar_components.images.parts import FileRange, Layer, sha256
from scar_components.images.tree import DirectoryTree, TarTree, Tree, read_document


def read_archive(path: Path, architecture: str, progress: Progress) -> Base:
    """Read the image in a tar archive or in a directory. Raises ImageError if there is not exactly one good one."""
    tree: Tree = DirectoryTree(path) if path.is_dir() else TarTree(path)
    if tree.find("manifest.json"):
        return _read_docker(tree, architecture, progress)
    if tree.find("index.json"):
        return _read_oci(tree, architecture, progress)
    if tree.find("etc/passwd") or tree.find("bin/sh") or tree.find("usr/bin/env"):
        raise ImageError(f"{path}: is a root filesystem, not an image; import it: docker import FILE NAME, docker save")
    raise ImageError(
        f"{path}: has no manifest.json or index.json, so it is no image; make one with docker save -o FILE"
    )


def _read_docker(tree: Tree, architecture: str, progress: Progress) -> Base:
    where = str(tree.path)
    entry = _only_entry(where, read_document(tree, "manifest.json"))
    configuration = parse_document(where, "configuration", read_document(tree, entry["Config"]))
    identifiers = diff_ids(where, configuration, architecture, len(entry["Layers"]))
    layers = [
        gzip_layer(where, _layer_file(tree, name), identifier, None, progress)
        for name, identifier in zip(entry["Layers"], identifiers, strict=True)
    ]
    return Base(where, configuration, tuple(layers))


def _only_entry(where: str, data: bytes) -> Document:
    try:
        entries = json.loads(data)
        images = [(entry["Config"], entry["Layers"], entry.get("RepoTags") or []) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ImageError(f"{where}: manifest.json is not one that docker save writes; save the image again") from None
    if len(images) != 1:
        names = ", ".join(tag for *_, tags in images for tag in tags) or "without names"
        raise ImageError(f"{where}: holds {len(images)} images ({names}); save only one: docker save -o FILE IMAGE")
    config, layers, _ = images[0]
    return {"Config": config, "Layers": layers}


def _read_oci(tree: Tree, architecture: str, progress: Progress) -> Base:
    where = str(tree.path)
    document = parse_document(where, "index.json", read_document(tree, "index.json"))
    while is_index(document):
        document = _read_blob(tree, choose(where, document, architecture))
    descriptors = check_manifest(where, document)
    configuration = _read_blob(tree, document["config"])
    identifiers = diff_ids(where, configuration, architecture, len(descriptors))
    layers: list[Layer] = []
    for descriptor, identifier in zip(descriptors, identifiers, strict=True):
        digest = digest_of(where, descriptor)
        layers.append(gzip_layer(where, _layer_file(tree, _blob_name(digest)), identifier, digest, progress))
    return Base(where, configuration, tuple(layers))


def _read_blob(tree: Tree, descriptor: Document) -> Document:
    where = str(tree.path)
    digest = digest_of(where, descriptor)
    data = read_document(tree, _blob_name(digest))
    if sha256(data) != digest:
        raise ImageError(f"{where}: {_blob_name(digest)} is damaged; save the image again")
    return parse_document(where, _blob_name(digest), data)


def _layer_file(tree: Tree, name: str) -> FileRange:
    found = tree.find(name)
    if found is None:
        raise ImageError(f"{tree.path}: layer {name} is missing in it; save the image again")
    return found


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
