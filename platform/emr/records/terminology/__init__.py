"""Code lists: what a value set holds, what a code means, what stands below it, what it is called elsewhere.

Answers from the code systems, value sets and concept maps that come with FHIR R4 and from the hospital's own, which are
ordinary resources of its record. Owns no table. Does not validate resources; `definitions.validate` does.
"""

from emr.records.terminology.codes import at_or_above, at_or_below, expand_codes

__all__ = ["at_or_above", "at_or_below", "expand_codes"]
