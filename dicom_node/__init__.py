"""dicom-node: a DICOM network node that puts imaging AI behind a PACS."""
