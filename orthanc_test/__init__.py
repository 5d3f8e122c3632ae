"""A real Orthanc as the PACS that the node is tested with."""
