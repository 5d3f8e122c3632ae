"""Every kind of malformed input, as a hypothesis strategy that a seed fixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from hypothesis import strategies as st

from tests.faults.fuzz import bombs, forged_messages, header_nonsense, mutated_streams, wide_data_sets
from tests.faults.fuzz.inputs import Input, instance_of
from tests.support.malformed import Wire, objects, stored, wires
from tests.support.malformed import bombs as deflate_bombs

Make = Callable[[Random, str], Input]
NEW_KINDS: Mapping[str, Make] = {
    header_nonsense.KIND: header_nonsense.make,
    mutated_streams.KIND: mutated_streams.make,
    wide_data_sets.KIND: wide_data_sets.make,
    forged_messages.KIND: forged_messages.make,
    bombs.KIND: bombs.make,
}
"""What makes one input of a kind from a random generator."""

_SHARES = {  # of a hundred inputs; what is run by a pipeline takes the node a hundred times as long as a connection
    header_nonsense.KIND: 3,
    mutated_streams.KIND: 4,
    wide_data_sets.KIND: 1,
    forged_messages.KIND: 3,
    bombs.KIND: 1,
}


def inputs(called: str) -> st.SearchStrategy[Input]:
    """Inputs of every kind: broken connections and broken objects too."""
    connections = wires(called).map(lambda wire: Input("broken connection", wire))
    broken = objects().map(lambda pair: Input("broken object", stored(*pair, called=called), pair[1]))
    deflated = deflate_bombs(called).map(_deflate_bomb)
    made = [of_kind(kind, called) for kind, share in _SHARES.items() for _ in range(share)]
    return st.sampled_from([*(83 * [connections]), *(4 * [broken]), deflated, *made]).flatmap(_itself)


def of_kind(kind: str, called: str) -> st.SearchStrategy[Input]:
    """Inputs of one kind of `NEW_KINDS`."""
    return st.randoms(use_true_random=True).map(lambda random: NEW_KINDS[kind](random, called))


def _deflate_bomb(wire: Wire) -> Input:
    return Input("deflate bomb", wire, instance_of(wire))


def _itself(strategy: st.SearchStrategy[Input]) -> st.SearchStrategy[Input]:
    return strategy
