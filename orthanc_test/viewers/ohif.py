"""OHIF, as npm has it: which package, and how it finds the archive."""

from __future__ import annotations

from orthanc_test.viewers.npm import Package

OHIF = Package(
    "@ohif/app",
    "3.13.2",
    "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA==",
    "dist",
)

CONFIGURATION = """
window.config = {
  routerBasename: "/", extensions: [], modes: [], customizationService: {},
  showStudyList: true, maxNumberOfWebWorkers: 2,
  investigationalUseDialog: { option: "never" }, showWarningMessageForCrossOrigin: false, showCPUFallbackMessage: false,
  defaultDataSourceName: "dicomweb",
  dataSources: [{
    namespace: "@ohif/extension-default.dataSourcesModule.dicomweb", sourceName: "dicomweb",
    configuration: {
      friendlyName: "Orthanc", name: "Orthanc",
      qidoRoot: "/dicom-web", wadoRoot: "/dicom-web", wadoUriRoot: "/dicom-web",
      qidoSupportsIncludeField: false, enableStudyLazyLoad: true,
      imageRendering: "wadors", thumbnailRendering: "wadors",
      supportsFuzzyMatching: false, supportsWildcard: true, omitQuotationForMultipartRequest: true,
      bulkDataURI: { enabled: true, relativeResolution: "studies" },
    },
  }],
};
"""
"""OHIF's app-config.js: one DICOMweb source on the page's own origin."""
