"""Three histories, one environment: directory, cell and hospital schemas are made and moved by these scripts only."""
