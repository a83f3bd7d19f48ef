"""What of bringing back is refused, by facts."""

from emr.kernel.errors import Conflict, Forbidden


class NothingDiffers(Conflict):
    """What was chosen is as it was, or is not seen by who asks."""

    def __init__(self) -> None:
        super().__init__("nothing-differs", "Nothing of what was chosen is not as it was.")


class ShownIsOld(Conflict):
    """The record was changed between what was shown and what was confirmed."""

    def __init__(self) -> None:
        super().__init__("shown-is-old", "What was chosen has been changed since it was shown; look at it again.")


class SecondPersonNeeded(Forbidden):
    """Who asked for everything cannot approve it."""

    def __init__(self) -> None:
        super().__init__("second-person-needed", "Somebody other than who asked for this must approve it.")
