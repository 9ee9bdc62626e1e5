"""From items to something citable: splits, versions, releases."""
