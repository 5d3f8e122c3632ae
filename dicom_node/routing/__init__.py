"""Facts and routes to decisions."""

from dicom_node.routing.answers import Answers, impossible_conditions, require_facts
from dicom_node.routing.conditions import Checked, check, check_all
from dicom_node.routing.decision import Decision, Pick, PickedBefore, RouteChecked, Run
from dicom_node.routing.explain import render
from dicom_node.routing.gates import GateAnswer, GateSettled, gates_for
from dicom_node.routing.pick import Candidate, by_phase, name_stack, pick_best
from dicom_node.routing.routes import Given, decide, nearest_route, remark_on, set_aside, settled_facts

__all__ = [
    "Answers",
    "Candidate",
    "Checked",
    "Decision",
    "GateAnswer",
    "GateSettled",
    "Given",
    "Pick",
    "PickedBefore",
    "RouteChecked",
    "Run",
    "by_phase",
    "check",
    "check_all",
    "decide",
    "gates_for",
    "impossible_conditions",
    "name_stack",
    "nearest_route",
    "pick_best",
    "remark_on",
    "render",
    "require_facts",
    "set_aside",
    "settled_facts",
]
