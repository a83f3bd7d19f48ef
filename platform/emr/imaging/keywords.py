"""DICOM's names of attributes (PS3.6)."""

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path


def tag_of(keyword: str) -> int | None:
    """The tag of an attribute by its keyword; None for a word that is none."""
    return _tags().get(keyword)


@cache
def _tags() -> dict[str, int]:
    """The table of pydicom alone, when somebody asks: the package takes 45 MiB of each process that loads it."""
    package = find_spec("pydicom")
    assert package is not None
    assert package.submodule_search_locations is not None
    found = spec_from_file_location("emr_dicom_names", Path(package.submodule_search_locations[0], "_dicom_dict.py"))
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return {row[4]: tag for tag, row in module.DicomDictionary.items()}
