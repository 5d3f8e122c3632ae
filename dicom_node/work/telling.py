"""Log lines of what was decided, run and delivered; they hold ids, UIDs, names of the configuration and states alone.

Reasons may quote an image's header, so they stand in the catalog, for `explain`, and not in the log.
"""

from __future__ import annotations

import logging
from collections import Counter

from dicom_node.catalog import Stack
from dicom_node.deliver import Sent
from dicom_node.routing import Decision, nearest_route

_log = logging.getLogger(__name__)


def tell_decision(stack: Stack, decision: Decision) -> None:
    """Log what was decided for a stack, and why in the configuration's words."""
    why = explain_decision(decision)
    values = {"event": "decided", "stack": stack.id, "series": stack.series_uid, "verdict": decision.verdict}
    _log.info("stack %s of series %s: %s", stack.id[:8], stack.series_uid, why, extra={"values": values})


def explain_decision(decision: Decision) -> str:
    """Return a decision's reason without a value that was seen in the header."""
    gates = "".join(f"; {gate.gate}: the pixels say {gate.answer.value}" for gate in decision.gates)
    declined = "".join(f"; {pipeline} declines" for pipeline in decision.refusals)
    if decision.verdict == "held":
        asked = [gate.gate for gate in decision.gates if gate.state == "open"]
        return f"held: a person has to settle {' and '.join(asked)}{gates}"
    if decision.runs:
        return (
            "runs " + ", ".join(f"{run.pipeline} (route {', '.join(run.routes)})" for run in decision.runs) + declined
        )
    if decision.refusals:
        return f"refused{declined}"
    if any(route.passed_over for route in decision.routes if route.match == "yes"):
        return f"nothing to run: another stack was chosen{gates}"
    nearest = nearest_route(decision)
    if nearest is None:  # the reason speaks of the stack's kind, age and origin
        return decision.reason
    route, failed = nearest
    wanted = "; ".join(f"{check.fact} {check.wanted}" for check in failed)
    return f"nothing to run: the nearest route, {route}, wants {wanted}{gates}"


def tell_run(stack: Stack, pipeline: str, state: str, seconds: float) -> None:
    """Log that a pipeline ran, for how long, and how it ended."""
    values = {"event": "ran", "stack": stack.id, "pipeline": pipeline, "state": state, "seconds": round(seconds, 3)}
    more = "" if state == "done" else f"; `dicom-node explain {stack.id[:8]}` says why"
    text = "stack %s of series %s: %s ran %.1f s: %s%s"
    _log.info(text, stack.id[:8], stack.series_uid, pipeline, seconds, state, more, extra={"values": values})


def tell_delivery(stack_id: str, peer: str, where: str, sent: list[Sent]) -> None:
    """Log how many of a stack's results an association has brought where."""
    counts: Counter[str] = Counter(outcome.outcome for outcome in sent)
    names = {"stored": "stored", "park": "refused for good", "retry": "to be sent again", "unreached": "not sent yet"}
    said = ", ".join(f"{counts[outcome]} {name}" for outcome, name in names.items() if counts[outcome])
    values = {"event": "delivered", "stack": stack_id, "peer": peer, **counts}
    _log.info("stack %s: results at %s (%s): %s", stack_id[:8], peer, where, said, extra={"values": values})


def tell_away(peer: str, reason: str) -> None:
    """Log that a peer cannot be reached; once, until it is back."""
    values = {"event": "away", "peer": peer}
    _log.warning("%s is away: %s; it is called again ever less often", peer, reason, extra={"values": values})


def tell_back(peer: str, failures: int) -> None:
    """Log that a peer answers again."""
    _log.info("%s is back after %d failed attempts", peer, failures, extra={"values": {"event": "back", "peer": peer}})
