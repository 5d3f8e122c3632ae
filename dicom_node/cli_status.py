"""`dicom-node status | explain | retry`: what happened, why, and once more."""

from __future__ import annotations

import dataclasses
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dicom_node import conflicts as conflicting
from dicom_node import explain as explaining
from dicom_node import status as status_of
from dicom_node.catalog import Catalog, StackState
from dicom_node.catalog import Stack as StackRow
from dicom_node.cli_shared import HERE, AsJson, ConfigPath, out, print_json, say
from dicom_node.config import Config, load_config
from dicom_node.config_words import did_you_mean
from dicom_node.errors import ConfigError, ObjectError
from dicom_node.images import Stack
from dicom_node.infer.process import ModelProcess
from dicom_node.modes import make_storage_folder, set_umask
from dicom_node.printable import one_line, printable
from dicom_node.routing import Decision, render, require_facts
from dicom_node.search import Search, find_stacks

_EVENTS = 12  # the latest that are shown of a stack


Patient = Annotated[str, typer.Option(help="PatientID.")]
Accession = Annotated[str, typer.Option(help="Accession number.")]
Study = Annotated[str, typer.Option(help="Study Instance UID, or its last characters.")]
State = Annotated[str, typer.Option(help=f"One of: {', '.join(StackState)}.")]
Since = Annotated[str, typer.Option(help="Changed since: 30m, 2h, 3d, or 2026-11-30 or 2026-11-30T08:00 (UTC).")]


def status(
    patient: Patient = "",
    accession: Accession = "",
    study: Study = "",
    state: State = "",
    since: Since = "",
    config: ConfigPath = HERE,
    *,
    as_json: AsJson = False,
) -> None:
    """Show where every stack is, what waits for a peer, and what waits for a person; or the stacks asked for."""
    settings, search = load_config(config), _search(patient, accession, study, state, since)
    catalog = open_catalog(settings)
    if search.is_empty:
        found = status_of.read_status(catalog)
        if as_json:
            print_json("status", status_of.status_values(found))
        else:
            out.print(status_of.render_status(found))
        return
    stacks = find_stacks(settings, catalog, search)
    if as_json:
        print_json("status", {"stacks": [status_of.stack_values(stack) for stack in stacks]})
    else:
        out.print(status_of.render_stacks(stacks))


def _search(patient: str, accession: str, study: str, state: str, since: str) -> Search:
    if state:
        known = [str(one) for one in StackState]
        if state not in known:
            raise ConfigError(f"a stack has no state {state!r}, but {', '.join(known)}{did_you_mean(state, known)}")
    return Search(patient, accession, study, StackState(state) if state else None, _since(since) if since else 0.0)


