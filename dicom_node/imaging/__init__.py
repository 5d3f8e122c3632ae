"""DICOM objects on disk to stacks, volumes and radiographs."""
