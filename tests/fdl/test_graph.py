"""What triggers what, as text, Mermaid and SVG."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from scar_pulumi.fdl import Fdl, load
from scar_pulumi.fdl.graph import Graph, as_mermaid, as_svg, as_text, graph_of

Load = Callable[..., Fdl]
EVERYTHING = Path(__file__).with_name("files") / "everything.yaml"
CHAIN = """\
functions:
  aws:
  - lambda:
      name: detect
      container: {image: debian}
      allow_loop: true
      input: [{path: scar/in, suffix: [.jpg]}]
      output: [{path: scar/out}]
    api_gateway: {name: api}
  oscar:
  - home:
      name: split
      image: debian
      script: |
        cat
      input: [{storage_provider: minio, path: video/in}]
      output: [{storage_provider: s3.mine, path: scar/in/parts}]
storage_providers: {s3: {mine: {access_key: a, secret_key: b}}}
"""


def test_a_workflow_is_a_tree_from_what_starts_it(load_text: Load) -> None:
    assert as_text(graph_of(load_text(CHAIN))) == [
        "ANY api",
        "└─ [detect]",
        "   └─ s3: scar/out",
        "minio@home: video/in",
        "└─ [split] on home",
        "   └─ s3: scar/in/parts",
        "      └─ s3: scar/in  (inside of)",
        "         └─ [detect]  (*.jpg)  ↑",
    ]


def test_a_loop_is_shown_once(load_text: Load) -> None:
    text = CHAIN.replace("scar/out", "scar/in").replace("    api_gateway: {name: api}\n", "")
    lines = as_text(graph_of(load_text(text)))
    assert lines[:2] == ["minio@home: video/in", "└─ [split] on home"]
    assert sum("[detect]" in line for line in lines) == 1
    assert lines[-1].endswith("└─ s3: scar/in  ↑")


def test_mermaid_has_every_node_and_edge_and_groups_by_cluster(load_text: Load) -> None:
    lines = as_mermaid(graph_of(load_text(CHAIN)))
    assert lines[0] == "flowchart LR"
    assert [line.strip() for line in lines if "subgraph" in line] == ['subgraph g0["AWS"]', 'subgraph g2["home"]']
    assert sum("-->" in line or "-.->" in line for line in lines) == 6
    assert any(line.strip().endswith('["detect"]') for line in lines)


def test_svg_is_a_document_with_a_box_for_each_node() -> None:
    graph = graph_of(load(EVERYTHING))
    root = ElementTree.fromstring("\n".join(as_svg(graph)))  # noqa: S314 - our own
    assert len(root.findall(".//{*}rect")) == len(graph.nodes)
    assert len(root.findall("./{*}path")) == len(graph.edges)
    assert "everything (lambda-batch)" in [text.text for text in root.findall(".//{*}text")]


def test_a_file_without_functions_has_an_empty_graph(load_text: Load) -> None:
    graph = graph_of(load_text("functions: {aws: []}"))
    assert graph == Graph({}, ())
    assert as_text(graph) == []
    assert ElementTree.fromstring("\n".join(as_svg(graph))).tag.endswith("svg")  # noqa: S314 - our own
