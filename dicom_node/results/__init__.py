"""Findings to DICOM objects, proved before they leave."""