def _since(text: str) -> float:
    """Return a time, or how long ago, as seconds since the epoch."""
    if found := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return time.time() - int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"--since takes 30m, 2h, 3d or a date such as 2026-11-30; {text!r} came") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def explain(
    path: Annotated[
        str, typer.Argument(help="A DICOM file or a folder of them, or the id of a stack in the catalog, or its start.")
    ] = "",
    patient: Patient = "",
    accession: Accession = "",
    study: Study = "",
    state: State = "",
    since: Since = "",
    config: ConfigPath = HERE,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Every gate, route and condition, and every event.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what would run on files and why (only gates are run, nothing is stored or sent), or what became of stacks."""
    settings, search = load_config(config), _search(patient, accession, study, state, since)
    if bool(path) != search.is_empty:
        raise typer.BadParameter("name either a file, folder or stack, or what to search for")
    if path and Path(path).exists():
        found, unread = _on_files(settings, Path(path))
    else:
        catalog, unread = open_catalog(settings), []
        ids = [path] if path else [stack.id for stack in find_stacks(settings, catalog, search)]
        found = [_stored(catalog, stack_id) for stack_id in ids]
    if as_json:
        print_json("explain", {"stacks": [_values(explained) for explained in found], "unread": unread})
    else:
        for explained in found:
            _show(explained, everything=everything)
    if unread:
        sys.exit(printable("\n".join(f"dicom-node: {problem}" for problem in unread)))


@dataclasses.dataclass(frozen=True, slots=True)
class _Explained:
    """One stack with its decision; `row` and what follows of one in the catalog."""

    stack: Stack
    decision: Decision | None
    row: StackRow | None = None
    runs: Sequence[dict[str, Any]] = ()
    events: Sequence[tuple[float, str]] = ()
    versions: Sequence[str] = ()


def _on_files(settings: Config, path: Path) -> tuple[list[_Explained], list[str]]:
    found, unread = [], []
    for one in explaining.explain(settings, path):
        if isinstance(one, ObjectError):
            unread.append(str(one))
        else:
            found.append(_Explained(*one))
    return found, unread


def _stored(catalog: Catalog, stack_id: str) -> _Explained:
    row, events = status_of.history(catalog, stack_id)
    versions = list(conflicting.versions_of(catalog, row.study_uid, row.series_uid))
    decision = Decision.from_json(row.decision) if row.decision else None
    runs = status_of.run_records(catalog, row.id)
    return _Explained(Stack.from_json(row.content), decision, row, runs, events, versions)


def _show(explained: _Explained, *, everything: bool) -> None:
    row = explained.row
    if row is not None:
        say(one_line(f"stack {row.id[:8]}, {status_of.as_time(row.at)}: {row.state}: {row.reason}".rstrip(": ")))
    if explained.decision is not None:
        out.print(render(explained.decision, explained.stack, everything=everything))
    for line in (*explained.versions, *(line for run in explained.runs for line in status_of.say_record(run))):
        say(one_line(line))
    for at, text in explained.events if everything else explained.events[-_EVENTS:]:
        say(one_line(f"{status_of.as_time(at)}  {text}"))


def _values(explained: _Explained) -> dict[str, Any]:
    """Return what is known of a stack as plain values; those of the catalog are absent for files."""
    decision = explained.decision.to_json() if explained.decision else None
    stack = explained.stack
    if explained.row is None:
        return {"study": stack.study_uid, "series": stack.series_uid, "decision": decision}
    events = [{"at": status_of.as_time(at), "text": text} for at, text in explained.events]
    return {
        **status_of.stack_values(explained.row),
        "decision": decision,
        "versions": list(explained.versions),
        "runs": list(explained.runs),
        "events": events,
    }


def retry(
    stack: Annotated[str, typer.Argument(help="The id of a stack, or its first digits; nothing: all deliveries.")] = "",
    fact: Annotated[list[str] | None, typer.Option(help="A fact that you settle, e.g. contrast=enhanced.")] = None,
    *,
    force: Annotated[bool, typer.Option(help="Run although the study is old.")] = False,
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """Judge and run a stack again, or send now whatever waits for a peer."""
    settings = load_config(config)
    facts = dict(_fact(pair) for pair in fact or ())
    if (facts or force) and not stack:
        raise typer.BadParameter("name the stack that --fact or --force is meant for")
    require_settled(settings, facts)
    catalog = open_catalog(settings)
    if not stack:
        count = status_of.retry_deliveries(catalog)
        if as_json:
            print_json("retry", {"deliveries": count})
        else:
            say(f"{count} deliveries are tried again now")
        return
    row = status_of.send_round_again(catalog, stack, facts, force=force)
    if as_json:
        print_json("retry", {"stack": row.id, "series": row.series_uid, "facts": facts})
    else:
        say(f"stack {row.id} of series {row.series_uid} is judged again")


def require_settled(settings: Config, facts: dict[str, str]) -> None:
    """Raise ConfigError unless a gate can answer what a person settles in its place."""
    if not facts:
        return
    require_facts(settings, {}, facts)  # an unknown name is said before the models are loaded
    if not settings.gates.keys() & facts.keys():
        return
    models = ModelProcess(settings)
    try:
        require_facts(settings, models.answers(), facts)
    finally:
        models.close()


def _fact(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not (name.strip() and separator and value.strip()):
        raise typer.BadParameter(f"--fact takes NAME=VALUE, e.g. contrast=enhanced; {pair!r} came")
    return name.strip(), value.strip()


def open_catalog(settings: Config) -> Catalog:
    """Open the catalog; before the node's first start it is made, empty."""
    set_umask(settings)
    make_storage_folder(settings)
    catalog = Catalog(settings.catalog_url)
    catalog.migrate()
    return catalog
