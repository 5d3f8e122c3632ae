"""How good is a model on labelled images? `dicom-node evaluate`, and the figures of a training's card."""

from dicom_node.evaluate.cards import CLASSES_KEY, IGNORE_KEY
from dicom_node.evaluate.report import Report, render_report, write_report
from dicom_node.evaluate.run import Subject, evaluate, open_subject
from dicom_node.evaluate.scoring import STEERED_BY
from dicom_node.evaluate.statistics import Figure, bootstrap

__all__ = [
    "CLASSES_KEY",
    "IGNORE_KEY",
    "STEERED_BY",
    "Figure",
    "Report",
    "Subject",
    "bootstrap",
    "evaluate",
    "open_subject",
    "render_report",
    "write_report",
]
