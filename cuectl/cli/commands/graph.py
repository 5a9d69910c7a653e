"""`cuectl graph`: what starts what, for Graphviz, Mermaid or a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.model.graph import Graph

FORMATS = ("dot", "mermaid", "svg")


def run(call: Call, *, format: str, chain: str | None) -> int | None:  # noqa: A002
    """Print the graph of all cues, or of one chain."""
    from cuectl.cli.cue_reading import reader_of, warn
    from cuectl.engine.pipelines import chain_graph, chained_pairs, pipelines

    reader = reader_of(call)
    if chain is None:
        graph = pipelines(reader, chained_pairs(reader))
    else:
        from cuectl.engine.chain_tree import chain_of

        graph = chain_graph(chain_of(reader, chain, call.runtime.now()))
    warn(call, reader)
    if call.out.json:
        call.out.record(graph.to_record())
        return None
    if not graph.nodes:
        call.out.tell("no cue starts anything yet; make one with: cuectl create")
    call.out.stdout.write(_text(graph, format))
    return None


def _text(graph: Graph, form: str) -> str:
    from cuectl.model.graph import as_dot, as_mermaid

    match form:
        case "mermaid":
            return as_mermaid(graph)
        case "svg":
            from cuectl.model.graph_svg import svg_of

            return svg_of(graph, title="What starts what")
        case _:
            return as_dot(graph)


command = Command(
    name="graph",
    summary="Draw what starts what: events, cues, agents, chains",
    description="""
        Prints the pipelines as a graph: schedules and events, the cues that they start, and the
        agents, tasks and commands that those run. What one cue was seen to chain to another is
        dashed.

        With --chain, the tree of one chain of executions, with their results; 'cuectl chain
        show' prints the same for people.
    """,
    options=(
        Option(
            name="--format",
            metavar="FORM",
            choices=FORMATS,
            default="dot",
            help="For Graphviz (dot), Markdown (mermaid) or browsers (svg)",
        ),
        Option(
            name="--chain",
            metavar="ID",
            complete="execution",
            help="Draw the chain that an execution belongs to",
        ),
    ),
    exits=((5, "there is no such execution"),),
    see_also=("cuectl-chain-show(1)", "cuectl-dashboard(1)", "cuectl-subscriptions-list(1)"),
    run=run,
)
