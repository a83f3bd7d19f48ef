"""The refusals of this room.

Conflict ── AlreadyMember, NotForOneself, AccountElsewhere
Invalid  ── TooManyMembers
"""

from emr.kernel.errors import Conflict, Invalid


class AlreadyMember(Conflict):
    """The account is a member here."""

    def __init__(self) -> None:
        super().__init__("member-already", "This account is a member of this hospital.", location="email")


class NotForOneself(Conflict):
    """An administrator cannot take the own rights away: so that one is always left."""

    def __init__(self) -> None:
        super().__init__("member-oneself", "Another administrator has to do this to your own account.")


class AccountElsewhere(Conflict):
    """What concerns the account as a whole is not one hospital's to do."""

    def __init__(self) -> None:
        super().__init__(
            "account-elsewhere",
            "The account is a member of another hospital too, or was not made here: its owner resets the password.",
        )


class TooManyMembers(Invalid):
    """The hospital's quota of users."""

    def __init__(self, most: int) -> None:
        super().__init__("quota-users", f"This hospital may have {most} members.", location="email")
