"""What a radiologist sees of our results: viewers from public registries, driven in a headless browser over Orthanc."""
