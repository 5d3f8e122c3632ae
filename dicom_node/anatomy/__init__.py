"""Whether what a network marked can be the organ that it is called: measures, bounds with their sources, a verdict."""

from dicom_node.anatomy.age import age_years
from dicom_node.anatomy.organ import Bound, Measure, Organ
from dicom_node.anatomy.removed import with_removed
from dicom_node.anatomy.verdict import judge

__all__ = ["Bound", "Measure", "Organ", "age_years", "judge", "with_removed"]
